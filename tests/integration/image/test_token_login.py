"""A registry that sends its clients to a token server, as Docker Hub, GitHub, GitLab and Google do."""

from __future__ import annotations

import base64
import datetime
import http.server
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from slipway.containers.descriptor import digest_of
from slipway.containers.registry import Registry
from slipway.containers.registry_login import Login
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import Repository
from slipway.core.errors import DeniedError
from tests.docker_host import registry


class TokenServer(http.server.ThreadingHTTPServer):
    """Gives whoever knows the password a token for the scope that was asked for; counts them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.scopes: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def token(self, scope: str) -> str:
        self.scopes.append(scope)
        kind, name, actions = scope.split(":")
        now = int(time.time())
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        claims: dict[str, Any] = {
            "iss": "test-issuer",
            "sub": "slipway",
            "aud": "test-service",
            "exp": now + 60,
            "nbf": now - 10,
            "iat": now,
            "jti": str(len(self.scopes)),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        return jwt.encode(claims, self.key, "ES256", headers={"x5c": [base64.b64encode(der).decode()]})


class _Handler(http.server.BaseHTTPRequestHandler):
    server: TokenServer

    def do_GET(self) -> None:
        right = "Basic " + base64.b64encode(b"slipway:right").decode()
        if self.headers.get("Authorization") != right:
            self.send_error(401)
            return
        body = json.dumps({"token": self.server.token(parse_qs(urlsplit(self.path).query)["scope"][0])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    server = TokenServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(tokens: TokenServer, tmp_path: Path) -> Iterator[str]:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(tokens.certificate.public_bytes(serialization.Encoding.PEM))
    realm = f"http://127.0.0.1:{tokens.server_port}/token"
    auth = f'{{realm: "{realm}", service: test-service, issuer: test-issuer, rootcertbundle: "{bundle}"}}'
    with registry(tmp_path / "r", auth=f"token: {auth}") as running:
        yield running.address


def client(address: str, password: str) -> Registry:
    return Registry(RegistrySession(Repository(address, "team/iris"), Login("slipway", password), pause_seconds=0.01))


def test_a_token_is_fetched_for_what_is_done_and_used_again(address: str, tokens: TokenServer) -> None:
    to, data = client(address, "right"), b"layer" * 1000
    assert to.push_blob(digest_of(data), io.BytesIO(data), len(data))
    assert to.read_blob(digest_of(data)) == data
    # Reading wants less than writing: one token for each, and no third for reading again.
    assert [set(scope.rpartition(":")[2].split(",")) for scope in tokens.scopes] == [{"pull"}, {"pull", "push"}]


def test_a_wrong_password(address: str, tokens: TokenServer) -> None:
    with pytest.raises(DeniedError) as raised:
        client(address, "wr0ng").has_blob("sha256:" + "0" * 64)
    assert "answered 401" in str(raised.value)
    assert "wr0ng" not in str(raised.value)
    assert tokens.scopes == []


def test_a_password_goes_to_no_server_that_is_reached_less_safely(tokens: TokenServer) -> None:
    from slipway.containers.registry_login import Authenticator

    asked: list[str] = []

    class Session:
        def get(self, url: str, **_: Any) -> Any:
            asked.append(url)

    challenge = f'Bearer realm="http://127.0.0.1:{tokens.server_port}/token",service="s"'
    found = Authenticator(Session(), Login("slipway", "right"), "https://registry.example.com/v2", 5).answer(
        challenge, None
    )
    assert (found, asked) == (None, [])
