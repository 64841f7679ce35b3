"""An answer of the Kubernetes API that is an error, or none at all, as its official clients hand it out.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SHOWN = 400  # characters of the other side's own words


@dataclass(frozen=True)
class Status:
    """An answer that is an error: HTTP's `code`, and what the API says; `text` where the body was no Status object."""

    code: int
    message: str = ""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_status: bool = False

    @property
    def causes(self) -> list[Mapping[str, Any]]:
        """Of `details`: each has reason, message and field."""
        return list(self.details.get("causes") or [])

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the API asks to wait, from the header or the details."""
        said = self.headers.get("Retry-After") or self.details.get("retryAfterSeconds")
        return float(said) if said is not None and re.fullmatch(r"\d{1,6}", str(said)) else None

    @property
    def is_unknown_kind(self) -> bool:
        """A 404 because the cluster has no such kind, not because it has no such object."""
        return self.code == 404 and not self.details.get("name")

    @classmethod
    def read(cls, code: int, body: str | bytes | None, headers: Mapping[str, str] | None = None) -> Status:
        """From an HTTP answer; a proxy in between may have written it."""
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
        plain = {str(key).title(): str(value) for key, value in (headers or {}).items()}
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        if not isinstance(said, dict) or said.get("kind") != "Status":
            return cls(code, message=shown(re.sub(r"<[^>]*>", " ", text)), headers=plain)
        details = said.get("details") or {}
        message, reason = str(said.get("message") or ""), str(said.get("reason") or "")
        return cls(int(said.get("code") or code), message, reason, details, plain, is_status=True)


class ApiError(Exception):
    """An answer that is an error, with its Status; does not leave this package."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code} {status.reason}: {shown(status.message)}")
        self.status = status


class NoAnswerError(Exception):
    """The network's or HTTP's error, in its own words; does not leave this package."""

    @classmethod
    def of(cls, error: BaseException) -> NoAnswerError:
        """From an error of urllib3, aiohttp, a websocket or the system."""
        return cls(innermost(error))


def innermost(error: BaseException) -> str:
    """The words nearest to the cause: urllib3 and aiohttp wrap what the system said, some of them without words."""
    reason = getattr(error, "reason", None)
    while isinstance(reason, BaseException):
        error, reason = reason, getattr(reason, "reason", None)
    text = str(reason or error) or type(error).__name__
    return re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? ?", "", text)


def shown(text: str) -> str:
    """One line, cut short."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}..."
