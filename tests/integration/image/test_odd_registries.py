"""Registries that do what the specification allows and Debian's does not, or what it forbids: a scripted one, over a socket."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from slipway.containers import blob_upload
from slipway.containers.descriptor import OCI_INDEX, digest_of
from slipway.containers.registry import Registry
from slipway.containers.registry_login import Authenticator, Login
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import Repository
from slipway.core.errors import DeniedError, RejectedError, UnavailableError

RIGHT = "Basic c2xpcHdheTpyaWdodA=="  # slipway:right
DATA = b"layer" * 100
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str
    authorization: str | None
    body: bytes


@dataclass
class Answer:
    """What it says; `status` 0: it hangs up."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Scripted(http.server.ThreadingHTTPServer):
    """Answers as `script` says, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, script: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.asked = script, list[Request]()
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Request(self.command, self.path, self.headers.get("Authorization"), body)
        self.server.asked.append(asked)
        said = self.server.script(asked)
        if said.status == 0:
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in ({"Content-Length": str(len(said.body))} | said.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Quiet."""


Serve = Callable[[Callable[[Request], Answer]], Scripted]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Scripted] = []

    def start(script: Callable[[Request], Answer]) -> Scripted:
        running.append(Scripted(script))
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def client(server: Scripted, login: Login | None = None) -> Registry:
    return Registry(RegistrySession(Repository(server.address, "iris"), login, pause_seconds=0.01))


def push(registry: Registry, data: bytes = DATA) -> bool:
    return registry.push_blob(digest_of(data), io.BytesIO(data), len(data))


def test_the_log_in_goes_to_no_storage_that_the_registry_names(serve: Serve) -> None:
    elsewhere = serve(lambda _: Answer(201))

    def script(request: Request) -> Answer:
        if request.authorization != RIGHT:
            return Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
        if request.method == "POST":
            return Answer(202, {"Location": f"http://{elsewhere.address}/upload?signed=1"})
        return Answer(404)

    push(client(serve(script), Login("slipway", "right")))
    assert [(one.method, one.authorization) for one in elsewhere.asked] == [("PUT", None)]
    assert elsewhere.asked[0].path.startswith("/upload?signed=1&digest=sha256")


def test_nor_does_what_that_storage_asks_for_get_it(serve: Serve) -> None:
    thief = serve(lambda _: Answer(200, body=b'{"token": "x"}'))
    storage = serve(lambda _: Answer(401, {"WWW-Authenticate": f'Bearer realm="http://{thief.address}/steal"'}))
    server = serve(lambda _: Answer(307, {"Location": f"http://{storage.address}/blob"}))
    with pytest.raises(DeniedError):
        client(server, Login("slipway", "right")).read_blob(DIGEST)
    assert thief.asked == []
    assert all(one.authorization is None for one in storage.asked)


def test_reading_is_free_and_writing_is_not_for_several_threads_at_once(serve: Serve) -> None:
    both = threading.Barrier(2, timeout=20)

    def script(request: Request) -> Answer:
        if request.method == "HEAD":
            return Answer(404)
        if request.authorization != RIGHT:
            both.wait()  # neither has the header yet
            return Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
        return Answer(202, {"Location": "/v2/iris/blobs/uploads/1"}) if request.method == "POST" else Answer(201)

    registry, done = client(serve(script), Login("slipway", "right")), list[bool]()
    threads = [threading.Thread(target=lambda n=n: done.append(push(registry, DATA + bytes([n])))) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == [True, True]


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer realm="{url}",service="r",scope="a:pull b:pull", Basic realm="Gitea"',
        'Basic realm="Gitea", Bearer realm="{url}",service="r",scope="a:pull b:pull"',
        'bearer realm="{url}", service="r", scope="a:pull b:pull"',
    ],
)
def test_of_two_challenges_the_token_s_is_answered(serve: Serve, challenge: str) -> None:
    import requests

    server = serve(lambda _: Answer(200, body=b'{"access_token": "t"}'))
    url = f"http://{server.address}/token"
    made = Authenticator(requests.Session(), Login("ä", "€"), url, 5).answer(challenge.format(url=url), None)
    assert made == "Bearer t"
    [asked] = server.asked
    assert asked.path == "/token?service=r&scope=a%3Apull&scope=b%3Apull"
    assert asked.authorization == "Basic w6Q64oKs"


def test_a_token_server_that_says_later_is_asked_again(serve: Serve) -> None:
    tokens = serve(lambda _: Answer(503) if len(tokens.asked) < 3 else Answer(200, body=b'{"token": "t"}'))
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{tokens.address}/token",service="r",scope="x"'}
    server = serve(lambda request: Answer(200) if request.authorization == "Bearer t" else Answer(401, challenge))
    assert client(server).has_blob(DIGEST)
    assert len(tokens.asked) == 3


def test_the_answer_to_the_last_request_is_lost(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry has the blob; asked again it knows no upload any more."""
    monkeypatch.setattr(blob_upload, "CHUNK_BYTES", 100)
    stored: list[bytes] = []

    def script(request: Request) -> Answer:
        there = {"Location": "/v2/iris/blobs/uploads/1", "Range": f"0-{sum(map(len, stored)) + len(request.body) - 1}"}
        if request.method == "PUT":
            closed = script.closed  # type: ignore[attr-defined]
            script.closed = True  # type: ignore[attr-defined]
            return Answer(404) if closed else Answer(0)
        if request.method == "PATCH":
            stored.append(request.body)
            return Answer(202, there)
        if request.method == "HEAD":
            return Answer(200 if script.closed else 404)  # type: ignore[attr-defined]
        return Answer(202, {"Location": "/v2/iris/blobs/uploads/1"})

    script.closed = False  # type: ignore[attr-defined]
    assert push(client(serve(script)))
    assert b"".join(stored) == DATA


def test_a_registry_that_takes_pieces_and_has_nothing_of_them(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_upload, "CHUNK_BYTES", 100)
    monkeypatch.setattr(blob_upload.time, "sleep", lambda _: None)

    def script(request: Request) -> Answer:
        if request.method == "HEAD":
            return Answer(404)
        status = 204 if request.method == "GET" else 202
        return Answer(status, {"Location": "/v2/iris/blobs/uploads/1", "Range": "0-0"})

    with pytest.raises(UnavailableError, match="the upload broke 5 times in a row after 0 of 500 bytes"):
        push(client(serve(script)))


def test_referrers_come_in_pages(serve: Serve) -> None:
    def script(request: Request) -> Answer:
        page = int(request.path.partition("page=")[2] or 0)
        body = json.dumps({"manifests": [{"digest": f"sha256:{page}", "artifactType": "t"}, "nonsense", {}]}).encode()
        link = {"Link": f'</v2/iris/referrers/{DIGEST}?page={page + 1}>; rel="next"'} if page < 2 else {}
        return Answer(200, {"Content-Type": OCI_INDEX, **link}, body)

    found = client(serve(script)).referrers(DIGEST)
    assert [one["digest"] for one in found] == ["sha256:0", "sha256:1", "sha256:2"]


def test_a_manifest_without_an_end_is_not_taken_into_memory(serve: Serve) -> None:
    server = serve(lambda _: Answer(200, body=b"x" * 5_000_000))
    with pytest.raises(RejectedError, match="it is larger than 4,194,304 bytes"):
        client(server).find_manifest("latest")


def test_a_layer_that_breaks_off(serve: Serve) -> None:
    server = serve(lambda _: Answer(200, {"Content-Length": "1000", "Connection": "close"}, b"only this"))
    with (
        pytest.raises(UnavailableError, match="could not read from the registry"),
        client(server).open_blob(DIGEST) as stream,
    ):
        stream.read(2000)


@pytest.mark.parametrize(
    "body", [b'{"errors": ["x"]}', b'{"errors": [{"code": "E", "detail": {"Enclosed": "y"}}]}', b"[]", b"<html>"]
)
def test_an_error_page_of_any_form_is_an_error_of_ours(serve: Serve, body: bytes) -> None:
    with pytest.raises(DeniedError, match="the registry answered 403"):
        client(serve(lambda _: Answer(403, body=body))).read_blob(DIGEST)


def test_an_upload_without_a_location(serve: Serve) -> None:
    server = serve(lambda request: Answer(404) if request.method == "HEAD" else Answer(202))
    with pytest.raises(UnavailableError, match="its answer has no Location"):
        push(client(server))
