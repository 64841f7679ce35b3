"""The API's errors: a Status object of the shape that a real server sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.kinds import Kind

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class StatusError(Exception):
    """A request that failed; `str()` of it is the Status' message. `headers` go with the answer."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = REASONS.get(code, "") if reason is None else reason
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def status(self) -> dict[str, Any]:
        """The Status object, as JSON."""
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message}
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        return body | {"code": self.code}


def _details(kind: Kind, name: str, causes: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    group = {"group": kind.group} if kind.group else {}
    more = {"causes": [dict(cause) for cause in causes]} if causes else {}
    return {"name": name, **group, "kind": kind.plural, **more}


def not_found(kind: Kind, name: str) -> StatusError:
    """404 `deployments.apps "x" not found`."""
    return StatusError(404, f'{kind.resource} "{name}" not found', details=_details(kind, name))


def already_exists(kind: Kind, name: str) -> StatusError:
    """409 AlreadyExists."""
    message = f'{kind.resource} "{name}" already exists'
    return StatusError(409, message, reason="AlreadyExists", details=_details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    """409 `Operation cannot be fulfilled on ...`."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return StatusError(409, message, details=_details(kind, name))


def forbidden(kind: Kind, name: str, why: str) -> StatusError:
    """403 `pods "x" is forbidden: ...` of an admission plug-in or of the authoriser."""
    subject = f'{kind.resource} "{name}"' if name else kind.resource
    return StatusError(403, f"{subject} is forbidden: {why}", details=_details(kind, name))


def invalid(kind: Kind, name: str, causes: Sequence[tuple[str, str, str]]) -> StatusError:
    """422 Invalid; `causes` are (reason, field, message), reason such as FieldValueInvalid."""
    listed = [{"reason": reason, "message": message, "field": field} for reason, field, message in causes]
    texts = [f"{field}: {message}" for _, field, message in causes]
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {
        "name": name,
        **({"group": kind.group} if kind.group else {}),
        "kind": kind.name,
        "causes": listed,
    }
    return StatusError(422, f'{kind.qualified} "{name}" is invalid: {text}', details=details)
