"""One request to the API through the official client, asked again while that can help."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.cluster.errors import translate
from slipway.cluster.patience import Patience
from slipway.cluster.status import ApiError, NoAnswerError, Status
from slipway.core.errors import UnavailableError

_log = logging.getLogger(__name__)

_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 40.0  # the API server itself gives up a change after 34 seconds
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Request:
    """What is asked; `body` is sent as JSON, which every content type of the API accepts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    accept: str = "application/json"

    def arguments(self, timeout: Any) -> dict[str, Any]:
        """For `call_api` of either official client: it adds the credentials and hands out the raw answer."""
        return {
            "resource_path": self.path,
            "method": self.method,
            "query_params": list(self.query.items()),
            "header_params": {"Accept": self.accept, "Content-Type": self.content_type},
            "body": self.body,
            "auth_settings": ["BearerToken"],
            "_preload_content": False,
            "_request_timeout": timeout,
        }


class Transport:
    """Sends requests with the credentials of a `kubernetes` ApiClient; connects on the first request.

    429, 500, 502, 503, 504 and broken connections are tried again, after as long as the API asks for, within the
    patience. Every request that we make may be repeated: applying, deleting by uid and reading change nothing twice.

    Args:
        client: an ApiClient, or what makes it; it is left as it is.
        patience: how long to try.
        clock: seconds, only ever rising.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        client: Any,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._given, self._own = client, None
        self._patience, self._clock, self._sleep = patience or Patience(), clock, sleep

    @property
    def client(self) -> Any:
        """An ApiClient of our own, with the given one's configuration."""
        if self._own is None:
            given = self._given() if callable(self._given) else self._given
            self._own = _without_retries(given)
        return self._own

    def send(self, request: Request) -> bytes:
        """The answer's body.

        Raises:
            ApiError: the API said no, or did so until the patience was over.
            NoAnswerError: there was no answer until then.
        """
        began, attempt, client = self._clock(), 0, self.client
        while True:
            attempt += 1
            try:
                return self._send_once(client, request)
            except (ApiError, NoAnswerError) as error:
                status = error.status if isinstance(error, ApiError) else None
                elapsed_seconds = self._clock() - began
                pause = self._patience.wait_seconds(attempt, elapsed_seconds, status) if may_pass(error) else None
                if pause is None:
                    note_tries(error, attempt, elapsed_seconds)
                    raise
                log_wait(request, error, pause)
                self._sleep(pause)

    @staticmethod
    def _send_once(client: Any, request: Request) -> bytes:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer = client.call_api(**request.arguments((_CONNECT_SECONDS, _ANSWER_SECONDS)))
            return bytes(answer.data)
        except ApiException as error:
            raise ApiError(Status.read(int(error.status or 0), error.body, error.headers)) from error
        except (HTTPError, OSError, UnicodeDecodeError) as error:
            raise NoAnswerError.of(error) from error


def may_pass(error: Exception) -> bool:
    """Whether asking again may help: an answer is judged by its status, a broken connection by what broke it."""
    return isinstance(error, ApiError) or isinstance(translate(error, "", ""), UnavailableError)


def note_tries(error: Exception, attempts: int, elapsed_seconds: float) -> None:
    """Remember in the error how often it was tried; `translate` tells."""
    if attempts > 1:
        error.add_note(f"tried {attempts} times in {elapsed_seconds:.0f} seconds")


def log_wait(request: Request, error: Exception, pause_seconds: float) -> None:
    """Say that the API did not answer, and when it is asked again."""
    said = str(error) if isinstance(error, ApiError) else translate(error, "", "").why
    _log.info("%s %s: %s; asking again in %.1f seconds.", request.method, request.path, said, pause_seconds)


def _without_retries(client: Any) -> Any:
    """A client like it whose HTTP library does not retry: it would wait for as long as any answer says, unseen."""
    from kubernetes.client import ApiClient
    from urllib3 import Retry

    configuration = copy.deepcopy(client.configuration)
    configuration.retries = Retry(0)
    own = ApiClient(configuration, cookie=client.cookie)
    own.default_headers = dict(client.default_headers) | {"User-Agent": "slipway"}
    return own
