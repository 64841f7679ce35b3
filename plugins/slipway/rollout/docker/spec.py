"""What the containers of a model look like, in the Docker Engine API's own words; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway.core.identity import content_id
from slipway.rollout.docker.proxy_config import PUBLIC_PORT, SERVER_PORT
from slipway.rollout.served import ServerAccess

SERVER_USER = "10001:10001"
PROXY_USER = "10002:10002"
STOP_SECONDS = 40  # more than the server takes to drain
RESTART = {"Name": "unless-stopped"}
CONFIG_FOLDER = "/etc/slipway"
CONFIG_FILE = "nginx.conf"
SECOND = 1_000_000_000  # the API counts nanoseconds, also of a CPU's time in a second

_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}
_LOGS = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
_IS_READY = (
    "import urllib.request as r; "
    f"r.build_opener(r.ProxyHandler({{}})).open('http://127.0.0.1:{SERVER_PORT}/v2/health/ready', timeout=5)"
)
_SAFE = {
    "ReadonlyRootfs": True,
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "LogConfig": _LOGS,
}


@dataclass(frozen=True)
class ServerSpec:
    """One version as it is to be served.

    Attributes:
        model: whose.
        image: ``<registry>/<path>@sha256:<64 hex digits>``.
        digest: the bundle's.
        workers: server processes.
        access: who may ask; None: everyone.
        memory_bytes, cpus: limits of the container.
    """

    model: str
    image: str
    digest: str
    workers: int
    access: ServerAccess | None
    memory_bytes: int
    cpus: float

    @property
    def identity(self) -> str:
        """Two specs are equal exactly if their identities are."""
        return content_id(self._config())

    @property
    def container(self) -> str:
        """The container's name, made of what it is."""
        return f"slipway-{self.model}-{self.identity[:12]}"

    def config(self, network: str, address: str, *, pulled: bool) -> dict[str, Any]:
        """The container with its labels, at a fixed address of our network.

        The address is fixed because nginx looks it up once: a container that restarts has it again.
        """
        config = self._config()
        config["Labels"] = {
            "slipway.model": self.model,
            "slipway.role": "server",
            "slipway.bundle": self.digest,
            "slipway.image": self.image,
            "slipway.spec": self.identity,
            "slipway.pulled": str(pulled).lower(),
        }
        config["HostConfig"]["NetworkMode"] = network
        config["NetworkingConfig"] = _at(network, address)
        return config

    def _config(self) -> dict[str, Any]:
        command = ["serve"] if self.access else ["serve", "--open"]
        if self.access and self.access.requests_per_second:
            command += ["--requests-per-second", f"{self.access.requests_per_second:g}"]
            command += ["--burst", str(self.access.burst)]
        environment = {"SLIPWAY_BUNDLE_DIGEST": self.digest, "SLIPWAY_WORKERS": str(self.workers)}
        if self.access:
            environment["SLIPWAY_API_KEY_HASHES"] = " ".join(self.access.key_hashes)
        return {
            "Image": self.image,
            "Cmd": command,
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "User": SERVER_USER,
            "StopSignal": "SIGTERM",
            "StopTimeout": STOP_SECONDS,
            "Healthcheck": {
                "Test": ["CMD", "python3", "-c", _IS_READY],
                "Interval": 15 * SECOND,
                "Timeout": 10 * SECOND,
                "StartPeriod": 60 * SECOND,
                "Retries": 3,
            },
            "HostConfig": {
                **_SAFE,
                # Once it was ready it is restarted when it ends; before, its end is the answer to whether it gets ready.
                "RestartPolicy": {"Name": "no"},
                "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108  the container's own
                "Memory": self.memory_bytes,
                "MemorySwap": self.memory_bytes,
                "NanoCpus": round(self.cpus * SECOND),
                "PidsLimit": 1024,
            },
        }


@dataclass(frozen=True)
class ProxySpec:
    """The nginx in front: its image, and where the engine publishes it."""

    model: str
    image: str
    address: str
    port: int

    @property
    def container(self) -> str:
        """The name of its container, and of the volume with its configuration."""
        return f"slipway-{self.model}-proxy"

    def config(self, network: str, address: str) -> dict[str, Any]:
        """The container."""
        port = f"{PUBLIC_PORT}/tcp"
        return {
            "Image": self.image,
            "Entrypoint": ["nginx", "-c", f"{CONFIG_FOLDER}/{CONFIG_FILE}", "-e", "stderr", "-g", "daemon off;"],
            "Cmd": [],
            "User": PROXY_USER,
            "StopSignal": "SIGQUIT",
            "StopTimeout": STOP_SECONDS,
            "ExposedPorts": {port: {}},
            "Labels": {"slipway.model": self.model, "slipway.role": "proxy", "slipway.image": self.image},
            "HostConfig": {
                **_SAFE,
                "RestartPolicy": RESTART,
                "NetworkMode": network,
                "PortBindings": {port: [{"HostIp": self.address, "HostPort": str(self.port)}]},
                # Writable for root alone, who renames a new configuration into place; nginx runs as another user.
                "Mounts": [{"Type": "volume", "Source": self.container, "Target": CONFIG_FOLDER}],
                "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},  # noqa: S108
                "Memory": 512 * 1024**2,
                "MemorySwap": 512 * 1024**2,
                "PidsLimit": 512,
            },
            "NetworkingConfig": _at(network, address),
        }


def memory_bytes(text: str) -> int:
    """The bytes of ``512m`` and the like."""
    return int(text[:-1]) * _UNITS[text[-1].lower()]


def _at(network: str, address: str) -> dict[str, Any]:
    return {"EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": address}}}}
