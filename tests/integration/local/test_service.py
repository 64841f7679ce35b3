"""Process records: a service is found again and ended, and a stranger with its pid never is."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil

from slipway.local.service import Service

SLEEP = [sys.executable, "-c", "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"]


def service(folder: Path) -> Service:
    return Service("sleeper", folder / "run" / "sleeper.json", folder / "logs" / "sleeper.log")


def test_it_is_started_once_and_ended_with_its_children(tmp_path: Path) -> None:
    sleeper = service(tmp_path)
    assert sleeper.ensure_started(SLEEP, dict(os.environ), tmp_path)
    assert not sleeper.ensure_started(SLEEP, dict(os.environ), tmp_path)
    process = sleeper.find()
    assert process is not None
    while not (children := process.children()):
        time.sleep(0.05)
    assert sleeper.stop()
    assert not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert not sleeper.stop()


def test_after_a_crash_it_counts_as_not_running(tmp_path: Path) -> None:
    sleeper = service(tmp_path)
    sleeper.ensure_started(SLEEP, dict(os.environ), tmp_path)
    process = sleeper.find()
    assert process is not None
    for member in [*process.children(), process]:
        os.kill(member.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)
    assert sleeper.find() is None
    assert not sleeper.stop()


def test_what_a_dead_leader_left_behind_is_ended_too(tmp_path: Path) -> None:
    sleeper = service(tmp_path)
    sleeper.ensure_started(SLEEP, dict(os.environ), tmp_path)
    leader = sleeper.find()
    assert leader is not None
    while not (children := leader.children()):
        time.sleep(0.05)
    os.kill(leader.pid, signal.SIGKILL)
    os.waitpid(leader.pid, 0)
    assert sleeper.find() is None
    assert sleeper.stop()
    psutil.wait_procs(children, timeout=5)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    sleeper = service(tmp_path)
    sleeper.record.parent.mkdir()
    sleeper.record.write_text(json.dumps({"pid": os.getpid(), "started": 1.0, "folder": "/nowhere"}))
    assert sleeper.find() is None
    assert not sleeper.stop()


def test_a_part_that_ends_at_once_gives_an_error_with_its_log(tmp_path: Path) -> None:
    sleeper = service(tmp_path)
    sleeper.ensure_started([sys.executable, "-c", "raise SystemExit('no room')"], dict(os.environ), tmp_path)
    while sleeper.find():
        time.sleep(0.05)
    text = str(sleeper.down_error("its process ended"))
    assert f"could not start a part of the embedded profile: sleeper: its process ended. Read {sleeper.log}" in text
    assert "no room" in text
