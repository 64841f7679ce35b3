"""The golden-row check of a public address that comes into being part by part, through the task and its trigger."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.serde import deserialize, serialize

from slipway.core.deploy_section import KubernetesTarget
from slipway.core.errors import ConflictError, RejectedError, RolloutError, UnavailableError
from slipway.core.model_file import Access
from slipway.release.ledger import Ledger
from slipway.verification.cluster_operators import VerifyServiceOperator
from slipway.verification.public_address import Lag, find_lag
from slipway.verification.trigger import PublicEndpointTrigger
from tests.cluster.tls import Certificate
from tests.integration.verification.endpoints import Reply, as_trained, endpoint
from tests.integration.verification.test_verify_endpoint import FLOWERS, GOLDEN, store_bundle
from tests.kube_api import KubeApi, kube_api, kubeconfig, status

ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/models/httproutes"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/models/gateways"
OURS = {"labels": {"slipway.dev/model": "iris"}}
EXPOSE = {"gateway": {"host": "iris.example.com", "class_name": "envoy"}}
SHORT, LONG = 0.003, 1.0  # minutes
OLD = "sha256:0ld"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.verification.trigger.POLL_SECONDS", 0.02)


@pytest.fixture
def bundle(tmp_path: Path) -> dict[str, str]:
    return store_bundle(tmp_path)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    with kube_api() as running:
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig(running))}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        yield running


@dataclass
class Check:
    """The task of one address, and what became of it."""

    operator: VerifyServiceOperator

    def deferred(self) -> TaskDeferred:
        with pytest.raises(TaskDeferred) as parked:
            self.operator.execute({})
        return parked.value

    def trigger(self) -> PublicEndpointTrigger:
        """As the triggerer has it: made again from its arguments."""
        path, arguments = self.deferred().trigger.serialize()
        assert path == "slipway.verification.trigger.PublicEndpointTrigger"
        again = PublicEndpointTrigger(**through_serde(arguments))
        assert again.serialize() == (path, arguments)
        return again

    def conclude(self, event: dict[str, Any]) -> dict[str, Any]:
        found = self.operator.conclude({}, event)
        assert json.loads(json.dumps(found)) == found
        return found

    def waited_for(self) -> dict[str, Any]:
        """The task's result when its trigger has fired."""
        return self.conclude(fired(self.trigger()))


def through_serde(value: Any) -> Any:
    """As it comes back from Airflow's database."""
    return deserialize(json.loads(json.dumps(serialize(value), allow_nan=False)))


async def first_event(trigger: PublicEndpointTrigger) -> Any:
    return (await anext(aiter(trigger.run()))).payload


def fired(trigger: PublicEndpointTrigger) -> dict[str, Any]:
    return through_serde(asyncio.run(asyncio.wait_for(first_event(trigger), 60)))


def check(root: Path, url: str, minutes: float = LONG, expose: Any = None, **given: Any) -> Check:
    where = {"endpoint": url, "reach": "public", "summary": "as it was"}
    shown = {name: {**where, **value} if name == "restored" else value for name, value in given.items()}
    operator = VerifyServiceOperator(
        task_id="verify_endpoint",
        model="iris",
        store=str(root),
        target=KubernetesTarget(namespace="models", timeout_minutes=minutes, expose=expose or EXPOSE),
        access=Access(open=True),
        rollout=None if "restored" in given else where,
        **shown,
    )
    operator.run_id = operator.render_template(operator.run_id, {"run_id": "r1"})
    return Check(operator)


def one_after_the_other(*replies: Callable[[str, Any], Reply] | Reply) -> Callable[[str, Any], Reply]:
    """The last one stays."""
    left = list(replies)

    def reply(path: str, asked: Any) -> Reply:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now if isinstance(now, tuple) else now(path, asked)

    return reply


def proxy(code: int, text: bytes = b"<html>default backend") -> Reply:
    return code, {}, text


def turn_of(root: Path, run: str) -> Any:
    return Ledger.open(str(root), "iris").turn(run)


def test_an_address_that_answers_at_once_is_not_waited_for(tmp_path: Path, bundle: dict[str, str]) -> None:
    with endpoint(as_trained(GOLDEN, bundle["digest"], FLOWERS)) as url:
        found = check(tmp_path, url, bundle=bundle).operator.execute({})
    assert found["summary"] == f"2 golden rows answered as in training by {url}"


def test_a_proxy_that_is_not_ready_and_pods_that_go_are_waited_for(tmp_path: Path, bundle: dict[str, str]) -> None:
    old, new = (as_trained(GOLDEN, digest, FLOWERS) for digest in (OLD, bundle["digest"]))
    refused_by_old = (401, {"Slipway-Bundle": OLD}, b"unknown key")
    before = [proxy(404), proxy(503), proxy(502), proxy(504), proxy(500), proxy(200), old, refused_by_old]
    with endpoint(one_after_the_other(*before, new)) as url:
        found = check(tmp_path, url, bundle=bundle).waited_for()
    assert found == {
        "endpoint": url,
        "rows": 2,
        "digest": bundle["digest"],
        "changed": False,
        "summary": f"2 golden rows answered as in training by {url}",
    }


def test_undo_waits_for_the_champion_in_the_same_way(tmp_path: Path, bundle: dict[str, str]) -> None:
    failed, champion = (as_trained(GOLDEN, digest, FLOWERS) for digest in (OLD, bundle["digest"]))
    with endpoint(one_after_the_other(proxy(503), failed, champion)) as url:
        restored = {"champion": bundle["digest"], "key": bundle["key"]}
        found = check(tmp_path, url, restored=restored).waited_for()
    assert (found["rows"], found["digest"]) == (2, bundle["digest"])


def test_a_port_that_is_opened_later_is_waited_for(tmp_path: Path, bundle: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    waiting = check(tmp_path, f"http://127.0.0.1:{port}", bundle=bundle)
    trigger = waiting.trigger()
    with endpoint(as_trained(GOLDEN, bundle["digest"], FLOWERS), port):
        assert waiting.conclude(fired(trigger))["rows"] == 2


def test_a_certificate_that_comes_later_is_waited_for(
    tmp_path: Path, bundle: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, trusted = Certificate("127.0.0.1"), tmp_path / "authority.pem"
    with endpoint(as_trained(GOLDEN, bundle["digest"], FLOWERS), tls=certificate.context()) as url:
        waiting = check(tmp_path, url, bundle=bundle)
        trigger = waiting.trigger()
        trusted.write_bytes(base64.b64decode(certificate.authority_base64))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert waiting.conclude(fired(trigger))["rows"] == 2


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ((422, b'{"error": "row 1: b may not be null"}'), r"status 422: .*row 1: b may not be null"),
        ((401, b"unknown key"), "status 401: unknown key"),
        ((500, b"the model cannot"), "status 500: the model cannot"),
        ((200, b'{"prediction": ["rose", "rose"]}'), r"answered 'rose', training predicted 'tulip'"),
        ((200, b"{"), "its answer is no JSON"),
    ],
)
def test_a_wrong_answer_of_the_right_bundle_is_not_waited_out(
    tmp_path: Path, bundle: dict[str, str], reply: tuple[int, bytes], text: str
) -> None:
    wrong = (reply[0], {"Slipway-Bundle": bundle["digest"]}, reply[1])
    with endpoint(lambda _path, _asked: wrong) as url, pytest.raises(RolloutError, match=text):
        check(tmp_path, url, bundle=bundle).operator.execute({})
    with endpoint(one_after_the_other(proxy(503), wrong)) as url, pytest.raises(RolloutError, match=text):
        check(tmp_path, url, bundle=bundle).waited_for()


def test_a_refusal_by_something_in_between_is_not_waited_out(tmp_path: Path, bundle: dict[str, str]) -> None:
    with (
        endpoint(lambda _path, _asked: proxy(403, b"by our policy")) as url,
        pytest.raises(RolloutError, match="status 403: by our policy"),
    ):
        check(tmp_path, url, bundle=bundle).operator.execute({})


def test_a_key_that_asked_too_often_is_another_try_of_the_task(tmp_path: Path, bundle: dict[str, str]) -> None:
    often = (429, {"Slipway-Bundle": bundle["digest"]}, b"again in 1 s")
    with (
        endpoint(one_after_the_other(proxy(404), often)) as url,
        pytest.raises(UnavailableError, match=r"status 429: .*access\.requests_per_second"),
    ):
        check(tmp_path, url, bundle=bundle).waited_for()


def test_a_bundle_that_was_tampered_with_meanwhile_is_never_put(tmp_path: Path, bundle: dict[str, str]) -> None:
    with endpoint(lambda _path, _asked: proxy(404)) as url:
        waiting = check(tmp_path, url, bundle=bundle)
        trigger = waiting.trigger()
        (tmp_path / "iris" / "models" / "m1" / "golden.json").write_text("{}")
        with pytest.raises(RejectedError, match="it is not the one that was trained"):
            waiting.conclude(fired(trigger))


def test_an_address_that_never_leads_there_is_given_up_with_what_the_route_says(
    tmp_path: Path, bundle: dict[str, str], api: KubeApi
) -> None:
    told = {"type": "Accepted", "status": "True", "reason": "Accepted"}
    api.put(
        f"{GATEWAYS}/iris", {"metadata": OURS, "status": {"conditions": [told], "addresses": [{"value": "10.0.0.7"}]}}
    )
    refused = {"type": "Accepted", "status": "False", "reason": "NotAllowedByListeners", "message": "not from here"}
    api.put(f"{ROUTES}/iris", {"metadata": OURS, "status": {"parents": [{"conditions": [refused]}]}})
    with endpoint(lambda _path, _asked: proxy(404)) as url, pytest.raises(RolloutError) as caught:
        check(tmp_path, url, SHORT, bundle=bundle).waited_for()
    assert str(caught.value) == (
        f"could not verify the endpoint: {url}: what answers does not lead to the model, and that did not change in "
        "0.003 min (timeout_minutes); last seen: status 404: <html>default backend; HTTPRoute/iris: Accepted is False, "
        "NotAllowedByListeners: not from here. Do the Gateway's listeners take it? kubectl describe httproute iris -n "
        "models says more."
    )


def test_a_name_that_dns_does_not_know_is_put_down_to_the_gateway_that_has_no_address(
    tmp_path: Path, bundle: dict[str, str], api: KubeApi
) -> None:
    pending = {"type": "Programmed", "status": "False", "reason": "AddressNotAssigned", "message": "none is free"}
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted"}
    spec = {"gatewayClassName": "envoy"}
    api.put(f"{GATEWAYS}/iris", {"metadata": OURS, "spec": spec, "status": {"conditions": [accepted, pending]}})
    with pytest.raises(RolloutError) as caught:
        check(tmp_path, "http://iris.invalid", SHORT, bundle=bundle).waited_for()
    assert "http://iris.invalid: DNS does not know its name" in str(caught.value)
    assert "Gateway/iris: it has no address: Programmed is False, AddressNotAssigned: none is free" in str(caught.value)


def test_a_certificate_of_nobody_we_know_is_named_with_where_to_look(
    tmp_path: Path, bundle: dict[str, str], api: KubeApi
) -> None:
    ingress = {"metadata": OURS, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}]}}}
    api.put("/apis/networking.k8s.io/v1/namespaces/models/ingresses/iris", ingress)
    expose = {"ingress": {"host": "iris.example.com", "class_name": "nginx", "issuer": "letsencrypt"}}
    with (
        endpoint(as_trained(GOLDEN, bundle["digest"], FLOWERS), tls=Certificate("127.0.0.1").context()) as url,
        pytest.raises(RolloutError, match=r"its certificate is not there.*self-signed certificate") as caught,
    ):
        check(tmp_path, url, SHORT, expose, bundle=bundle).waited_for()
    assert str(caught.value).endswith("kubectl describe certificate iris-tls -n models")


def test_a_cluster_that_says_no_does_not_hide_what_was_seen(
    tmp_path: Path, bundle: dict[str, str], api: KubeApi
) -> None:
    api.on("GET", GATEWAYS, status(403, "Forbidden", "gateways is forbidden"))
    old = as_trained(GOLDEN, OLD, FLOWERS)
    with endpoint(old) as url, pytest.raises(RolloutError) as caught:
        check(tmp_path, url, SHORT, bundle=bundle).waited_for()
    assert f"last seen: bundle {OLD} answered, expected {bundle['digest']}; could not list the Gateways" in str(
        caught.value
    )


def test_the_deadline_is_counted_from_the_start_and_the_deferral_outlasts_it(
    tmp_path: Path, bundle: dict[str, str]
) -> None:
    before = time.time()
    with endpoint(lambda _path, _asked: proxy(404)) as url:
        parked = check(tmp_path, url, 10, bundle=bundle).deferred()
    assert before + 600 <= parked.trigger.serialize()[1]["deadline"] <= time.time() + 600
    assert parked.timeout is not None
    assert parked.timeout > timedelta(minutes=10)


def test_the_turn_is_renewed_all_through_the_wait(
    tmp_path: Path, bundle: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.release.turn_trigger.RENEW_SECONDS", 0.05)
    leases, answer = set[Any](), as_trained(GOLDEN, bundle["digest"], FLOWERS)

    def reply(path: str, asked: Any) -> Reply:
        leases.add(turn_of(tmp_path, "other").other_holder())
        return answer(path, asked) if len(leases) > 3 else proxy(404)

    with endpoint(reply) as url:
        check(tmp_path, url, bundle=bundle).waited_for()
    assert {lease.run_id for lease in leases if lease} == {"r1"}


def test_a_turn_that_another_run_has_ends_the_wait(tmp_path: Path, bundle: dict[str, str]) -> None:
    assert turn_of(tmp_path, "r2").take()
    with (
        endpoint(lambda _path, _asked: proxy(404)) as url,
        pytest.raises(ConflictError, match="it is the turn of run r2"),
    ):
        check(tmp_path, url, bundle=bundle).waited_for()


@contextmanager
def hangs_up() -> Iterator[str]:
    """Accepts every connection and resets it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            connection.recv(1)
            connection.close()  # with bytes that were not read: a reset

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_which_part_is_missing_is_told_apart() -> None:
    with hangs_up() as url:
        reset = find_lag(GOLDEN, "sha256:1", url)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = find_lag(GOLDEN, "sha256:1", f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.1)
    refused, plain = (find_lag(GOLDEN, "sha256:1", "http://127.0.0.1:9"), Lag("connection", "timed out"))
    assert (reset and reset.part, refused and refused.part, slow) == ("connection", "connection", plain)
    unknown = find_lag(GOLDEN, "sha256:1", "https://iris.invalid")
    assert unknown is not None
    assert unknown.part == "name"
