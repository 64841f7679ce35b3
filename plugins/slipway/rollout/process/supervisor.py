"""The supervisor of one endpoint: owns its listening socket, and swaps server versions behind it.

Runs as a script, `python supervisor.py --state-dir DIR --ports PORT...`, detached from whoever started it. It holds the socket
for as long as the endpoint lives; each server inherits it. For a new version it starts the new server, waits until every
worker of it says that it is ready (on a pipe of its own: the socket could be answered by the old one), and only then tells
the old one to drain. A server that dies is started again; one that never gets ready leaves the old one serving.

Standard library only; it reads and writes the files of `state.py`, which lies beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if __package__:
    from slipway.rollout.process.state import Desired, Status, read_desired, write_json
else:  # a script: only then, as other modules here are called what libraries are called
    sys.path.append(str(Path(__file__).parent))
    from state import Desired, Status, read_desired, write_json  # type: ignore[import-not-found, no-redef]

DRAIN_SECONDS = 40
LOOK_SECONDS = 0.05
BACKOFF_SECONDS = (0.2, 1.0, 5.0, 15.0)
PORT_TAKEN = 98


class Server:
    """One running version."""

    def __init__(self, desired: Desired, process: subprocess.Popen[bytes], log: Path) -> None:
        self.desired, self.process, self.log = desired, process, log

    def drain(self) -> None:
        """Tell it to finish what it has accepted, and see it end."""
        self.process.terminate()
        try:
            self.process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_lines(self, count: int = 12) -> str:
        """The end of what it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


class Supervisor:
    """The loop: look at the wish, look at the server, mend the difference."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self._folder, self._listener = folder, listener
        self._server: Server | None = None
        self._answered = 0
        self._crashes = 0
        self._stopping = False

    def run(self) -> None:
        """Supervise until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        self._report("starting", None)
        while not self._stopping:
            desired = read_desired(self._folder)
            if desired and desired.generation != self._answered:
                self._swap(desired)
            elif self._server and self._server.process.poll() is not None:
                self._restart(self._server)
            time.sleep(LOOK_SECONDS)
        if self._server:
            self._server.drain()

    def _swap(self, desired: Desired) -> None:
        self._report("starting", None, desired.generation)
        started = self._start(desired)
        error = self._wait_until_ready(started)
        self._answered = desired.generation
        if error:
            os.killpg(started.process.pid, signal.SIGKILL)
            started.process.wait()
            if self._server:  # or a restart of this supervisor would try the failed version again
                write_json(self._folder / "desired.json", replace(self._server.desired, generation=self._answered))
            self._report("failed", error, desired.generation)
            return
        old, self._server, self._crashes = self._server, started, 0
        if old:
            old.drain()  # before the report: until then a new connection may still reach the old version
        self._report("serving", None, desired.generation)

    def _restart(self, crashed: Server) -> None:
        time.sleep(BACKOFF_SECONDS[min(self._crashes, len(BACKOFF_SECONDS) - 1)])
        self._crashes += 1
        self._server = self._start(crashed.desired)
        error = self._wait_until_ready(self._server)
        self._report("failed" if error else "serving", error, self._answered)

    def _start(self, desired: Desired) -> Server:
        read_end, write_end = os.pipe()
        log = self._folder / f"server-{desired.digest.removeprefix('sha256:')[:12]}.log"
        inherited = (self._listener.fileno(), write_end)
        arguments = ["--fd", str(inherited[0]), "--ready-fd", str(inherited[1]), "--workers", str(desired.workers)]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*desired.command, *arguments],
                cwd=desired.folder,
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  this process has one thread
            )
        os.close(write_end)
        self._ready_pipe = read_end
        return Server(desired, process, log)

    def _wait_until_ready(self, server: Server) -> str | None:
        """None when every worker is ready, else why not, with the last log lines."""
        ready, deadline = 0, time.monotonic() + server.desired.ready_timeout_seconds
        try:
            while ready < server.desired.workers and not self._stopping:
                readable, _, _ = select.select([self._ready_pipe], [], [], 0.1)
                said = os.read(self._ready_pipe, 64) if readable else None
                ready += len(said or b"")
                if said == b"" or server.process.poll() is not None:
                    return f"the server ended before it was ready; its last lines:\n{server.last_lines()}"
                if time.monotonic() > deadline:
                    limit = server.desired.ready_timeout_seconds
                    return f"the server was not ready after {limit:.0f} s; its last lines:\n{server.last_lines()}"
        finally:
            os.close(self._ready_pipe)
        return None

    def _report(self, state: str, error: str | None, generation: int | None = None) -> None:
        active = self._server.desired.digest if self._server else None
        port = self._listener.getsockname()[1]
        number = self._answered if generation is None else generation
        server = self._server.process.pid if self._server else None
        write_json(self._folder / "status.json", Status(os.getpid(), server, port, number, state, active, error))

    def _stop(self, *_: object) -> None:
        self._stopping = True


def _die_with_parent() -> None:
    """A server whose supervisor was killed must not keep the socket: on Linux the kernel ends it too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def listen(address: str, ports: Sequence[int]) -> socket.socket:
    """The endpoint's socket, at the first of these ports that is free. Raises OSError if strangers have them all."""
    *others, last = ports
    for port in others:
        with contextlib.suppress(OSError):
            return _listen(address, port)
    return _listen(address, last)


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(1024)
    return listener


def main() -> int:
    """Supervise one state folder; only one supervisor can."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--ports", type=int, nargs="+", required=True)
    options = parser.parse_args()
    with (options.state_dir / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # another one does this already
        try:
            listener = listen(options.address, options.ports)
        except OSError as error:
            sys.stderr.write(f"port {', '.join(map(str, options.ports))}: {error.strerror}\n")
            return PORT_TAKEN
        Supervisor(options.state_dir, listener).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
