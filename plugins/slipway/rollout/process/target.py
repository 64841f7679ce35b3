"""The target `process`: a supervised server on the machine of the worker, its state in one folder.

The supervisor and its server outlive the task and Airflow; a rollout writes a wish and waits for its answer. Everything
here can be repeated after a kill at any moment: the wish names what to serve, not what to do.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from slipway.core.errors import ConfigurationError, ConflictError, RolloutError, UnavailableError
from slipway.core.identity import short
from slipway.rollout.process.listening import ANY_PORT_ON_LOOPBACK, Listening
from slipway.rollout.process.server_command import server_command, server_environment
from slipway.rollout.process.state import Desired, Status, read_desired, read_status, write_json
from slipway.rollout.process.supervisor import DRAIN_SECONDS, PORT_TAKEN
from slipway.rollout.served import ServerAccess

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_STOP_SECONDS = 60
_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Serving:
    """What answers at an endpoint now."""

    endpoint: str
    digest: str
    workers: int


class ProcessTarget:
    """One endpoint, by its state folder, and where its socket is to listen."""

    def __init__(self, folder: Path, listening: Listening = ANY_PORT_ON_LOOPBACK) -> None:
        self._folder, self._listening = folder, listening

    def find_active(self) -> Serving | None:
        """What is in service, or None."""
        status, desired = read_status(self._folder), read_desired(self._folder)
        if status is None or desired is None or status.active is None or self._supervisor(status) is None:
            return None
        return Serving(f"http://127.0.0.1:{status.port}", status.active, desired.workers)

    def ensure_serving(
        self,
        bundle: Path,
        digest: str,
        *,
        workers: int,
        port: int,
        serving: Path,
        access: ServerAccess | None = None,
        timeout_seconds: float = 120,
    ) -> tuple[Serving, bool]:
        """Bring a bundle into service without losing a request.

        Args:
            bundle: its folder, checked.
            digest: its digest, which the server checks again.
            workers: server processes.
            port: of the endpoint; 0: a free one at the first rollout, the same ever after.
            serving: the folder with the package `model_server`.
            access: who may ask; None: everyone.
            timeout_seconds: how long the new version may take to get ready.

        Returns:
            What answers now, and whether that is new.

        Raises:
            RolloutError: the new version did not get ready; the previous one keeps serving. Holds the server's last lines.
            ConfigurationError: it serves at another port, and clients know that one.
            ConflictError: the port belongs to somebody else.
            UnavailableError: the supervisor did not answer.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        command = server_command(bundle, digest, access, self._folder)
        active, desired = self.find_active(), read_desired(self._folder)
        if active and port and not active.endpoint.endswith(f":{port}"):
            raise self._elsewhere(active, port)
        if active and desired and (active.digest, desired.workers, desired.command) == (digest, workers, command):
            return active, False
        generation = self.write_desired(digest, workers, command, serving, timeout_seconds)
        self._ensure_supervisor(port)
        return self._wait(generation, timeout_seconds + DRAIN_SECONDS + 20), True

    def stop(self) -> bool:
        """End the supervisor and its server; returns whether anything ran. The wish is forgotten, the port is kept."""
        (self._folder / "desired.json").unlink(missing_ok=True)
        return self.pause()

    def resume(self) -> bool:
        """Serve again what was wished for before this machine went down; returns whether there was a wish."""
        if read_desired(self._folder) is None:
            return False
        self._ensure_supervisor(0)
        return True

    def pause(self) -> bool:
        """End the supervisor and its server, and keep the wish for `resume`; returns whether anything ran."""
        status = read_status(self._folder)
        supervisor = self._supervisor(status) if status else None
        if supervisor:
            supervisor.terminate()
            try:
                supervisor.wait(_STOP_SECONDS)
            except psutil.TimeoutExpired:
                supervisor.kill()
        orphan = self._end_orphan(status)
        return supervisor is not None or orphan

    def write_desired(self, digest: str, workers: int, command: list[str], serving: Path, seconds: float) -> int:
        """Write the wish down; returns its generation."""
        with self._locked():
            status, desired = read_status(self._folder), read_desired(self._folder)
            last = max(status.generation if status else 0, desired.generation if desired else 0)
            wish = Desired(last + 1, digest, workers, command, str(serving), seconds)
            write_json(self._folder / "desired.json", wish)
        return wish.generation

    def _ensure_supervisor(self, port: int) -> None:
        status = read_status(self._folder)
        if status and self._supervisor(status):
            return
        self._end_orphan(status)
        ports = self._listening.candidates(port or (status.port if status else 0))
        with (self._folder / "supervisor.log").open("wb") as log:
            where = ["--address", self._listening.address, "--ports", *map(str, ports)]
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SUPERVISOR), "--state-dir", str(self._folder), *where],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=server_environment(os.environ),
            )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if (code := process.poll()) not in {None, 0}:
                raise self._not_started(code or 0, ports)
            status = read_status(self._folder)
            if status and self._supervisor(status):
                return
            time.sleep(_LOOK_SECONDS)
        raise self._not_started(0, ports)

    def _wait(self, generation: int, timeout_seconds: float) -> Serving:
        deadline = time.monotonic() + timeout_seconds
        status: Status | None = None
        while time.monotonic() < deadline:
            status = read_status(self._folder)
            if status and status.generation >= generation and status.state != "starting":
                break
            time.sleep(_LOOK_SECONDS)
        if status and status.state == "failed" and status.generation >= generation:
            raise self._not_ready(status)
        found = self.find_active()
        if found is None or status is None or status.generation < generation:
            raise UnavailableError(
                "could not roll out",
                on=str(self._folder),
                why=f"no answer in {timeout_seconds:.0f} s; last seen: {status.state if status else 'nothing'}",
                fix=f"Read {self._folder / 'supervisor.log'}.",
            )
        return found

    def _supervisor(self, status: Status) -> psutil.Process | None:
        """The live supervisor that wrote `status`; a pid that went to another process does not count."""
        try:
            process = psutil.Process(status.pid)
            command = process.cmdline()
            mine = str(self._folder) in command and any(Path(part).name == _SUPERVISOR.name for part in command)
            return process if mine and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def _end_orphan(self, status: Status | None) -> bool:
        """End the server whose supervisor was killed: it would keep the port. Its process group was noted in the status."""
        group = status.server_pid if status else None
        orphans = [process for process in psutil.process_iter() if group and self._is_orphan(process, group)]
        for process in orphans:
            process.kill()
        psutil.wait_procs(orphans, timeout=10)
        return bool(orphans)

    def _is_orphan(self, process: psutil.Process, group: int) -> bool:
        """A number alone may be another's by now; a process of that group that writes our server's log is ours."""
        try:
            if os.getpgid(process.pid) != group:
                return False
            return any(file.path.startswith(f"{self._folder}/server-") for file in process.open_files())
        except (psutil.Error, ProcessLookupError, PermissionError):
            return False

    def _elsewhere(self, active: Serving, port: int) -> ConfigurationError:
        return ConfigurationError(
            "could not move the endpoint",
            on=active.endpoint,
            why=f"the model file says port {port}, and a running endpoint keeps its own: its clients would lose it",
            fix="Name that port in the model file (0: the one it has), or end it first with `make stop`.",
        )

    def _not_ready(self, status: Status) -> RolloutError:
        kept = f"{short(status.active)} keeps serving" if status.active else "nothing was serving before"
        return RolloutError(
            "could not roll out the new version",
            on=f"http://127.0.0.1:{status.port}",
            why=f"{status.error}\n({kept})",
            fix="Mend what the last lines name, then clear this task.",
        )

    def _not_started(self, code: int, ports: list[int]) -> ConflictError | UnavailableError:
        log = self._folder / "supervisor.log"
        if code == PORT_TAKEN:
            return ConflictError(
                "could not open the endpoint",
                on=f"{self._listening.address}:{', '.join(map(str, ports))}",
                why="another program has the port; it was left alone",
                fix="Choose another port in the model file (0: a free one), or end that program.",
            )
        why = f"the supervisor did not start: {log.read_text(errors='replace')[-500:] or f'exit code {code}'}"
        return UnavailableError("could not open the endpoint", on=str(self._folder), why=why, fix=f"Read {log}.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "wish.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
