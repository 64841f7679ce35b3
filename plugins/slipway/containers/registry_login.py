"""Authentication at a registry: Basic, or a bearer token as its challenge says (distribution's token specification)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Login:
    """A user and password of a registry; neither shows in a repr."""

    user: str = field(repr=False)
    password: str = field(repr=False)


class Authenticator:
    """The Authorization header of the requests to one repository, got when the registry first asks for it.

    The token is kept for the process's requests and fetched anew when the registry refuses it.
    """

    def __init__(self, session: Any, login: Login | None, timeout_seconds: float) -> None:
        self._session, self._login, self._timeout = session, login, timeout_seconds
        self.header: str | None = None

    def __call__(self, request: Any) -> Any:
        """Put the header on a request; being its `auth`, it also keeps requests from looking for one in ~/.netrc."""
        if self.header:
            request.headers["Authorization"] = self.header
        return request

    def answer(self, challenge: str, url: str) -> bool:
        """Make the header that `challenge` (a WWW-Authenticate header from `url`) asks for; False: nothing to try.

        Raises:
            requests.RequestException: the token server does not answer.
        """
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return self._basic()
        if scheme.lower() == "bearer":
            return self._bearer(dict(re.findall(r'(\w+)="([^"]*)"', rest)), url)
        return False

    def _basic(self) -> bool:
        if self._login is None:
            return False
        made = "Basic " + base64.b64encode(f"{self._login.user}:{self._login.password}".encode()).decode()
        self.header, before = made, self.header
        return made != before

    def _bearer(self, challenge: dict[str, str], url: str) -> bool:
        realm = challenge.get("realm", "")
        # A password goes to no server that is reached less safely than the registry itself.
        if urlsplit(realm).scheme not in {"https", urlsplit(url).scheme}:
            return False
        answer = self._session.get(
            realm,
            params={name: challenge[name] for name in ("service", "scope") if name in challenge},
            auth=(self._login.user, self._login.password) if self._login else None,
            timeout=self._timeout,
        )
        if answer.status_code != 200:
            return False
        found = answer.json()
        token = found.get("token") or found.get("access_token")
        self.header = f"Bearer {token}" if token else None
        return bool(token)
