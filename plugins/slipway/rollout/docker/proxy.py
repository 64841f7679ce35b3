"""The nginx in front of a model's containers: what it routes to, and how that changes without losing a request."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from slipway.core.errors import ConfigurationError, ConflictError, RolloutError
from slipway.rollout.docker.engine import DockerEngine
from slipway.rollout.docker.network import ModelNetwork
from slipway.rollout.docker.proxy_config import PUBLIC_PORT, SHUTDOWN_SECONDS, Route, parse_proxy_config, proxy_config
from slipway.rollout.docker.spec import CONFIG_FILE, CONFIG_FOLDER, PROXY_USER, ProxySpec

_NEXT = "next.conf"
_EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104  addresses that are compared, not bound
_LOOK_SECONDS = 0.2
_log = logging.getLogger(__name__)


class Proxy:
    """The proxy of one model."""

    def __init__(self, engine: DockerEngine, network: ModelNetwork, model: str) -> None:
        self._engine, self._network = engine, network
        self.name = f"slipway-{model}-proxy"

    def route(self) -> Route:
        """Where its configuration leads; nowhere if there is no proxy.

        Raises:
            ConflictError: a stranger's container has its name. ConfigurationError: somebody edited its configuration.
        """
        text = None
        if self._engine.find_container(self.name):
            text = self._engine.find_file(self.name, f"{CONFIG_FOLDER}/{CONFIG_FILE}")
        return parse_proxy_config(text, self.name) if text else Route()

    def published(self) -> tuple[str, int] | None:
        """The address and port that the engine publishes it at, or None if there is no proxy."""
        found = self._engine.find_container(self.name)
        bindings = found["HostConfig"]["PortBindings"].get(f"{PUBLIC_PORT}/tcp") if found else None
        return (bindings[0]["HostIp"], int(bindings[0]["HostPort"])) if bindings else None

    def ensure(self, spec: ProxySpec, registry_conn_id: str | None) -> None:
        """Have it run, with the configuration that it has, or one that leads nowhere yet.

        Raises:
            ConfigurationError: it is published elsewhere, and clients know that place.
            ConflictError: somebody else has the port, or the name.
        """
        found = self._engine.find_container(self.name)
        if found and not self._stands(found, spec):
            self._pull(spec, registry_conn_id)  # first: without it what is there can still be started
            self._engine.remove(self.name)  # of a killed attempt, a lost network, or another image
            found = None
        if found and (where := self.published()) != (spec.address, spec.port):
            raise self._elsewhere(where, spec)
        if found is None:
            self._refuse_a_taken_port(spec)
            self._create(spec, registry_conn_id)
        if found is None or not found["State"]["Running"]:
            self._start(spec)
        elif found["Config"]["Image"] != spec.image:
            _log.warning(
                "the proxy runs %s, and the model file says %s; replacing it interrupts the endpoint. When that suits, "
                "`docker stop %s` on that host, then clear this task",
                *(found["Config"]["Image"], spec.image, self.name),
            )

    def write(self, route: Route) -> None:
        """Put a configuration in place: checked by nginx first, then by one rename. Raises RolloutError: nginx refuses it."""
        path = f"{CONFIG_FOLDER}/{_NEXT}"
        self._engine.write_file(self.name, CONFIG_FOLDER, _NEXT, proxy_config(route))
        self._must("nginx refused the new configuration", ["nginx", "-t", "-q", "-e", "stderr", "-c", path], PROXY_USER)
        move = ["mv", "-f", path, f"{CONFIG_FOLDER}/{CONFIG_FILE}"]
        self._must("the new configuration could not be put in place", move, "0:0")

    def reload(self) -> set[str]:
        """Have nginx read its configuration; returns the worker processes that it had, which drain from now on."""
        before = self._workers()
        # Not by the engine's `kill`: older engines would take it for a stop, and never restart the container again.
        self._must("nginx could not be told to reload", ["sh", "-c", "kill -HUP 1"], PROXY_USER)
        return before

    def drain(self, workers: set[str]) -> None:
        """Wait until these have answered what they had.

        nginx itself ends them after SHUTDOWN_SECONDS; should it not, the previous version ends with its own grace period.
        """
        deadline = time.monotonic() + SHUTDOWN_SECONDS + 15
        while workers & self._workers() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)

    def remove(self) -> bool:
        """Remove it with its configuration; returns whether there was one."""
        gone = self._engine.remove(self.name)
        return self._engine.remove_volume(self.name) or gone

    def _stands(self, found: dict[str, Any], spec: ProxySpec) -> bool:
        """Whether it can go on: it runs, or was made for this network, of this image, and got its configuration."""
        if found["State"]["Running"]:
            return True
        if found["Config"]["Image"] != spec.image and self.published() == (spec.address, spec.port):
            return False
        endpoint = found["NetworkSettings"]["Networks"].get(self._network.name) or {}
        in_network = endpoint.get("NetworkID") in {"", self._network.find_id()}
        return in_network and self._engine.find_file(self.name, f"{CONFIG_FOLDER}/{CONFIG_FILE}") is not None

    def _create(self, spec: ProxySpec, registry_conn_id: str | None) -> None:
        self._pull(spec, registry_conn_id)
        if not self._engine.find_volume(self.name):
            self._engine.create_volume(self.name)
        self._engine.create_container(self.name, spec.config(self._network.name, self._network.proxy_address()))
        if self._engine.find_file(self.name, f"{CONFIG_FOLDER}/{CONFIG_FILE}") is None:
            self._engine.write_file(self.name, CONFIG_FOLDER, CONFIG_FILE, proxy_config(Route()))

    def _pull(self, spec: ProxySpec, registry_conn_id: str | None) -> None:
        if not self._engine.has_image(spec.image):
            self._engine.pull(spec.image, registry_conn_id)

    def _start(self, spec: ProxySpec) -> None:
        try:
            self._engine.start(self.name)
        except ConflictError as error:
            if not re.search(r"port is already allocated|address already in use", error.why):
                raise
            raise self._taken(spec, "another program on that host has the port") from error

    def _refuse_a_taken_port(self, spec: ProxySpec) -> None:
        for name, address, port in self._engine.published():
            same = address == spec.address or {address, spec.address} & _EVERYWHERE
            if port == spec.port and same and name != self.name:
                raise self._taken(spec, f"the container {name} has the port")

    def _taken(self, spec: ProxySpec, why: str) -> ConflictError:
        return ConflictError(
            "could not open the endpoint",
            on=f"{spec.address}:{spec.port} on {self._engine.host}",
            why=f"{why}; it was left alone",
            fix="Choose another port in the model file, or end what has this one.",
        )

    def _elsewhere(self, where: tuple[str, int] | None, spec: ProxySpec) -> ConfigurationError:
        address, port = where or ("", 0)
        return ConfigurationError(
            "could not move the endpoint",
            on=f"{address}:{port} on {self._engine.host}",
            why=f"the model file says {spec.address}:{spec.port}, and a running endpoint stays where its clients look for it",
            fix=f"Name {address}:{port} in the model file, or end it first: `docker rm -f {self.name}` on that host.",
        )

    def _workers(self) -> set[str]:
        found = self._engine.processes(self.name)
        return {number for number, command in found.items() if command.startswith("nginx: worker process")}

    def _must(self, failed: str, command: list[str], user: str) -> None:
        answer = self._engine.run(self.name, command, user)
        if answer.code:
            raise RolloutError(
                failed, on=self.name, why=answer.text[-500:] or f"exit code {answer.code}", fix="Clear this task."
            )
