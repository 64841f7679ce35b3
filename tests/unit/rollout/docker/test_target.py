"""Where an endpoint is found, and what is refused before anything is started."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.containers.engine_address import EngineAddress
from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.errors import ConfigurationError
from slipway.rollout.docker.engine import DockerEngine
from slipway.rollout.docker.proxy import Proxy
from slipway.rollout.docker.proxy_config import Route, Upstream
from slipway.rollout.docker.servers import Servers
from slipway.rollout.docker.spec import ProxySpec, ServerSpec
from slipway.rollout.docker.target import ContainerEndpoint

IMAGE, DIGEST = f"r.example.com/iris@sha256:{'a' * 64}", f"sha256:{'b' * 64}"
ACTIVE = Upstream("slipway-iris-0123456789ab", "172.18.0.3", IMAGE, DIGEST, 2)


def endpoint_at(url: str) -> ContainerEndpoint:
    hook = DockerEngineHook("none")
    hook.address = EngineAddress(url)  # a cached property: as if it had been read
    return ContainerEndpoint(DockerEngine(hook, "iris"), "iris")


@pytest.mark.parametrize(
    ("engine", "address", "expected"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1", "http://127.0.0.1:5000"),
        ("unix:///var/run/docker.sock", "0.0.0.0", "http://127.0.0.1:5000"),
        ("unix:///var/run/docker.sock", "10.0.0.7", "http://10.0.0.7:5000"),
        ("ssh://deploy@models.example.com", "0.0.0.0", "http://models.example.com:5000"),
        ("ssh://deploy@models.example.com", "127.0.0.1", "http://models.example.com:5000"),
        ("tcp://models.example.com:2376", "10.0.0.7", "http://10.0.0.7:5000"),
    ],
)
def test_the_endpoint_is_where_it_is_published(
    monkeypatch: pytest.MonkeyPatch, engine: str, address: str, expected: str
) -> None:
    monkeypatch.setattr(Proxy, "route", lambda _: Route(ACTIVE))
    monkeypatch.setattr(Proxy, "published", lambda _: (address, 5000))
    monkeypatch.setattr(Servers, "running", lambda _: set())
    active = endpoint_at(engine).find_active()
    assert active is not None
    assert active.endpoint == expected


def roll_out(endpoint: ContainerEndpoint, address: str) -> Any:
    spec = ServerSpec("iris", IMAGE, DIGEST, 1, None, 1024**3, 1.0)
    return endpoint.ensure_serving(spec, ProxySpec("iris", "nginx:1", address, 5000), keep=1)


@pytest.mark.parametrize("url", ["ssh://deploy@models.example.com", "tcp://10.0.0.5:2376"])
def test_another_host_s_loopback_is_refused_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(Proxy, "published", lambda _: None)
    monkeypatch.setattr(DockerEngineHook, "_connect", lambda *_: pytest.fail("the engine may not be asked"))
    endpoint, host = endpoint_at(url), EngineAddress(url).host
    with pytest.raises(ConfigurationError) as caught:
        roll_out(endpoint, "127.0.0.1")
    assert str(caught.value) == (
        f"could not open the endpoint: 127.0.0.1:5000 on {host}: 127.0.0.1 is that host's own loopback; nobody else reaches "
        "it. Set deploy.docker.address."
    )


class ReachedError(Exception):
    """The engine was asked."""


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1"),
        ("ssh://deploy@127.0.0.1:2222", "127.0.0.1"),
        ("ssh://deploy@localhost", "127.0.0.1"),
        ("ssh://deploy@models.example.com", "0.0.0.0"),
    ],
)
def test_nothing_else_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, address: str) -> None:
    def reached(*_: Any) -> None:
        raise ReachedError

    monkeypatch.setattr(Proxy, "published", lambda _: None)
    monkeypatch.setattr(DockerEngineHook, "_connect", reached)
    with pytest.raises(ReachedError):
        roll_out(endpoint_at(url), address)
