"""Two builders, one result: judged by skopeo, umoci and a Docker engine that runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from slipway.containers import engine as engine_module
from slipway.image.job import Built
from tests.docker_host import Registry, free_port
from tests.integration.image.image_build import StoredBundle
from tests.parts import require_program

ROOT = Path(__file__).parents[3]
NASTY = 'a "quoted" $(touch /tmp/x) `id`\nLABEL evil=1\nRUN true \\ ünïcödé'


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def inspect(image: str) -> dict[str, Any]:
    return json.loads(run(require_program("skopeo"), "inspect", "--tls-verify=false", "--config", f"docker://{image}"))


def raw_manifest(image: str) -> dict[str, Any]:
    return json.loads(run(require_program("skopeo"), "inspect", "--tls-verify=false", "--raw", f"docker://{image}"))


@pytest.fixture
def repository(registry_server: Registry, tmp_path: Path) -> str:
    return f"{registry_server.address}/{tmp_path.name.lower()}"


@pytest.fixture
def daemonless(stored: StoredBundle, repository: str, base: str) -> Built:
    return stored.build(repository, base)


def test_an_image_without_a_daemon_is_the_base_and_one_layer(
    daemonless: Built, base: str, stored: StoredBundle
) -> None:
    made, before = inspect(daemonless.image), inspect(base)
    assert made["rootfs"]["diff_ids"][:-1] == before["rootfs"]["diff_ids"]
    assert made["config"]["User"] == "10001:10001"
    assert made["config"]["Entrypoint"] == before["config"]["Entrypoint"]
    labels = made["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == labels["dev.slipway.model"] == "iris"
    assert labels["org.opencontainers.image.created"] == "2026-01-01T00:00:00+00:00"
    assert made["created"] == "2026-01-01T00:00:00Z"  # as skopeo writes it
    assert labels["org.opencontainers.image.base.digest"] == base.partition("@")[2]
    assert labels["dev.slipway.bundle"] == stored.digest
    assert labels["dev.slipway.dataset"] == "d"
    assert raw_manifest(daemonless.image)["annotations"].items() <= labels.items()


def test_umoci_unpacks_it_to_the_very_bundle(daemonless: Built, stored: StoredBundle, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    run(
        require_program("skopeo"),
        "copy",
        "-q",
        "--src-tls-verify=false",
        f"docker://{daemonless.image}",
        f"oci:{layout}:x",
    )
    run(require_program("umoci"), "unpack", "--rootless", "--image", f"{layout}:x", str(tmp_path / "root"))
    unpacked = tmp_path / "root" / "rootfs" / "opt" / "ml" / "model"
    assert sorted(path.name for path in unpacked.iterdir()) == sorted(path.name for path in stored.bundle.iterdir())
    for path in stored.bundle.iterdir():
        assert (unpacked / path.name).read_bytes() == path.read_bytes()
        assert (unpacked / path.name).stat().st_mode & 0o777 == 0o644
    shutil.rmtree(tmp_path / "root")


def test_the_engine_runs_it_and_it_answers(daemonless: Built, engine: Any, stored: StoredBundle) -> None:
    """Read-only, without capabilities, and the bundle's digest comes from the image itself."""
    port = free_port()
    engine.pull(daemonless.image)
    container = engine.create_container(
        daemonless.image,
        command=["serve", "--open"],
        ports=[8080],
        host_config=engine.create_host_config(
            port_bindings={8080: ("127.0.0.1", port)}, read_only=True, cap_drop=["ALL"], tmpfs={"/tmp": ""}
        ),
    )
    try:
        engine.start(container)
        assert answer(f"http://127.0.0.1:{port}", engine, container) == (stored.digest, {"prediction": "setosa"})
    finally:
        engine.remove_container(container, force=True)
        engine.remove_image(daemonless.image, force=True)


def answer(endpoint: str, engine: Any, container: Any) -> tuple[str, Any]:
    request = urllib.request.Request(
        f"{endpoint}/predict", b'{"features": [5.1, 3.5, 1.4, 0.2]}', {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as found:
                return found.headers["Slipway-Bundle"], json.load(found)
        except OSError:
            assert time.monotonic() < deadline, engine.logs(container).decode()
            time.sleep(0.1)


def test_the_same_again_is_found(daemonless: Built, stored: StoredBundle, repository: str, base: str) -> None:
    again = stored.build(repository, base)
    assert (again.image, again.tag, again.changed) == (daemonless.image, daemonless.tag, False)
    assert daemonless.attached
    assert again.attached == ()


BUILD = """
import sys
from pathlib import Path
from tests.integration.image.image_build import StoredBundle
print(StoredBundle(Path(sys.argv[1])).build(sys.argv[2], sys.argv[3]).image)
"""


@pytest.mark.parametrize("date", ["2027-03-04 05:06:07", "1999-12-31 23:59:59"])
def test_any_day_in_any_folder_it_is_one_digest(
    date: str, daemonless: Built, stored: StoredBundle, repository: str, base: str, tmp_path: Path
) -> None:
    """Another clock, home, umask and repository; the bundle's files are of that day, and nobody else may read them."""
    shutil.copytree(stored.folder / "models", tmp_path / "else" / "models", copy_function=shutil.copyfile)
    for path in (tmp_path / "else").rglob("*"):
        path.chmod(0o700)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": f"{ROOT}:{ROOT}/plugins",
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Kathmandu",
        "AIRFLOW_HOME": os.environ["AIRFLOW_HOME"],
    }
    out = run(
        require_program("faketime"), date, sys.executable, "-c", BUILD, str(tmp_path / "else"), f"{repository}/again", base,
        env=environment, umask=0o077, cwd=tmp_path,
    )  # fmt: skip
    assert out.split()[-1].partition("@")[2] == daemonless.image.partition("@")[2]


def test_a_base_in_a_layout_on_disk_makes_the_same_image(
    daemonless: Built, stored: StoredBundle, repository: str, base: str, tmp_path: Path
) -> None:
    layout = tmp_path / "layout"
    run(
        require_program("skopeo"), "copy", "-q", "--preserve-digests", "--src-tls-verify=false", f"docker://{base}",
        f"oci:{layout}:onnx",
    )  # fmt: skip
    made = stored.build(f"{repository}/from-layout", f"oci:{layout}:onnx")
    assert made.image.partition("@")[2] == daemonless.image.partition("@")[2]


@pytest.mark.parametrize("buildkit", [True, False], ids=["BuildKit", "classic"])
def test_an_engine_makes_the_same_layer(
    buildkit: bool,
    daemonless: Built,
    stored: StoredBundle,
    repository: str,
    base: str,
    engine_connection: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not buildkit:
        monkeypatch.setattr(engine_module, "has_buildkit", lambda _: False)
    built = stored.build(repository, base, builder="engine", engine_conn_id=engine_connection, description=NASTY)
    assert built.changed
    made, other = inspect(built.image), inspect(daemonless.image)
    assert made["rootfs"]["diff_ids"] == other["rootfs"]["diff_ids"]
    labels = made["config"]["Labels"]
    assert labels.pop("org.opencontainers.image.description") == NASTY
    assert labels == other["config"]["Labels"]
    ignored = {"Labels", "ArgsEscaped"}  # the latter is an engine's note to itself, for Windows
    assert {key: value for key, value in made["config"].items() if key not in ignored} == {
        key: value for key, value in other["config"].items() if key not in ignored
    }
    assert (
        stored.build(repository, base, builder="engine", engine_conn_id=engine_connection, description=NASTY).changed
        is False
    )


def test_what_a_person_writes_changes_nothing_but_the_label(
    daemonless: Built, stored: StoredBundle, repository: str, base: str
) -> None:
    made = stored.build(repository, base, description=NASTY, labels={'k"ey $(x)\n': NASTY})
    nasty, plain = inspect(made.image), inspect(daemonless.image)
    labels = nasty["config"].pop("Labels")
    assert labels.pop("org.opencontainers.image.description") == labels.pop('k"ey $(x)\n') == NASTY
    assert labels == plain["config"].pop("Labels")
    assert nasty["config"] == plain["config"]
    assert nasty["rootfs"] == plain["rootfs"]
