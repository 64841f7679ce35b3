"""The keeper, as a real process: it starts a command again that fails, gives one up that always does, and ends when told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path


def keep(script: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "slipway.local.keeper", sys.executable, "-c", script, str(folder / "starts")]
    plugins = Path(__file__).parents[3] / "plugins"
    return subprocess.Popen(command, cwd=plugins, stderr=subprocess.PIPE, text=True)


# Notes every start in a file; ends as the rest of the script says.
NOTE = "import sys, time; file = open(sys.argv[1], 'a'); file.write('x'); file.close(); count = len(open(sys.argv[1]).read()); "


def test_a_command_that_fails_once_is_started_again(tmp_path: Path) -> None:
    process = keep(NOTE + "sys.exit(3 if count == 1 else 0)", tmp_path)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "starts").read_text() == "xx"
    assert "ended with code 3; starting it again" in errors


def test_a_command_that_always_fails_is_given_up_with_its_code(tmp_path: Path) -> None:
    process = keep(NOTE + "sys.exit(7)", tmp_path)
    process.communicate(timeout=30)
    assert process.returncode == 7
    assert (tmp_path / "starts").read_text() == "xxx"


def test_it_starts_nothing_again_once_it_was_told_to_end(tmp_path: Path) -> None:
    process = keep(NOTE + "time.sleep(2); sys.exit(1)", tmp_path)
    while not (tmp_path / "starts").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "starts").read_text() == "x"
