"""`image:` and `deploy: docker` through a real scheduler, registry and engine: the main job as a platform team runs it."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.containers.repository import split_image
from tests.docker_host import ENGINE_URL, NGINX_IMAGE, PYTHON_IMAGE, Registry, free_port, registry, require_engine
from tests.system.conftest import Embedded
from tests.system.test_delivery import ask

# Where a task process dies, and how often its rollout or push has been done when it does.
MOMENTS = {
    "layer-pushed": ("image.build_image", "Registry.push_blob", "after"),
    "image-pushed": ("image.build_image", "Registry.put_manifest", "after"),
    "proxy-made": ("rollout.roll_out_docker", "Proxy.ensure", "after"),
    "server-started": ("rollout.roll_out_docker", "Servers.ensure_running", "after"),
    "route-written": ("rollout.roll_out_docker", "Proxy.write", "after"),
    "proxy-reloaded": ("rollout.roll_out_docker", "Proxy.reload", "after"),
}


@pytest.fixture(scope="module")
def engine() -> Any:
    return require_engine(PYTHON_IMAGE, NGINX_IMAGE)


@pytest.fixture(scope="module")
def images(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry") / "r") as running:
        yield running


@pytest.fixture(scope="module")
def docker_models(embedded: Embedded, engine: Any, images: Registry) -> Iterator[dict[str, int]]:
    """A model per moment and a clean one, each with a public port of its own; their containers go in the end."""
    ports = {f"docker-{name}": free_port() for name in ("clean", *MOMENTS)}
    for name, port in ports.items():
        add(embedded, images, name, port)
    yield ports
    for name in ports:
        remove(engine, name)


def add(embedded: Embedded, images: Registry, name: str, port: int, *more: tuple[str, str]) -> None:
    image = f"{{repository: {images.address}/models/{name}, engine_conn_id: docker_default}}"
    embedded.copy_model(
        name,
        "iris",
        ("deploy:\n", f"image: {image}\ndeploy:\n"),
        ("process: {port: 0, workers: 1}", f"docker: {{port: {port}, workers: 1}}"),
        *more,
    )


def remove(engine: Any, model: str) -> None:
    label = {"label": f"slipway.model={model}"}
    for container in engine.containers.list(all=True, filters=label):
        container.remove(force=True, v=True)
    for network in engine.networks.list(filters=label):
        network.remove()
    for volume in engine.volumes.list(filters=label):
        volume.remove(force=True)


@pytest.fixture(scope="module")
def ended(embedded: Embedded, docker_models: dict[str, int]) -> dict[str, dict[str, Any]]:
    """A clean run, which builds the serving base, then one killed run per moment; their task instances."""
    embedded.command("demo", "iris")  # the example data is there from then on
    runs = {"clean": embedded.trigger("docker-clean")}
    done = {"clean": embedded.wait("docker-clean", runs["clean"], 400)}
    for name, (task, call, when) in MOMENTS.items():
        plan = Path(os.environ["SLIPWAY_TEST_KILL_PLANS"]) / f"deliver_docker-{name}.json"
        plan.write_text(json.dumps({"task": task, "call": call, "when": when}))
        runs[name] = embedded.trigger(f"docker-{name}")
    return done | {name: embedded.wait(f"docker-{name}", runs[name], 400) for name in MOMENTS}


def test_the_public_port_answers_from_a_container_named_by_digest(
    embedded: Embedded, ended: dict[str, dict[str, Any]], docker_models: dict[str, int], engine: Any
) -> None:
    tasks = ended["clean"]
    assert tasks[""]["state"] == "success", [name for name, task in tasks.items() if task["state"] == "failed"]
    order = ["ensure_base_image", "build_image", "roll_out_docker", "verify_endpoint"]
    found = [next(task for name, task in tasks.items() if name.endswith(one)) for one in order]
    assert [task["state"] for task in found] == ["success"] * 4
    assert ask(f"http://127.0.0.1:{docker_models['docker-clean']}", [5.1, 3.5, 1.4, 0.2]) == "setosa"
    release = embedded.ledger("docker-clean").champion_release()
    assert release is not None
    [target] = release.targets
    assert release.image == target["image"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+/models/docker-clean@sha256:[0-9a-f]{64}", release.image or "")
    assert engine.containers.get(target["container"]).attrs["Config"]["Image"] == release.image


def test_the_same_again_changes_nothing(
    embedded: Embedded, ended: dict[str, dict[str, Any]], docker_models: dict[str, int], engine: Any
) -> None:
    before = containers(engine, "docker-clean")
    done = embedded.command("demo", "docker-clean")
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "already there: the serving base",
        "already in the registry, nothing to build",
        "already serving, nothing to roll out",
        "already in service: release 1",
    ):
        assert said in done.stdout
    assert containers(engine, "docker-clean") == before


def containers(engine: Any, model: str) -> dict[str, tuple[str, str]]:
    found = engine.containers.list(all=True, filters={"label": f"slipway.model={model}"})
    return {one.attrs["Config"]["Labels"]["slipway.role"]: (one.id, one.status) for one in found}


@pytest.mark.parametrize("name", MOMENTS)
def test_a_killed_task_is_retried_and_ends_like_a_clean_run(
    embedded: Embedded, ended: dict[str, dict[str, Any]], docker_models: dict[str, int], engine: Any, name: str
) -> None:
    tasks, model = ended[name], f"docker-{name}"
    assert (Path(os.environ["SLIPWAY_TEST_KILL_PLANS"]) / f"deliver_{model}.done").exists(), "nothing was killed"
    assert tasks[MOMENTS[name][0]]["try_number"] == 2
    assert tasks[""]["state"] == "success"
    assert {role: status for role, (_, status) in containers(engine, model).items()} == {
        "server": "running",
        "proxy": "running",
    }
    found = engine.containers.list(all=True, filters={"label": f"slipway.model={model}"})
    assert len(found) == 2  # no orphan
    release = embedded.ledger(model).champion_release()
    assert release is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{docker_models[model]}/v2/health/ready") as answer:
        assert answer.headers["Slipway-Bundle"] == release.bundle_digest
    clean = embedded.ledger("docker-clean").champion_release()
    assert clean is not None
    assert len(list(embedded.ledger(model).releases())) == len(list(embedded.ledger("docker-clean").releases())) == 1


def test_a_failure_after_the_rollout_brings_the_champion_s_image_back(
    embedded: Embedded, ended: dict[str, dict[str, Any]], docker_models: dict[str, int], images: Registry, engine: Any
) -> None:
    """Another model version rolls out, then a security group that somebody else made stops the run."""
    model, port = "docker-clean", docker_models["docker-clean"]
    before = embedded.ledger(model).champion_release()
    assert before is not None
    add(
        embedded, images, model, port,
        ("max_iter: 1000", "max_iter: 900"), ("name: docker-clean-serving", "name: default"),
    )  # fmt: skip
    done: dict[str, dict[str, Any]] = {}
    for _ in range(8):  # until the dag-processor has read the new file
        done = embedded.wait(model, embedded.trigger(model, deploy="force"))
        if done[""]["state"] == "failed":
            break
    assert done["rollout.roll_out_docker"]["state"] == "success"
    assert done["firewall.sync_security_group_1"]["state"] == "failed"
    assert done["undo.restore_docker"]["state"] == "success"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready") as answer:
        assert answer.headers["Slipway-Bundle"] == before.bundle_digest
    running = engine.containers.list(filters={"label": [f"slipway.model={model}", "slipway.role=server"]})
    assert [one.attrs["Config"]["Image"] for one in running] == [before.image]
    assert split_image(before.image or "")[0].registry == images.address
    assert ENGINE_URL.startswith("unix:")
