"""Rolling a model out to containers on a Docker host, and back, as tasks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from slipway.core.identity import short
from slipway.rollout.endpoint_operators import EndpointOperator, RestoreOperator, RollOutImageOperator

if TYPE_CHECKING:
    from slipway.core.release import Release
    from slipway.rollout.docker.engine import DockerEngine
    from slipway.rollout.docker.spec import ProxySpec, ServerSpec
    from slipway.rollout.docker.target import Limits

_MEMORY_PER_WORKER = 512 * 1024**2


class _DockerOperator(EndpointOperator):
    """What rollout and undo share; `target` is the model file's `DockerTarget`.

    Args:
        registry_conn_id: Airflow connection of type docker with the registry's log-in; None: it needs none.
    """

    step = "rollout/docker"

    def __init__(self, *, registry_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.registry_conn_id = registry_conn_id

    def engine(self) -> DockerEngine:
        """The engine that the target's connection names; connects on first use."""
        from slipway.containers.engine_hook import DockerEngineHook
        from slipway.rollout.docker.engine import DockerEngine

        return DockerEngine(DockerEngineHook(self.target.conn_id), self.model)

    def serve(self, spec: ServerSpec, proxy: ProxySpec, *, rejects: bool = False) -> dict[str, Any]:
        """Bring a version into service; returns the task's result."""
        from slipway.rollout.docker.target import ContainerEndpoint

        serving, changed = ContainerEndpoint(self.engine(), self.model).ensure_serving(
            spec, proxy, keep=self.target.keep, registry_conn_id=self.registry_conn_id, rejects=rejects
        )
        verb = "rolled out" if changed else "already serving, nothing to roll out:"
        return {
            "target": "docker",
            **asdict(serving),
            "open": self.access.open,
            "changed": changed,
            "summary": f"{verb} {short(spec.digest)} at {serving.endpoint} in {serving.container}",
        }

    def server_spec(self, image: str, digest: str, limits: Limits | None = None) -> ServerSpec:
        """The version with these limits, or else as the model file wants it served."""
        from slipway.rollout.docker.spec import ServerSpec

        given = limits or self.limits()
        access = self.server_access()
        return ServerSpec(self.model, image, digest, given.workers, access, given.memory_bytes, given.cpus)

    def limits(self) -> Limits:
        """What the model file gives a version."""
        from slipway.rollout.docker.spec import memory_bytes
        from slipway.rollout.docker.target import Limits

        target = self.target
        memory = memory_bytes(target.memory) if target.memory else target.workers * _MEMORY_PER_WORKER
        cpus = target.cpus or min(target.workers, self.engine().info()["NCPU"])  # the engine refuses more than it has
        return Limits(target.workers, memory, float(cpus))

    def proxy_spec(self, published: tuple[str, int] | None = None) -> ProxySpec:
        """The nginx in front, where the model file says or at `published`."""
        from slipway.rollout.docker.spec import ProxySpec

        address, port = published or (self.target.address, self.target.port)
        return ProxySpec(self.model, self.target.proxy_image, address, port)


class RollOutDockerOperator(_DockerOperator, RollOutImageOperator):
    """Serve the image from a container on a Docker host, replacing the version before it without losing a request.

    The new container starts beside the old one; an nginx on that host routes to it once it is ready. The containers outlive
    the task, and restart when they crash or the host does. What serves this very image already is left as it is. A version that
    does not get ready leaves the previous one serving, and its last log lines are in the task's error. When the gate said no,
    the task is skipped with the gate's reason.
    """

    def find_state(self, champion: Release | None) -> dict[str, Any]:
        """What serves, and the champion's image: the release's, or else what the engine serves the champion from.

        A champion with neither never was in a container: there is nothing to return to. What its container is given is
        written down, too: by then the model file may give less than it needs.
        """
        from slipway.rollout.docker.target import ContainerEndpoint

        endpoint = ContainerEndpoint(self.engine(), self.model)
        active, found = endpoint.find_active(), dict[str, Any](champion=None, image=None, limits=None)
        if champion and active and active.digest == champion.bundle_digest:
            limits = endpoint.limits(active)
            found = {
                "champion": active.digest,
                "image": champion.image or active.image,
                "limits": limits and asdict(limits),
            }
        elif champion and champion.image:
            found = {"champion": champion.bundle_digest, "image": champion.image, "limits": None}
        return {"digest": active.digest if active else None, **found}

    def roll_out(self) -> dict[str, Any]:
        """Returns ``{"target", "endpoint", "image", "digest", "container", "workers", "open", "changed", "summary"}``."""
        return self.serve(self.server_spec(self.image["image"], self.bundle["digest"]), self.proxy_spec())


class RestoreDockerOperator(_DockerOperator, RestoreOperator):
    """Undo this run's rollout: the champion's image serves again, or nothing if there was none. No image is built."""

    def bring_back(self, found: dict[str, Any]) -> dict[str, Any]:
        """Have the champion's image serve."""
        from slipway.rollout.docker.target import ContainerEndpoint, Limits

        # A model file that names another port now must not keep the champion from where its clients look for it.
        published = ContainerEndpoint(self.engine(), self.model).published()
        limits = Limits(**found["limits"]) if found.get("limits") else None  # journals of older versions have none
        spec = self.server_spec(found["image"], found["champion"], limits)
        return self.serve(spec, self.proxy_spec(published), rejects=True)

    def stop(self) -> bool:
        """Remove proxy, servers and network."""
        from slipway.rollout.docker.target import ContainerEndpoint

        return ContainerEndpoint(self.engine(), self.model).stop()
