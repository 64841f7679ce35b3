"""Airflow's configuration for the embedded profile, and its secrets and ports."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from slipway.local.environment import airflow_environment, uses_stand_in
from slipway.local.flights import files, prepared, read
from slipway.local.layout import Layout
from slipway.local.secrets_file import Ports, ensure_ports, ensure_secrets

PORTS = Ports(airflow=8080, cloud=5555)


def test_everything_is_on_loopback_and_below_one_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    env = airflow_environment(layout, PORTS, ensure_secrets(layout), {"PATH": "/bin"})
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW_HOME"].startswith(str(tmp_path))
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8080/execution/"
    assert json.loads(env["AIRFLOW_CONN_AWS_DEFAULT"])["extra"]["endpoint_url"] == "http://127.0.0.1:5555"
    assert env["PATH"] == "/bin"


def test_the_caller_s_connection_wins(tmp_path: Path) -> None:
    caller = {"AIRFLOW_CONN_AWS_DEFAULT": '{"conn_type": "aws"}'}
    env = airflow_environment(Layout(tmp_path), PORTS, ensure_secrets(Layout(tmp_path)), caller)
    assert env["AIRFLOW_CONN_AWS_DEFAULT"] == '{"conn_type": "aws"}'
    assert not uses_stand_in(caller)
    assert uses_stand_in({})


def test_tasks_write_their_log_however_quiet_the_command_is(tmp_path: Path) -> None:
    caller = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    env = airflow_environment(Layout(tmp_path), PORTS, ensure_secrets(Layout(tmp_path)), caller)
    assert env["AIRFLOW__LOGGING__LOGGING_LEVEL"] == "INFO"


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert ensure_secrets(layout) == ensure_secrets(layout)
    assert (layout.run / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert layout.passwords.stat().st_mode & 0o777 == 0o600
    assert ensure_secrets(Layout(tmp_path / "other")) != ensure_secrets(layout)


def test_a_taken_port_is_replaced_and_the_choice_is_kept(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.run.mkdir()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        (layout.run / "ports.json").write_text(json.dumps({"airflow": taken, "cloud": taken}))
        ports = ensure_ports(layout, running=False)
        assert taken not in {ports.airflow, ports.cloud}
    assert ensure_ports(layout, running=True) == ports


def test_every_flight_that_arrived_lies_in_its_day() -> None:
    frame = prepared(read())
    assert len(frame) == 336_776 - 9_430
    assert frame["date"].nunique() == 365
    first = frame.iloc[0]
    assert (first["sched_dep_minute"], first["late"], first["day_of_week"]) == (5 * 60 + 15, "false", 1)
    name, data = next(files())
    assert name == "flights/2013-01-01.csv"
    header = data.splitlines()[0].decode()
    assert header == (
        "month,day_of_week,sched_dep_minute,sched_arr_minute,dep_delay,carrier,flight,tailnum,origin,dest,distance,late"
    )
