"""nginx's configuration: nothing but names, addresses and digests gets into it, and the route can be read back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from slipway.core.errors import ConfigurationError
from slipway.rollout.docker.proxy_config import Route, Upstream, parse_loaded, parse_proxy_config, proxy_config
from slipway.rollout.served import check_image

IMAGE = f"registry.example.com:5000/team/iris@sha256:{'a' * 64}"
ACTIVE = Upstream("slipway-iris-0123456789ab", "172.18.0.3", IMAGE, f"sha256:{'b' * 64}", 2)
ROUTE = Route(ACTIVE, ("slipway-iris-ba9876543210",))


@pytest.mark.parametrize("route", [Route(), Route(ACTIVE), ROUTE])
def test_a_route_can_be_read_back(route: Route) -> None:
    assert parse_proxy_config(proxy_config(route), "proxy") == route


def test_requests_go_to_the_active_container_only() -> None:
    text = proxy_config(ROUTE)
    assert "server 172.18.0.3:8080 max_fails=0;" in text
    assert "worker_processes 2;" in text
    assert f"return 200 '{ROUTE.text}';" in text
    assert text.count("upstream model") == 1
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text, "what clients claim is not passed on"
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in text
    assert text.count("{") == text.count("}")
    nowhere = proxy_config(Route())
    assert "proxy_pass" not in nowhere
    assert nowhere.count("return 503") == 1


@pytest.mark.parametrize("route", [Route(), Route(ACTIVE), ROUTE])
def test_what_nginx_has_loaded_can_be_read(route: Route) -> None:
    assert parse_loaded(route.text) == route


@pytest.mark.parametrize(
    "text", ["", "route-0123456789abcdef", "[]", "{}", "null", '{"active": 1, "served_before": []}']
)
def test_what_is_no_route_is_not_taken_for_one(text: str) -> None:
    assert parse_loaded(text) is None


def test_nginx_takes_the_text_of_a_route_as_it_is() -> None:
    full = Route(ACTIVE, tuple(f"slipway-{'m' * 63}-{number:012d}" for number in range(20)))
    assert not set("'$\\\n") & set(full.text)
    assert len(full.text) < 4096  # the longest parameter that nginx reads


EVIL = ["", "x; }", 'x"', "x'", "x\n", "a b", "$host", "{{0}}", "x\\", "# x", "é", "../x", "-x"]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("field", ["container", "address", "image", "digest"])
def test_nothing_else_gets_into_the_text(field: str, evil: str) -> None:
    good = getattr(ACTIVE, field)
    for text in (evil, f"{good}{evil}" if evil else "", f"{good}\n"):
        if text in {good, f"{good}-x"}:
            continue  # "-x" behind a name is a name
        with pytest.raises(ConfigurationError, match="could not roll out: "):
            proxy_config(Route(replace(ACTIVE, **{field: text})))


@pytest.mark.parametrize("evil", EVIL)
def test_nor_into_the_names_of_those_before(evil: str) -> None:
    with pytest.raises(ConfigurationError, match="it is no container"):
        proxy_config(Route(ACTIVE, (evil,)))


@pytest.mark.parametrize("workers", [0, 65, True, "2; }", 1.5])
def test_nor_as_a_number(workers: Any) -> None:
    with pytest.raises(ConfigurationError, match="it is no workers"):
        proxy_config(Route(replace(ACTIVE, workers=workers)))


@pytest.mark.parametrize(
    "address", ["1.2.3", "01.2.3.4", "256.1.1.1", "::1", "1.2.3.4:80", "localhost", "1.2.3.4 ", "1.2.3.4/8"]
)
def test_an_address_is_four_numbers(address: str) -> None:
    with pytest.raises(ConfigurationError, match="it is no address"):
        proxy_config(Route(replace(ACTIVE, address=address)))


@pytest.mark.parametrize(
    "image",
    [
        "iris",
        "registry.example.com/iris",
        "registry.example.com/iris:1",
        f"iris@sha256:{'a' * 64}",
        f"{IMAGE[:-1]}",
        f"{IMAGE}a",
    ],
)
def test_an_image_without_registry_or_digest_is_never_deployed(image: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"it is no image\. An image is <registry>/<path>@sha256:<64 hex digits>"
    ):
        check_image(image, ACTIVE.digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "worker_processes 1;",
        "# slipway {",
        "# slipway []",
        "# slipway {}",
        '# slipway {"active": {"container": "x"}, "served_before": []}',
        proxy_config(ROUTE).replace("172.18.0.3", "evil", 1),
    ],
)
def test_an_edited_configuration_is_not_guessed_at(text: str) -> None:
    with pytest.raises(ConfigurationError, match="could not read which version is in service: proxy: "):
        parse_proxy_config(text, "proxy")


def test_the_route_remembers_who_served_before_once() -> None:
    route = Route()
    for name in ("a", "b", "a", "c", "c"):
        route = route.switched(replace(ACTIVE, container=name))
    assert route.active is not None
    assert (route.active.container, route.served_before) == ("c", ("a", "b"))
    for number in range(40):
        route = route.switched(replace(ACTIVE, container=f"n{number}"))
    assert len(route.served_before) == 20


def test_a_rejected_version_is_not_remembered() -> None:
    route = Route(replace(ACTIVE, container="rejected"), ("champion", "older"))
    assert route.switched(replace(ACTIVE, container="champion"), rejects=True).served_before == ("older",)
    again = Route(replace(ACTIVE, container="rejected"), ("champion", "rejected"))
    assert again.switched(replace(ACTIVE, container="champion"), rejects=True).served_before == ()
