"""HTTP to a registry: log-in, retries, and its errors as ours."""

from __future__ import annotations

import errno
import time
from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit

from slipway.containers.registry_login import Authenticator, Login, with_header
from slipway.containers.repository import Repository
from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, SlipwayError, UnavailableError

_TRIES = 5
_TIMEOUT_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0
_AGAIN = {429, 500, 502, 503, 504}


class RegistrySession:
    """Requests to the API of one repository; connects on the first.

    A request that got no answer, or one that says "later", is made again a few times with growing pauses.

    Args:
        repository: whose API.
        login: None: anonymous.
        insecure: plain HTTP; always so for a registry on this machine, as Docker does.
        pause_seconds: before the second try; doubles from try to try.
    """

    def __init__(
        self, repository: Repository, login: Login | None = None, *, insecure: bool = False, pause_seconds: float = 0.5
    ) -> None:
        self.repository = repository
        scheme = "http" if insecure or repository.is_loopback else "https"
        self.base_url = f"{scheme}://{repository.api_host}/v2"
        self._login, self._pause = login, pause_seconds

    @cached_property
    def _http(self) -> Any:
        import requests

        session = requests.Session()
        session.headers["User-Agent"] = "Slipway"
        return session

    @cached_property
    def _authenticator(self) -> Authenticator:
        return Authenticator(self._http, self._login, self.base_url, _TIMEOUT_SECONDS)

    def url(self, path: str) -> str:
        """The address of something in the repository, e.g. ``blobs/sha256:..``."""
        return f"{self.base_url}/{self.repository.path}/{path}"

    def request(self, method: str, url: str, *, allowed: tuple[int, ...], failed: str, **options: Any) -> Any:
        """One request, tried again where that may help.

        Args:
            method: of HTTP.
            url: absolute.
            allowed: the statuses that the caller can use.
            failed: what could not be done, for the error.
            **options: of `requests`; a `data` that is read from must be bytes, as it may be sent twice.

        Raises:
            DeniedError, AbsentError, UnavailableError, ConfigurationError: by what the registry says.
        """
        import requests

        for attempt in range(_TRIES):
            try:
                answer = self._authorized(method, url, options)
            except requests.RequestException as error:
                if attempt == _TRIES - 1:
                    raise self.unreachable(failed, error) from error
                time.sleep(self._pause * 2**attempt)
                continue
            if answer.status_code in allowed:
                return answer
            if answer.status_code not in _AGAIN or attempt == _TRIES - 1:
                raise self.refused(failed, answer)
            time.sleep(_pause_of(answer, self._pause * 2**attempt))
        raise AssertionError("the last try returns or raises")

    def once(self, method: str, url: str, **options: Any) -> Any:
        """One request, tried once; the caller looks at the status. Raises requests.RequestException."""
        return self._authorized(method, url, options)

    def location(self, answer: Any) -> str:
        """Where an answer says to go on; the registry may name it without its host, or, behind a proxy, by plain HTTP.

        Raises:
            UnavailableError: it does not say.
        """
        if "Location" not in answer.headers:
            raise self.malformed("its answer has no Location")
        found, home = urlsplit(urljoin(answer.url, answer.headers["Location"])), urlsplit(self.base_url)
        return str(found._replace(scheme=home.scheme).geturl() if found.netloc == home.netloc else found.geturl())

    def malformed(self, why: str) -> UnavailableError:
        """The error of an answer that is against the specification."""
        fix = "Is there a proxy in between that answers for it? The registry's log says more."
        return UnavailableError("could not understand the registry", on=str(self.repository), why=why, fix=fix)

    def _authorized(self, method: str, url: str, options: dict[str, Any]) -> Any:
        """The log-in is for the registry alone: not for a storage that it sends us to, nor for what that asks for."""
        if not self._is_home(url):
            return self._send(method, url, options, None)
        sent = self._authenticator.header
        answer = self._send(method, url, options, sent)
        if answer.status_code == 401 and self._is_home(answer.url):
            challenge = ", ".join(answer.raw.headers.getlist("WWW-Authenticate"))
            if made := self._authenticator.answer(challenge, sent):
                return self._send(method, url, options, made)
        return answer

    def _is_home(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.base_url)[:2]

    def _send(self, method: str, url: str, options: dict[str, Any], header: str | None) -> Any:
        return self._http.request(method, url, auth=with_header(header), timeout=_TIMEOUT_SECONDS, **options)

    def unreachable(self, failed: str, error: Exception) -> UnavailableError:
        """The error when no answer comes."""
        why = f"no answer from {self.base_url} after {_TRIES} tries: {str(error)[:200]}"
        fix = "Is the registry running, and does the network let this worker reach it? The next try goes on from there."
        return UnavailableError(failed, on=str(self.repository), why=why, fix=fix)

    def refused(self, failed: str, answer: Any) -> SlipwayError:
        """The error that an answer with an unwanted status is."""
        code, on = answer.status_code, str(self.repository)
        why = f"the registry answered {code}{_detail(answer)}"
        if code in {401, 403}:
            who = "the log-in of its Airflow connection" if self._login else "an anonymous client"
            fix = "Name an Airflow connection of type docker that may push and pull in image.conn_id, or mend its password."
            return DeniedError(failed, on=on, why=f"{why} to {who}", fix=fix)
        if code == 404:
            return AbsentError(failed, on=on, why=why, fix="Check image.repository, or create the repository.")
        if code in _AGAIN:
            fix = "Look into the registry's log. Is its disk full?"
            return UnavailableError(failed, on=on, why=f"{why}, {_TRIES} times", fix=fix)
        fix = "Look the code up in the OCI distribution specification; the registry's log says more."
        return ConfigurationError(failed, on=on, why=why, fix=fix)


def _pause_of(answer: Any, default: float) -> float:
    """What the registry asks for in Retry-After (seconds), within reason."""
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_PAUSE_SECONDS) if asked.isdecimal() else default


def _detail(answer: Any) -> str:
    """The first error of an answer's body, cut short; nothing else of it, which may be a page of a proxy."""
    try:
        error = answer.json()["errors"][0]
        space = ", no space left on its disk" if _says_no_space(error.get("detail")) else ""
        return f" ({error['code']}: {str(error.get('message', ''))[:200]}{space})"
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _says_no_space(detail: Any) -> bool:
    """The usual registry gives the failed system call as a structure; 28 is ENOSPC."""
    inner = detail.get("Enclosed") if isinstance(detail, dict) else None
    found = inner if isinstance(inner, dict) else detail
    return isinstance(found, dict) and found.get("Err") == errno.ENOSPC
