"""The containers that serve the versions of a model: the one in service, the next one, and those kept for the way back."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from slipway.core.errors import AbsentError, ConflictError, RolloutError, UnavailableError
from slipway.rollout.docker.engine import DockerEngine
from slipway.rollout.docker.network import ModelNetwork, fixed_address
from slipway.rollout.docker.proxy_config import SERVER_PORT
from slipway.rollout.docker.spec import RESTART, SERVER_USER, STOP_SECONDS, ServerSpec

READY = "/v2/health/ready"

_ASK = Path(__file__).with_name("in_container.py")
_ASK_SECONDS = 8  # one look inside; between two of them it is seen whether the container still runs
_ENDED = 2
_SHOWN = 200  # characters of an answer that was not expected
_log = logging.getLogger(__name__)


class Servers:
    """The server containers of one model."""

    def __init__(self, engine: DockerEngine, network: ModelNetwork) -> None:
        self._engine, self._network = engine, network

    def names(self) -> list[str]:
        """All of them, running or not."""
        return self._engine.container_names("server")

    def running(self) -> set[str]:
        """Those that run, or would once they have restarted."""
        found = ((name, self._engine.find_container(name)) for name in self.names())
        return {name for name, each in found if each and (each["State"]["Running"] or each["State"]["Restarting"])}

    def ensure_running(self, spec: ServerSpec, registry_conn_id: str | None) -> tuple[str, bool]:
        """Have the version's container run: the one that is there, or a new one, whose image is pulled if need be.

        Returns:
            Its address, and whether anything was started.

        Raises:
            AbsentError, DeniedError, UnavailableError: the image cannot be had.
            ConflictError: a stranger's container has its name.
        """
        found, ours = self._engine.find_container(spec.container), self._was_pulled(spec.image)
        if found and not self._stands(found):
            self._engine.remove(spec.container)
            found = None
        if found is None:
            self._create(spec, registry_conn_id, ours=ours)
            found = self._engine.find_container(spec.container)
            assert found is not None
        running = found["State"]["Running"]
        if not running:
            self._engine.start(spec.container)
        return fixed_address(found, self._network.name), not running

    def wait_until_ready(self, spec: ServerSpec, timeout_seconds: float) -> None:
        """Wait until it says that it is ready, and serves the bundle that the decision named; from then on it is restarted.

        Raises:
            RolloutError: it ended, serves another bundle, or was not ready in time; holds its last lines.
        """
        deadline = time.monotonic() + timeout_seconds
        restarts, seen = self._restarts(spec.container), "nothing"
        while (left := deadline - time.monotonic()) > 0:
            seconds = min(left, _ASK_SECONDS)
            code, text = self.ask(spec.container, "127.0.0.1", SERVER_PORT, READY, spec.digest, seconds=seconds)
            if code == 0:
                self._engine.set_restart(spec.container, RESTART)
                return
            if code == 3:
                raise self._not_ready(spec, f"{text}, and {spec.digest} was to be rolled out")
            seen = text[:_SHOWN] or seen
            if ended := self._ended(spec.container, restarts):
                raise self._not_ready(spec, ended)
        raise self._not_ready(spec, f"the server was not ready after {timeout_seconds:.0f} s; last seen: {seen}")

    def ask(self, container: str, host: str, port: int, path: str, expected: str, *, seconds: float) -> tuple[int, str]:
        """Ask from inside a server's container until the answer is `expected`; see `in_container` for the codes."""
        where = [host, str(port), path, expected, f"{seconds:.1f}"]
        command = ["python3", "-I", "-S", "-c", _ASK.read_text(), *where]
        try:
            answer = self._engine.run(container, command, SERVER_USER)
        except (AbsentError, ConflictError, UnavailableError):
            time.sleep(0.2)  # it does not run just now, or is gone; the caller looks why
            return _ENDED, ""
        return answer.code, answer.text.splitlines()[-1] if answer.text else ""

    def ask_any(self, host: str, port: int, path: str) -> str:
        """The text of a success, asked from inside whichever of them runs; empty: none of them got one."""
        for name in sorted(self.running()):
            _, text = self.ask(name, host, port, path, "whatever it is", seconds=0)
            if text.startswith("200 "):
                return text.removeprefix("200 ")
        return ""

    def last_lines(self, name: str) -> str:
        """The end of what a server wrote."""
        lines = self._engine.last_lines(name) if self._engine.find_container(name) else ""
        return lines or "(none)"

    def stop(self, name: str) -> None:
        """End a server: it answers what it has accepted first."""
        self._engine.stop(name, STOP_SECONDS)

    def remove(self, name: str) -> bool:
        """Remove a server, and its image if it was pulled for it; returns whether there was one."""
        found = self._engine.find_container(name)
        gone = self._engine.remove(name)
        if found and found["Config"]["Labels"].get("slipway.pulled") == "true":
            self._engine.forget_image(found["Config"]["Image"])
        return gone

    def _was_pulled(self, image: str) -> bool:
        """Whether another container of ours says that the image was pulled for us: the last one of them takes it away."""
        each = (self._engine.find_container(name) for name in self.names())
        labels = [found["Config"]["Labels"] for found in each if found and found["Config"]["Image"] == image]
        return any(label.get("slipway.pulled") == "true" for label in labels)

    def _create(self, spec: ServerSpec, registry_conn_id: str | None, *, ours: bool) -> None:
        """Make the container; `ours` says that the image was pulled for another one of ours."""
        missing = not self._engine.has_image(spec.image)
        if missing:
            _log.info("pulling %s", spec.image)
            self._engine.pull(spec.image, registry_conn_id)
        address = self._network.free_address(self._addresses())
        self._engine.create_container(spec.container, spec.config(self._network.name, address, pulled=missing or ours))

    def _addresses(self) -> list[str]:
        found = (self._engine.find_container(name) for name in self.names())
        return [fixed_address(each, self._network.name) for each in found if each]

    def _stands(self, found: dict[str, Any]) -> bool:
        """Whether it can be started: its network is still the one it was made for."""
        endpoint = found["NetworkSettings"]["Networks"].get(self._network.name) or {}
        return bool(endpoint) and endpoint.get("NetworkID") in {"", self._network.find_id()}

    def _restarts(self, name: str) -> int:
        found = self._engine.find_container(name)
        return int(found["RestartCount"]) if found else 0

    def _ended(self, name: str, restarts: int) -> str | None:
        """Why waiting is in vain, or None."""
        found = self._engine.find_container(name)
        if found is None:
            return "somebody removed its container"
        state = found["State"]
        if found["RestartCount"] == restarts and state["Running"]:
            return None
        if state["OOMKilled"]:
            limit = found["HostConfig"]["Memory"] // 1024**2
            return f"the server was ended because it needs more memory than its {limit} MB (deploy.docker.memory)"
        if state["Running"]:
            return "the server ended and was restarted"
        return f"the server ended with exit code {state['ExitCode']}"

    def _not_ready(self, spec: ServerSpec, why: str) -> RolloutError:
        return RolloutError(
            "the new version did not get ready",
            on=spec.container,
            why=f"{why}; its last lines:\n{self.last_lines(spec.container)}",
            fix="Mend what the last lines name, then clear this task.",
        )
