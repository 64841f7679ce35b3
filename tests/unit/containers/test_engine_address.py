"""Where a connection leads, and which ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.containers.engine_address import EngineAddress, engine_address
from slipway.core.errors import ConfigurationError

TLS = {"ca_cert": "/tls/ca.pem", "client_cert": "/tls/cert.pem", "client_key": "/tls/key.pem"}


@pytest.mark.parametrize(
    ("host", "login", "port", "url", "found_host"),
    [
        ("unix:///var/run/docker.sock", None, None, "unix:///var/run/docker.sock", "127.0.0.1"),
        ("ssh://deploy@10.0.0.5", None, None, "ssh://deploy@10.0.0.5", "10.0.0.5"),
        ("ssh://10.0.0.5", "deploy", 2222, "ssh://deploy@10.0.0.5:2222", "10.0.0.5"),
        ("ssh://root@models.example.com:22/", "deploy", 2222, "ssh://root@models.example.com:22", "models.example.com"),
        ("tcp://10.0.0.5", "ignored", 2376, "tcp://10.0.0.5:2376", "10.0.0.5"),
    ],
)
def test_an_engine(host: str, login: str | None, port: int | None, url: str, found_host: str) -> None:
    found = engine_address("c", host, login, port, TLS)
    assert (found.url, found.host) == (url, found_host)
    assert (found.tls_files is not None) is url.startswith("tcp")


@pytest.mark.parametrize(
    ("host", "extra", "why"),
    [
        (None, {}, "its host is empty"),
        ("10.0.0.5", {}, r"its host is 10\.0\.0\.5"),
        ("unix://var/run/docker.sock", {}, "its host is unix"),
        ("http://10.0.0.5:2375", TLS, "its host is http"),
        ("ssh://deploy@", {}, "its host is ssh"),
        ("ssh://h/some/path", {}, "its host is ssh"),
        ("ssh://h:99999", {}, "its host is no address"),
        ("tcp://10.0.0.5:2375", {}, "its extra lacks ca_cert, client_cert, client_key; without TLS"),
        (
            "tcp://10.0.0.5:2375",
            {"ca_cert": "/ca"},
            "its extra lacks .* whoever reaches that port is root on the host",
        ),
    ],
)
def test_no_engine(host: str | None, extra: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"could not use the Docker engine: connection c: {why}"):
        engine_address("c", host, None, None, extra)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="its host holds a password") as caught:
        engine_address("c", "ssh://deploy:hunter2@10.0.0.5", None, None, {})
    assert "hunter2" not in str(caught.value)


def test_what_a_person_types_to_come_to_the_same_place() -> None:
    assert EngineAddress("ssh://deploy@h:2222").ssh_arguments == "-p 2222 deploy@h"
    assert EngineAddress("ssh://h").ssh_arguments == "h"
    assert EngineAddress("ssh://deploy@h").keyscan_arguments == "h"
