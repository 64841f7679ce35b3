"""What has to be true of docker-compose.yaml as a text: no secret, no open port, nothing unpinned, nothing that is lost."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.compose.stack import BUILT

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
OVERRIDE = (ROOT / ".compose" / "engine.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
EXAMPLE = (ROOT / ".env.example").read_text()
SECRET = re.compile(r"password|secret|fernet|api_key|auth$", re.IGNORECASE)
ONCE = {"prepare", "examples"}
# Where the images keep what may not be lost.
STATE = {
    "postgres": "/var/lib/postgresql/data",
    "redis": "/data",
    "registry": "/var/lib/registry",
    "cloud": "/opt/airflow/cloud",
    "serving": "/opt/airflow/served",
    "prometheus": "/prometheus",
    "grafana": "/var/lib/grafana",
    "airflow-worker": "/opt/airflow/logs",
}
make_env = runpy.run_path(str(ROOT / ".compose" / "make_env.py"))


def variables(text: str) -> dict[str, str]:
    """`${NAME:?...}` and `${NAME:-default}` by name: what follows the name."""
    return dict(re.findall(r"\$\{([A-Z_]+)(:[?-][^}]*)", text))


SECRETS = {name for name, rest in variables(TEXT).items() if rest.startswith(":?")}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    image = re.sub(r"^\$\{[A-Z_]+:-(.*)\}$", r"\1", image)
    assert re.fullmatch(r"[a-z/-]+:v?\d[\w.-]+", image), image


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    if name in ONCE:
        assert service["restart"] in {"no", "on-failure"}
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", STATE)
def test_state_is_in_a_named_volume(name: str) -> None:
    mounts = dict(reversed(volume.split(":")[:2]) for volume in SERVICES[name]["volumes"])
    assert mounts[STATE[name]] in yaml.safe_load(TEXT)["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_code_and_configuration_are_mounted_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        if volume.startswith((".", "${")):
            assert volume.endswith(":ro"), volume


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_file(name: str) -> None:
    service = SERVICES[name]
    for key, value in service.get("environment", {}).items():
        if SECRET.search(key) and key != "REGISTRY_AUTH" and "_CONN_" not in key:  # that one is the kind of log-in
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]*\}", value), f"{key}={value}"
        for password in re.findall(r"://[^:/]*:([^@/]+)@", str(value)):
            assert password.startswith("${") or (key, password) == ("AIRFLOW_CONN_AWS_DEFAULT", "stand-in"), key
        for password in re.findall(r'"password": "([^"]*)"', str(value)):
            assert password.startswith("${"), key


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_on_a_command_line_which_every_account_of_the_machine_can_read(name: str) -> None:
    service = SERVICES[name]
    for words in (service.get("command", ""), service.get("entrypoint", ""), service.get("healthcheck", {})):
        # `$$NAME` is left to the shell in the container, which takes it from the environment.
        used = re.findall(r"(?<!\$)\$\{?([A-Z_]+)", str(words))
        assert not [variable for variable in used if variable in SECRETS], words


def test_only_the_override_mounts_the_engines_socket() -> None:
    assert "docker.sock" not in TEXT
    assert "docker.sock" in OVERRIDE
    assert not any(service.get("privileged") for service in SERVICES.values())


def test_the_example_names_every_variable_and_no_other() -> None:
    used = variables(TEXT) | variables(OVERRIDE)
    named = set(re.findall(r"^#?([A-Z][A-Z_]*)=", EXAMPLE, re.MULTILINE))
    assert named == set(used)


def test_a_secret_has_no_value_in_the_example_and_a_choice_has_the_files_default() -> None:
    for name, rest in (variables(OVERRIDE) | variables(TEXT)).items():
        if name in variables(OVERRIDE):
            assert f"\n#{name}=\n" in EXAMPLE
        elif rest.startswith(":?"):
            assert f"\n{name}=\n" in EXAMPLE
        elif name != "AIRFLOW_CONN_AWS_DEFAULT":  # a real cloud has no default
            assert f"\n#{name}={rest[2:]}\n" in EXAMPLE


def test_every_secret_is_made_anew_and_nothing_else_is_changed() -> None:
    first, second = (make_env["with_secrets"](EXAMPLE) for _ in range(2))
    assert len(SECRETS) == 9
    for name in SECRETS:
        values = {re.search(rf"^{name}=(\S{{32,}})$", text, re.MULTILINE)[1] for text in (first, second)}  # type: ignore[index]
        assert len(values) == 2, name
    comments = [line for line in EXAMPLE.splitlines() if line.startswith("#")]
    assert [line for line in first.splitlines() if line.startswith("#")] == comments


def test_an_env_file_is_private_and_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    monkeypatch.setitem(make_env["main"].__globals__, "ROOT", tmp_path)
    assert make_env["main"]() == 0
    written = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert make_env["main"]() == 0
    assert (tmp_path / ".env").read_text() == written


def test_the_env_file_stays_out_of_git_and_out_of_the_image() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    sent = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert sent == ["*", "!requirements.txt", "!.compose/airflow"]


def test_the_stack_adds_pins_and_overrides_none() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = [line.split(";")[0].strip() for line in path.read_text().splitlines() if line and line[0] != "#"]
        assert all("==" in line for line in lines)
        return {line.split("==")[0]: line for line in lines}

    added = pins(ROOT / ".compose" / "airflow" / "requirements.txt")
    assert not set(added) & set(pins(ROOT / "requirements.txt"))
    assert {"apache-airflow-providers-celery", "apache-airflow-providers-fab", "celery", "redis", "psycopg"} <= set(
        added
    )


def test_every_image_has_a_stand_in_of_the_same_name() -> None:
    text = (ROOT / ".ci" / "images").read_text()
    for name, service in SERVICES.items():
        if not service["image"].startswith("${"):
            assert f"\n{name.upper()}={service['image']}\n" in text


def test_the_gate_builds_ahead_what_the_test_of_the_stack_wants() -> None:
    build = SERVICES["prepare"]["build"]
    command = f"docker build -t {BUILT}:test -f {build['dockerfile']} {build['context']} >"
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_override_gives_the_socket_to_the_workers_alone(tmp_path: Path) -> None:
    from tests.parts import require_program

    require_program("docker-compose")
    (tmp_path / "env").write_text(make_env["with_secrets"](EXAMPLE) + "DOCKER_GROUP=999\n")
    files = ["-f", "docker-compose.yaml", "-f", ".compose/engine.yaml"]
    done = subprocess.run(
        ["docker-compose", "--env-file", str(tmp_path / "env"), *files, "config"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    services = yaml.safe_load(done.stdout)["services"]
    having = {name for name, service in services.items() if "docker.sock" in str(service.get("volumes"))}
    assert having == {"airflow-worker"}
    assert {name for name, service in services.items() if "group_add" in service} == having
    assert services["airflow-worker"]["group_add"] == ["999"]


def test_a_missing_variable_is_named_with_what_to_do(tmp_path: Path) -> None:
    from tests.parts import require_program

    require_program("docker-compose")
    (tmp_path / "env").write_text(make_env["with_secrets"](EXAMPLE).replace("REDIS_PASSWORD=", "#REDIS_PASSWORD="))
    done = subprocess.run(
        ["docker-compose", "--env-file", str(tmp_path / "env"), "config"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode != 0
    assert "REDIS_PASSWORD" in done.stderr
    assert "make compose-env" in done.stderr
