"""The process target, with real supervisors, servers and clients: nothing is lost, and any death is survived."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from slipway.access.api_keys import ApiKeys
from slipway.core.errors import ConfigurationError, ConflictError, RolloutError
from slipway.rollout.process import target
from slipway.rollout.process.listening import Listening
from slipway.rollout.process.state import read_desired, read_status
from slipway.rollout.process.target import ProcessTarget, Serving
from slipway.rollout.served import ServerAccess
from tests.bundle_maker import make_bundle, write_manifest
from tests.http_client import Client
from tests.parts import require_program

SERVING = Path(__file__).parents[4] / "serving"
BODY = json.dumps({"features": [5.1, 3.5, 1.4, 0.2]})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "endpoint"
    ProcessTarget(tmp_path / "endpoint").stop()


@pytest.fixture
def bundles(folder: Path) -> dict[str, Path]:
    """Two versions, by digest."""
    made = {}
    for name in ("one", "two"):
        path = folder / "bundles" / name
        made[make_bundle(path, name=name)] = path
    return made


def roll_out(folder: Path, bundle: Path, digest: str, **options: int) -> tuple[Serving, bool]:
    return ProcessTarget(folder).ensure_serving(
        bundle,
        digest,
        workers=options.get("workers", 1),
        port=options.get("port", 0),
        serving=SERVING,
        timeout_seconds=60,
    )


def ask(endpoint: str) -> tuple[int, str, dict]:
    request = urllib.request.Request(f"{endpoint}/predict", BODY.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.headers["Slipway-Bundle"], json.load(answer)


def servers(folder: Path) -> list[psutil.Process]:
    """The processes that hold a file of the endpoint open: its supervisor and its servers."""
    return [process for process in psutil.process_iter() if holds_a_file_below(process, folder)]


def is_supervisor(process: psutil.Process) -> bool:
    try:
        return any(part.endswith("supervisor.py") for part in process.cmdline())
    except psutil.NoSuchProcess:  # a killed server's worker, which ends a moment later
        return False


def holds_a_file_below(process: psutil.Process, folder: Path) -> bool:
    try:
        return any(file.path.startswith(str(folder)) for file in process.open_files())
    except psutil.Error:
        return False


def test_a_first_rollout_serves_and_a_second_of_the_same_does_nothing(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), _] = bundles.items()
    serving, changed = roll_out(folder, bundle, digest)
    assert changed
    assert ask(serving.endpoint) == (200, digest, {"prediction": "setosa"})
    before = {process.pid for process in servers(folder)}
    again, changed = roll_out(folder, bundle, digest)
    assert (again, changed) == (serving, False)
    assert {process.pid for process in servers(folder)} == before


def test_no_secret_of_the_caller_reaches_the_supervisor_or_the_server(
    folder: Path, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of ours writes its title over what /proc tells of its environment; this one prints what it has, and ends."""
    [(digest, bundle), _] = bundles.items()
    for name in ("AIRFLOW_CONN_X", "AIRFLOW__CORE__FERNET_KEY", "AWS_SECRET_ACCESS_KEY", "SLIPWAY_API_KEY", "PASSWORD"):
        monkeypatch.setenv(name, "not-for-strangers")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    printing = folder / "printing" / "model_server"
    printing.mkdir(parents=True)
    (printing / "__main__.py").write_text("import json, os\nprint(json.dumps(dict(os.environ)), flush=True)\n")
    with pytest.raises(RolloutError):
        ProcessTarget(folder).ensure_serving(bundle, digest, workers=1, port=0, serving=printing.parent)
    supervisor = psutil.Process((read_status(folder) or pytest.fail("no status")).pid)
    [log] = folder.glob("server-*.log")
    for environment in (supervisor.environ(), json.loads(log.read_text())):
        assert "not-for-strangers" not in environment.values()
        assert environment["OMP_NUM_THREADS"] == "2"
        assert environment["PATH"] == os.environ["PATH"]


def test_replacing_a_version_under_load_loses_no_request(folder: Path, bundles: dict[str, Path]) -> None:
    versions = list(bundles.items())
    serving, _ = roll_out(folder, versions[0][1], versions[0][0], workers=2)
    clients = [Client(serving.endpoint, keep_alive=number % 2 == 0) for number in range(6)]
    for client in clients:
        client.start()
    for swap in range(5):
        digest, bundle = versions[(swap + 1) % 2]
        roll_out(folder, bundle, digest, workers=2)
        assert ask(serving.endpoint)[1] in bundles
    for client in clients:
        client.going = False
    for client in clients:
        client.join()
    assert [client.lost for client in clients] == [[]] * len(clients)
    assert set.union(*(client.digests for client in clients)) == set(bundles)
    assert sum(client.asked for client in clients) > 500


def test_no_request_of_a_load_generator_is_lost_with_keep_alive_off(folder: Path, bundles: dict[str, Path]) -> None:
    hey = require_program("hey")
    versions = list(bundles.items())
    serving, _ = roll_out(folder, versions[0][1], versions[0][0])
    command = [
        hey,
        "-disable-keepalive",
        "-z",
        "12s",
        "-c",
        "8",
        "-q",
        "25",
        "-m",
        "POST",
        "-T",
        "application/json",
        "-d",
        BODY,
    ]
    load = subprocess.Popen([*command, f"{serving.endpoint}/predict"], stdout=subprocess.PIPE, text=True)
    for swap in range(3):
        digest, bundle = versions[(swap + 1) % 2]
        roll_out(folder, bundle, digest)
    report = load.communicate(timeout=60)[0]
    assert "[200]" in report
    assert "Error distribution" not in report, report
    assert report.count("responses") == 1, report


def test_an_altered_bundle_is_refused_before_it_is_loaded_and_the_old_one_serves(
    folder: Path, bundles: dict[str, Path]
) -> None:
    [(digest, bundle), (other_digest, other)] = bundles.items()
    serving, _ = roll_out(folder, bundle, digest)
    marker = folder / "was-unpickled"
    (other / "model.joblib").write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    with pytest.raises(RolloutError) as caught:
        roll_out(folder, other, other_digest)
    text = str(caught.value)
    assert f"could not roll out the new version: {serving.endpoint}" in text
    assert "model.joblib: its digest is" in text
    assert f"{digest[7:19]} keeps serving" in text
    assert ask(serving.endpoint)[1] == digest
    assert not marker.exists()


def test_a_version_that_answers_the_golden_rows_otherwise_never_serves(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), (_, other)] = bundles.items()
    serving, _ = roll_out(folder, bundle, digest)
    golden = json.loads((other / "golden.json").read_text())
    golden["predictions"][3] = "virginica"
    (other / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(RolloutError, match=r"golden row 4: predicted 'setosa', training predicted 'virginica'"):
        roll_out(folder, other, write_manifest(other))
    assert ask(serving.endpoint)[1] == digest
    assert (read_desired(folder) or pytest.fail("no wish")).digest == digest


def test_a_version_that_never_gets_ready_leaves_the_old_one_serving(folder: Path, bundles: dict[str, Path]) -> None:
    """A server that hangs while it loads: no worker ever says that it is ready."""
    [(digest, bundle), (other_digest, other)] = bundles.items()
    serving, _ = roll_out(folder, bundle, digest)
    hanging = folder / "hanging" / "model_server"
    hanging.mkdir(parents=True)
    (hanging / "__main__.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(600)\n")
    with pytest.raises(RolloutError) as caught:
        ProcessTarget(folder).ensure_serving(
            other, other_digest, workers=1, port=0, serving=hanging.parent, timeout_seconds=2
        )
    text = str(caught.value)
    assert text.startswith(
        f"could not roll out the new version: {serving.endpoint}: the server was not ready after 2 s"
    )
    assert "its last lines:\nloading" in text
    assert f"{digest[7:19]} keeps serving" in text
    assert ask(serving.endpoint)[1] == digest
    assert not [process for process in servers(folder) if process.cwd() == str(hanging.parent)]


def test_a_stranger_s_port_is_left_alone(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), _] = bundles.items()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(
            ConflictError, match=rf"127\.0\.0\.1:{port}: another program has the port; it was left alone"
        ):
            roll_out(folder, bundle, digest, port=port)


def test_a_running_endpoint_is_not_moved_to_another_port(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), (other_digest, other)] = bundles.items()
    serving, _ = roll_out(folder, bundle, digest)
    own = int(serving.endpoint.rpartition(":")[2])
    for wanted, path in ((digest, bundle), (other_digest, other)):
        with pytest.raises(
            ConfigurationError, match=f"could not move the endpoint: {serving.endpoint}: .* port {own + 1},"
        ):
            roll_out(folder, path, wanted, port=own + 1)
    assert ask(serving.endpoint)[1] == digest
    assert roll_out(folder, bundle, digest, port=own) == (serving, False)


def test_the_port_stays_the_same_after_a_stop(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), _] = bundles.items()
    first, _ = roll_out(folder, bundle, digest)
    assert ProcessTarget(folder).stop()
    assert servers(folder) == []
    assert not ProcessTarget(folder).stop()
    assert roll_out(folder, bundle, digest)[0] == first


@pytest.mark.parametrize("victim", ["supervisor", "server"])
def test_a_killed_process_comes_back(folder: Path, bundles: dict[str, Path], victim: str) -> None:
    [(digest, bundle), _] = bundles.items()
    serving, _ = roll_out(folder, bundle, digest)
    status = read_status(folder)
    assert status is not None
    assert status.server_pid is not None
    os.kill(status.pid if victim == "supervisor" else status.server_pid, signal.SIGKILL)
    if victim == "supervisor":
        wait_until(lambda: ProcessTarget(folder).find_active() is None)
        again, changed = roll_out(folder, bundle, digest)
        assert changed
    else:
        wait_until(lambda: answers(serving.endpoint))
        again, changed = roll_out(folder, bundle, digest)
        assert not changed
    assert again == serving
    assert ask(serving.endpoint)[1] == digest
    supervisors = [process for process in servers(folder) if is_supervisor(process)]
    assert len(supervisors) == 1


def test_a_supervisor_that_an_earlier_slipway_started_is_found(
    folder: Path, bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(digest, bundle), (other_digest, other)] = bundles.items()
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for name in ("supervisor.py", "state.py"):
        shutil.copy(Path(target.__file__).with_name(name), earlier)
    with monkeypatch.context() as patch:
        patch.setattr(target, "_SUPERVISOR", earlier / "supervisor.py")
        serving, _ = roll_out(folder, bundle, digest)
    before = read_status(folder)
    again, changed = roll_out(folder, other, other_digest)
    after = read_status(folder)
    assert before is not None
    assert after is not None
    assert (changed, again.endpoint, after.pid) == (True, serving.endpoint, before.pid)
    assert ask(serving.endpoint)[1] == other_digest


def test_a_rollout_killed_at_any_moment_ends_like_a_clean_one(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), (other_digest, other)] = bundles.items()
    roll_out(folder, bundle, digest)
    for delay in (0.0, 0.2, 0.6, 1.2):
        wanted = (other_digest, other) if delay in {0.0, 0.6} else (digest, bundle)
        script = (
            "import sys; from pathlib import Path; from slipway.rollout.process.target import ProcessTarget\n"
            "ProcessTarget(Path(sys.argv[1])).ensure_serving(Path(sys.argv[2]), sys.argv[3], workers=1, port=0,"
            " serving=Path(sys.argv[4]))"
        )
        caller = subprocess.Popen([sys.executable, "-c", script, str(folder), str(wanted[1]), wanted[0], str(SERVING)])
        while not folder.joinpath("wish.lock").exists():
            time.sleep(0.01)
        time.sleep(delay)
        caller.kill()
        caller.wait()
        serving, _ = roll_out(folder, wanted[1], wanted[0])
        assert ask(serving.endpoint)[1] == wanted[0]
        masters = [p for p in servers(folder) if p.ppid() == (read_status(folder) or pytest.fail("no status")).pid]
        wait_until(lambda masters=masters: sum(p.is_running() for p in masters) == 1)


def test_a_bundle_for_joblib_serves_too(folder: Path) -> None:
    digest = make_bundle(folder / "bundles" / "joblib", name="joblib", runtime="joblib")
    serving, _ = roll_out(folder, folder / "bundles" / "joblib", digest)
    assert ask(serving.endpoint) == (200, digest, {"prediction": "setosa"})
    shutil.rmtree(folder / "bundles")


def test_other_api_keys_are_a_new_rollout_and_the_old_key_is_denied(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), _] = bundles.items()
    for key, changed in (("first key", True), ("first key", False), ("second key", True)):
        access = ServerAccess(ApiKeys.of(key).hashes, requests_per_second=0, burst=1)
        target = ProcessTarget(folder)
        serving, done = target.ensure_serving(bundle, digest, workers=1, port=0, serving=SERVING, access=access)
        assert done is changed
        assert status_of(serving.endpoint, key) == 200
    assert status_of(serving.endpoint, "first key") == 401
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.glob("key-hashes-*"))
    assert not any(b"second key" in path.read_bytes() for path in folder.glob("*") if path.is_file())


def status_of(endpoint: str, key: str) -> int:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/predict", BODY.encode(), headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def answers(endpoint: str) -> bool:
    try:
        return ask(endpoint)[0] == 200
    except OSError:
        return False


def wait_until(condition: object, timeout_seconds: float = 30) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_was_served_before_the_machine_went_down_is_served_again_at_its_port(
    folder: Path, bundles: dict[str, Path]
) -> None:
    [(digest, bundle), _] = bundles.items()
    serving, _ = roll_out(folder, bundle, digest)
    assert ProcessTarget(folder).pause()
    assert ProcessTarget(folder).find_active() is None
    assert ProcessTarget(folder).resume()
    deadline = time.monotonic() + 60
    while ProcessTarget(folder).find_active() != serving and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ask(serving.endpoint)[:2] == (200, digest)


def test_what_was_stopped_stays_so(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), _] = bundles.items()
    roll_out(folder, bundle, digest)
    ProcessTarget(folder).stop()
    assert not ProcessTarget(folder).resume()
    assert servers(folder) == []


def test_free_ports_come_from_the_machines_range_and_run_out_by_name(folder: Path, bundles: dict[str, Path]) -> None:
    [(digest, bundle), _] = bundles.items()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        first = stranger.getsockname()[1]
        target = ProcessTarget(folder, Listening(ports=range(first, first + 3)))
        serving, _ = target.ensure_serving(bundle, digest, workers=1, port=0, serving=SERVING, timeout_seconds=60)
        assert int(serving.endpoint.rpartition(":")[2]) in {first + 1, first + 2}
        target.stop()
        (folder / "status.json").unlink()
        full = ProcessTarget(folder, Listening(ports=range(first, first + 1)))
        with pytest.raises(ConflictError, match=str(first)):
            full.ensure_serving(bundle, digest, workers=1, port=0, serving=SERVING, timeout_seconds=60)
