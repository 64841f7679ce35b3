"""What docker-compose.yaml promises: a run is green on Celery, a killed worker loses nothing, and neither does `down`."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from slipway.core.errors import UnavailableError
from slipway.release.ledger import Ledger
from tests.system.compose.stack import Stack, compose_file

# Training takes long enough to be killed in the middle.
SLOW = (
    ("sklearn.linear_model.LogisticRegression", "sklearn.ensemble.GradientBoostingClassifier"),
    ("max_iter: 1000", "n_estimators: 4000"),
)
ROW = {"features": [5.1, 3.5, 1.4, 0.2]}


def fetch(url: str, *, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, data, {name.replace("_", "-"): text for name, text in headers.items()})
    request.method = method
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(endpoint: str) -> Any:
    status, _, body = fetch(
        f"{endpoint}/predict", method="POST", data=json.dumps(ROW).encode(), Content_Type="application/json"
    )
    assert status == 200, body
    return json.loads(body)["prediction"]


def releases(model: str) -> list[int]:
    return [release.number for release in Ledger.open("s3://slipway", model).releases()]


@pytest.fixture(scope="module")
def delivered(stack: Stack) -> dict[str, dict[str, Any]]:
    """The tasks of a first run of iris."""
    return stack.wait(stack.trigger("iris"))


@pytest.fixture(scope="module")
def endpoint(stack: Stack, delivered: dict[str, dict[str, Any]]) -> str:
    """Where iris is served, on this machine."""
    task = delivered["rollout.roll_out_process"]
    run = urllib.parse.quote(task["dag_run_id"], safe="")
    path = f"/dags/deliver_iris/dagRuns/{run}/taskInstances/{task['task_id']}/xcomEntries/return_value"
    return str(stack.airflow().get(path, deserialize="true")["value"]["endpoint"])


def test_every_service_of_the_file_is_up_and_healthy(stack: Stack) -> None:
    services = {container.labels["com.docker.compose.service"] for container in stack.containers()}
    assert services == set(compose_file()["services"])
    states = stack.states()
    once = {container.name for name in ("prepare", "examples") for container in stack.containers(name)}
    assert {states[name] for name in once} == {"exited 0"}
    assert {state for name, state in states.items() if name not in once} == {"healthy"}


def test_a_run_is_green_on_celery_workers(stack: Stack, delivered: dict[str, dict[str, Any]], endpoint: str) -> None:
    assert delivered[""]["state"] == "success", {name: task["state"] for name, task in delivered.items()}
    workers = {container.id[:12] for container in stack.containers("airflow-worker")}
    [serving] = stack.containers("serving")
    hosts = {name: task["hostname"] for name, task in delivered.items() if task.get("hostname")}
    at_the_endpoint = {"rollout.roll_out_process", "verification.verify_endpoint"}
    assert {hosts[name] for name in at_the_endpoint} == {serving.id[:12]}
    assert {host for name, host in hosts.items() if name not in at_the_endpoint} <= workers
    assert releases("iris") == [1]
    assert ask(endpoint) == "setosa"


def test_a_tasks_log_is_shown_whichever_worker_ran_it(stack: Stack, delivered: dict[str, dict[str, Any]]) -> None:
    for name, words in {"training.train_model": "fitted", "rollout.roll_out_process": "rolled out"}.items():
        lines = stack.airflow().log_lines("deliver_iris", delivered[name]["dag_run_id"], delivered[name])
        assert words in "\n".join(lines)


def test_airflow_wants_the_password_of_the_env_file(stack: Stack) -> None:
    for password, expected in ((stack.settings["ADMIN_PASSWORD"], 201), ("admin", 401), ("airflow", 401)):
        body = json.dumps({"username": "admin", "password": password}).encode()
        url = f"{stack.url('AIRFLOW_PORT')}/auth/token"
        assert fetch(url, method="POST", data=body, Content_Type="application/json")[0] == expected


def test_prometheus_scrapes_the_model_and_every_panel_has_an_answer(stack: Stack, endpoint: str) -> None:
    deadline = time.monotonic() + 90
    empty = {"(not asked)"}
    while empty and time.monotonic() < deadline:  # rates want two scrapes
        ask(endpoint)
        fetch(f"{endpoint}/predict", method="POST", data=b"{", Content_Type="application/json")
        empty = {title for title, expr in panel_queries(stack) if not query(stack, expr)}
        time.sleep(1)
    assert not empty
    [info] = query(stack, 'slipway_model_info{model="iris"}')
    assert info["metric"]["instance"].startswith("serving:")


def panel_queries(stack: Stack) -> list[tuple[str, str]]:
    """Title and query of every panel, as Grafana has them, with its variables filled in."""
    url = f"{stack.url('GRAFANA_PORT')}/api/dashboards/uid/slipway-model-server"
    log_in = basic("admin", stack.settings["GRAFANA_PASSWORD"])
    status, _, body = fetch(url, Authorization=log_in)
    assert status == 200, body
    assert fetch(url, Authorization=basic("admin", "admin"))[0] == 401
    panels = json.loads(body)["dashboard"]["panels"]
    return [
        (panel["title"], target["expr"].replace("$model", ".*").replace("$__rate_interval", "1m"))
        for panel in panels
        for target in panel["targets"]
        if panel["title"] != "Not answering"  # empty is the good news there
    ]


def query(stack: Stack, expr: str) -> list[dict[str, Any]]:
    url = f"{stack.url('PROMETHEUS_PORT')}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
    status, _, body = fetch(url)
    assert status == 200, (expr, body)
    found: list[dict[str, Any]] = json.loads(body)["data"]["result"]
    return found


def test_promtool_accepts_the_configuration_with_all_files_that_it_names(stack: Stack, delivered: Any) -> None:
    [prometheus] = stack.containers("prometheus")
    done = prometheus.exec_run(["promtool", "check", "config", "/etc/prometheus/prometheus.yml"])
    assert done.exit_code == 0, done.output
    warnings = [line for line in done.output.decode().splitlines() if "WARNING" in line]
    assert all("/etc/prometheus/targets/*.yaml" in line for line in warnings)  # people put files there, or do not


@pytest.fixture(scope="module")
def pushed(stack: Stack) -> str:
    """The path of a blob in the registry, put there with the log-in of the env file."""
    base, log_in = stack.url("REGISTRY_PORT"), basic("slipway", stack.settings["REGISTRY_PASSWORD"])
    assert fetch(f"{base}/v2/")[0] == 401
    status, headers, _ = fetch(f"{base}/v2/kept/blobs/uploads/", method="POST", Authorization=log_in)
    assert status == 202
    digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"
    place = urllib.parse.urlsplit(headers["Location"])
    url = f"{base}{place.path}?{place.query}&digest={digest}"
    status, _, body = fetch(
        url, method="PUT", data=b"hello", Authorization=log_in, Content_Type="application/octet-stream"
    )
    assert status == 201, body
    return f"/v2/kept/blobs/{digest}"


def test_a_worker_killed_in_mid_task_loses_nothing(stack: Stack, delivered: Any) -> None:
    stack.copy_model("slow", *SLOW)
    run = stack.trigger("slow")
    victim = kill_worker_of(stack, run, "training.train_model")
    tasks = stack.wait(run)
    assert tasks[""]["state"] == "success", {
        name: (task["state"], task["try_number"]) for name, task in tasks.items() if name
    }
    trained = tasks["training.train_model"]
    assert trained["try_number"] >= 2  # on a very busy machine the second may be taken for lost as well
    assert not victim.id.startswith(trained["hostname"])
    victim.reload()
    assert victim.status == "exited"  # nobody started it again meanwhile
    assert releases("slow") == [1]
    champion = Ledger.open("s3://slipway", "slow").champion_release()
    assert champion is not None
    assert champion.number == 1


def kill_worker_of(stack: Stack, run: str, task_id: str) -> Any:
    """SIGKILL to the container in which a task is running; returns the container."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            task = stack.tasks(run)[task_id]
        except UnavailableError:
            continue  # a busy api-server
        if task["state"] == "running" and task["hostname"]:
            container = stack.container(task["hostname"])
            assert container.labels["com.docker.compose.service"] == "airflow-worker"
            container.kill()
            return container
        assert task["state"] not in {"success", "failed"}, "it ended before it could be killed"
        time.sleep(0.2)
    raise AssertionError(f"{task_id} did not start")


def test_the_machine_that_serves_starts_again_and_serves_again(stack: Stack, endpoint: str) -> None:
    [serving] = stack.containers("serving")
    serving.restart(timeout=60)
    assert eventually(endpoint) == "setosa"


def eventually(endpoint: str, timeout_seconds: float = 120) -> Any:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return ask(endpoint)
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_down_and_up_keep_everything(stack: Stack, delivered: Any, endpoint: str, pushed: str) -> None:
    before = {run["dag_run_id"]: run["state"] for run in runs(stack)}
    assert before
    hashed = hash_of_the_admins_password(stack)
    stack.compose("down", "--timeout", "30")
    assert stack.containers() == []
    stack.up()
    assert {run["dag_run_id"]: run["state"] for run in runs(stack)} == before
    assert hash_of_the_admins_password(stack) == hashed
    assert releases("iris") == [1]
    assert eventually(endpoint) == "setosa"
    log_in = basic("slipway", stack.settings["REGISTRY_PASSWORD"])
    assert fetch(f"{stack.url('REGISTRY_PORT')}{pushed}", Authorization=log_in)[2] == b"hello"
    task = delivered["training.train_model"]
    assert "fitted" in "\n".join(stack.airflow().log_lines("deliver_iris", task["dag_run_id"], task))


def runs(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.airflow().get("/dags/deliver_iris/dagRuns", limit="50")["dag_runs"]
    return found


def hash_of_the_admins_password(stack: Stack) -> str:
    """As the database has it; another one, even of the same password, would mean that all sessions were ended."""
    [postgres] = stack.containers("postgres")
    query = [
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "airflow",
        "-tAc",
        "SELECT password FROM ab_user WHERE username = 'admin'",
    ]
    done = postgres.exec_run([*query, "airflow"], environment={"PGPASSWORD": stack.settings["POSTGRES_PASSWORD"]})
    assert done.exit_code == 0, done.output
    hashed: str = done.output.decode().strip()
    assert hashed
    return hashed
