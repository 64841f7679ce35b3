"""Authentication at a registry: Basic, or a bearer token as its challenge says (distribution's token specification)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_LATER = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Login:
    """A user and password of a registry; neither shows in a repr."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The header of Basic authentication (RFC 7617, UTF-8)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Authenticator:
    """The Authorization header of the requests to one repository, got when the registry first asks for it.

    `header` is the one that was made last, for the next request to begin with. Several threads may ask at once: each goes by
    the header that it had sent itself.
    """

    def __init__(self, session: Any, login: Login | None, base_url: str, timeout_seconds: float) -> None:
        self._session, self._login, self._base_url, self._timeout = session, login, base_url, timeout_seconds
        self.header: str | None = None

    def answer(self, challenge: str, sent: str | None) -> str | None:
        """The header that `challenge` (a WWW-Authenticate header) asks for after `sent` was refused; None: nothing to try.

        Raises:
            requests.RequestException: the token server does not answer, or says "later".
        """
        schemes = {scheme.lower() for scheme in re.findall(r"(?:^|,\s*)(bearer|basic)\b", challenge, re.IGNORECASE)}
        made = self._bearer(challenge) if "bearer" in schemes else None
        if made is None and "basic" in schemes and self._login:
            made = self._login.basic
        if made is None or made == sent:
            return None
        self.header = made
        return made

    def _bearer(self, challenge: str) -> str | None:
        asked: dict[str, str] = {}
        for name, value in re.findall(r'(\w+)="([^"]*)"', challenge[challenge.lower().find("bearer") :]):
            asked.setdefault(name, value)  # a second challenge may follow, with a realm of its own
        realm = asked.get("realm", "")
        # A password goes to no server that is reached less safely than the registry itself.
        if urlsplit(realm).scheme not in {"https", urlsplit(self._base_url).scheme}:
            return None
        answer = self._session.get(
            realm,
            params={"service": asked.get("service"), "scope": asked.get("scope", "").split() or None},
            auth=with_header(self._login.basic if self._login else None),
            timeout=self._timeout,
        )
        if answer.status_code in _LATER:
            answer.raise_for_status()
        found = answer.json() if answer.status_code == 200 else {}
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        return f"Bearer {token}" if token else None


def with_header(header: str | None) -> Any:
    """An `auth` for requests that sets this header or none; without any, requests would look into ~/.netrc."""

    def put(request: Any) -> Any:
        if header:
            request.headers["Authorization"] = header
        return request

    return put
