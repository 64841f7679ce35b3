"""The target `docker`: the versions of a model in containers on one engine, behind an nginx that routes to one of them.

The new container starts beside the old one. When it is ready nginx routes to it by a graceful reload, what the old one was
asked is answered, and it is stopped and kept for the way back. What is in service is written in nginx's configuration and
nowhere else (what nginx has loaded counts before what is on its disk), and every step is "what is wanted minus what is
there": a rollout that was killed anywhere is finished, or undone, by the next one. Only objects with the model's label are
touched.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from slipway.core.errors import ConfigurationError, RolloutError, SlipwayError
from slipway.core.identity import short
from slipway.rollout.docker.engine import DockerEngine
from slipway.rollout.docker.network import ModelNetwork
from slipway.rollout.docker.proxy import Proxy
from slipway.rollout.docker.proxy_config import PUBLIC_PORT, STATUS_PORT, Route, Upstream, parse_loaded
from slipway.rollout.docker.servers import READY, Servers
from slipway.rollout.docker.spec import SECOND, ProxySpec, ServerSpec
from slipway.rollout.served import check_image

_RELOAD_SECONDS = 20
_EVERYWHERE = "0.0.0.0"  # noqa: S104  compared, not bound
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DockerServing:
    """What answers at an endpoint now."""

    endpoint: str
    image: str
    digest: str
    container: str
    workers: int


@dataclass(frozen=True)
class Limits:
    """What one version is given."""

    workers: int
    memory_bytes: int
    cpus: float


class ContainerEndpoint:
    """The endpoint of one model on one engine."""

    def __init__(self, engine: DockerEngine, model: str) -> None:
        self._engine = engine
        self._network = ModelNetwork(engine, model)
        self._proxy = Proxy(engine, self._network, model)
        self._servers = Servers(engine, self._network)

    def find_active(self) -> DockerServing | None:
        """What is in service, or None."""
        published = self._proxy.published()
        active = self._route().active if published else None
        return self._serving(active, published) if active and published else None

    def limits(self, active: DockerServing) -> Limits | None:
        """What the container in service is given, or None if it is gone or somebody lifted its limits."""
        found = self._engine.find_container(active.container)
        host = found["HostConfig"] if found else {}
        if not host.get("Memory") or not host.get("NanoCpus"):
            return None
        return Limits(active.workers, host["Memory"], host["NanoCpus"] / SECOND)

    def published(self) -> tuple[str, int] | None:
        """Where the endpoint is published, or None before the first rollout."""
        return self._proxy.published()

    def ensure_serving(
        self,
        spec: ServerSpec,
        proxy: ProxySpec,
        *,
        keep: int,
        registry_conn_id: str | None = None,
        timeout_seconds: float = 120,
        rejects: bool = False,
    ) -> tuple[DockerServing, bool]:
        """Bring a version into service without losing a request.

        Args:
            spec: the version.
            proxy: where it is to be found.
            keep: how many previous containers stay, stopped, for an instant way back.
            registry_conn_id: Airflow connection with the registry's log-in; None: it needs none.
            timeout_seconds: how long the new version may take to get ready.
            rejects: the version that serves now was rejected: nobody will return to it, so that it is not kept.

        Returns:
            What answers now, and whether that is new.

        Raises:
            RolloutError: the new version did not get ready; the previous one keeps serving. Holds the server's last lines.
            ConfigurationError: the endpoint is published elsewhere or where nobody reaches it, or an image has no digest.
            ConflictError: port, container, network or volume belong to somebody else.
            AbsentError, DeniedError: the image cannot be had.
            UnavailableError: engine or registry do not answer, or the disk is full.
        """
        check_image(spec.image, spec.digest)
        self._open(proxy, registry_conn_id if _registry(proxy.image) == _registry(spec.image) else None)
        before = self._route()
        with self._backing_out(before, spec) as ours:
            address, started = self._servers.ensure_running(spec, registry_conn_id)
            self._servers.wait_until_ready(spec, timeout_seconds)
            upstream = Upstream(spec.container, address, spec.image, spec.digest, spec.workers)
            route = before if before.active == upstream else before.switched(upstream, rejects=rejects)
            others = self._servers.running() - {spec.container}
            switched = route != self._proxy.route() or bool(others) or not self._is_loaded(spec, route, seconds=0)
            if switched:
                _log.info("%s is ready; nginx routes to it from now on", spec.container)
                ours.add(route)
                self._switch(spec, route)
            self._verify(spec)
        for name in others:
            self._servers.stop(name)
        self._tidy(route, keep)
        return self._serving(upstream, (proxy.address, proxy.port)), started or switched

    def stop(self) -> bool:
        """Remove proxy, servers and network; returns whether there was anything.

        Raises:
            ConflictError: something of these names is a stranger's; the rest was removed.
        """
        removals = [self._proxy.remove]
        removals += [functools.partial(self._servers.remove, name) for name in self._servers.names()]
        gone, errors = list[bool](), list[SlipwayError]()
        for remove in (*removals, self._network.remove):
            try:
                gone.append(remove())
            except SlipwayError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return any(gone)

    def _open(self, proxy: ProxySpec, registry_conn_id: str | None) -> None:
        """Have the proxy run: what cannot have its port need not start a server. What fails to do so leaves nothing new."""
        self._refuse_what_nobody_reaches(proxy)
        try:
            self._network.ensure()
            self._proxy.ensure(proxy, registry_conn_id)
        except SlipwayError:
            with contextlib.suppress(SlipwayError):  # the first error is the one to tell
                if not self._servers.names():
                    self.stop()
            raise

    def _refuse_what_nobody_reaches(self, proxy: ProxySpec) -> None:
        """An endpoint on another host's loopback is of no use; one that is there already is not ended for that, though."""
        if is_loopback(self._engine.host) or not is_loopback(proxy.address) or self._proxy.published():
            return
        raise ConfigurationError(
            "could not open the endpoint",
            on=f"{proxy.address}:{proxy.port} on {self._engine.host}",
            why=f"{proxy.address} is that host's own loopback; nobody else reaches it",
            fix="Set deploy.docker.address.",
        )

    def _route(self) -> Route:
        """Where nginx leads: what it has loaded if one of our servers can ask it, or else what it would load.

        A rollout that was killed before nginx was told to reload has left a version on the disk that never served.
        """
        written = self._proxy.route()
        if written == Route() or not self._servers.running():
            return written
        loaded = parse_loaded(self._servers.ask_any(self._network.proxy_address(), STATUS_PORT, "/"))
        return loaded or written

    def _switch(self, spec: ServerSpec, route: Route) -> None:
        self._proxy.write(route)
        draining = self._proxy.reload()
        if not self._is_loaded(spec, route, seconds=_RELOAD_SECONDS):
            raise self._not_switched(spec, "nginx did not load its new configuration")
        self._proxy.drain(draining)

    def _is_loaded(self, spec: ServerSpec, route: Route, *, seconds: float) -> bool:
        """Whether nginx has that configuration in use, not merely on its disk."""
        where = (self._network.proxy_address(), STATUS_PORT, "/")
        return self._servers.ask(spec.container, *where, route.text, seconds=seconds)[0] == 0

    def _verify(self, spec: ServerSpec) -> None:
        where = (self._network.proxy_address(), PUBLIC_PORT, READY)
        code, text = self._servers.ask(spec.container, *where, spec.digest, seconds=10)
        if code:
            raise self._not_switched(spec, f"the new version does not answer through the proxy: {text[:200]}")

    @contextlib.contextmanager
    def _backing_out(self, before: Route, spec: ServerSpec) -> Iterator[set[Route]]:
        """When the rollout within fails: what served serves on, and what never did is gone.

        Gives the routes that are this rollout's to take back; what it writes is added to them.
        """
        ours = {before, self._proxy.route()}
        try:
            yield ours
        except SlipwayError as error:
            kept = f"{short(before.active.digest)} keeps serving" if before.active else "nothing was serving before"
            with contextlib.suppress(SlipwayError):  # the first error is the one to tell; a retry finds what is left
                self._back_out(before, spec, ours)
            if not isinstance(error, RolloutError):
                raise
            raise RolloutError(
                "could not roll out the new version",
                on=f"{error.on} on {self._engine.host}",
                why=f"{error.why}\n({kept})",
                fix=error.fix,
            ) from error

    def _back_out(self, before: Route, spec: ServerSpec, ours: set[Route]) -> None:
        now = self._proxy.route()
        serving = {route.active.container for route in (before, now) if route.active}
        if now in ours and before.active is None:
            self.stop()
            return
        if now in ours and now != before:  # else another run has switched meanwhile: not ours to take back
            self._proxy.write(before)
            self._proxy.drain(self._proxy.reload())
            serving = {before.active.container} if before.active else set()
        if spec.container not in serving:
            self._servers.remove(spec.container)

    def _tidy(self, route: Route, keep: int) -> None:
        """Remove all servers but the one in service and the last `keep` before it."""
        kept = {route.active.container if route.active else "", *route.served_before[:keep]}
        for name in self._servers.names():
            if name not in kept:
                self._servers.remove(name)

    def _serving(self, active: Upstream, published: tuple[str, int]) -> DockerServing:
        address, port = published
        host = self._engine.host if address == _EVERYWHERE or is_loopback(address) else address
        endpoint = f"http://{host}:{port}"
        return DockerServing(endpoint, active.image, active.digest, active.container, active.workers)

    def _not_switched(self, spec: ServerSpec, why: str) -> RolloutError:
        why = f"{why}; the new server's last lines:\n{self._servers.last_lines(spec.container)}"
        fix = f"Read `docker logs {self._proxy.name}` on that host, then clear this task."
        return RolloutError("could not switch to the new version", on=spec.container, why=why, fix=fix)


def is_loopback(host: str) -> bool:
    """Whether a host or address is this machine itself."""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _registry(image: str) -> str:
    return image.partition("/")[0]
