"""Load by `wrk`, whose own cost per request is a few microseconds."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.serving.payloads import Request

SCRIPT = Path(__file__).with_name("post.lua")
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Measurement:
    """What one load came to; with a `reason` it is void: a server that refuses is quick."""

    rps: float
    p50_ms: float
    p99_ms: float
    reason: str = ""

    @classmethod
    def failed(cls, reason: str) -> Measurement:
        """Nothing could be measured."""
        return cls(0, 0, 0, reason)


def require_wrk() -> None:
    """Raises RuntimeError where the load generator is missing."""
    if shutil.which("wrk") is None:
        raise RuntimeError("the serving benchmark needs the load generator wrk: apt-get install wrk")


def load(url: str, request: Request, body: Path, connections: int, seconds: float) -> Measurement:
    """Post the request over so many connections for so long.

    Args:
        body: the file that holds the request's body.
        seconds: rounded up to whole ones, which is what wrk takes.
    """
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s"]
    command += ["--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(SCRIPT)]
    for name, value in request.headers.items():
        command += ["-H", f"{name}: {value}"]
    result = subprocess.run(
        [*command, url + request.path, "--", str(body)], capture_output=True, text=True, check=False
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if result.returncode or not lines:
        return Measurement.failed(f"wrk: {(result.stderr or result.stdout).strip()[-200:]}")
    return _measurement(json.loads(lines[-1]))


def _measurement(found: dict[str, int]) -> Measurement:
    kinds = {kind: found[kind] for kind in ("connect", "read", "write", "timeout", "status") if found[kind]}
    reason = ", ".join(f"{count} {kind} errors" for kind, count in kinds.items())
    if not found["requests"]:
        reason = reason or f"no request was answered within {found['micros'] / 1e6:.0f} s"
    rate = found["requests"] / (found["micros"] / 1e6)
    return Measurement(rate, found["p50"] / 1e3, found["p99"] / 1e3, reason)
