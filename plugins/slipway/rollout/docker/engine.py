"""What we ask a Docker engine to do, on the objects of one model only: those that carry its label.

An object of the same name without the label is somebody else's; it is reported and left alone.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.containers.engine import has_image, pull_with_engine
from slipway.containers.engine_hook import DockerEngineHook
from slipway.containers.registry_hook import registry_login
from slipway.core.errors import AbsentError, ConflictError

MODEL_LABEL = "slipway.model"
_LOG_LINES = 20
_LOG_CHARACTERS = 3000


@dataclass(frozen=True)
class Answer:
    """What a command in a container ended with."""

    code: int
    text: str


class DockerEngine:
    """The engine, for one model.

    Every method raises DeniedError, UnavailableError, AbsentError, ConflictError or ConfigurationError as the engine answers.
    """

    def __init__(self, hook: DockerEngineHook, model: str) -> None:
        self._hook, self._model = hook, model
        self.labels = {MODEL_LABEL: model}

    @property
    def host(self) -> str:
        """Where published ports are found."""
        return self._hook.address.host

    def info(self) -> dict[str, Any]:
        """The engine's own description."""
        with self._hook.translated("could not ask the Docker engine", self.host):
            return dict(self._hook.client.info())

    # containers

    def container_names(self, role: str) -> list[str]:
        """Our containers of that role, running or not.

        Containers inherit the labels of their image, so that one which somebody else runs from ours has them, too.
        """
        wanted = {"label": [f"{MODEL_LABEL}={self._model}", f"slipway.role={role}"]}
        with self._hook.translated("could not list containers", self.host):
            found = self._hook.client.containers(all=True, filters=wanted)
        names = [each["Names"][0].lstrip("/") for each in found if each["Names"]]
        return [name for name in names if name.startswith(f"slipway-{self._model}-")]

    def published(self) -> list[tuple[str, str, int]]:
        """Every published port of the host's running containers: container, address, port."""
        with self._hook.translated("could not list containers", self.host):
            found = self._hook.client.containers()
        return [
            (each["Names"][0].lstrip("/"), port.get("IP", ""), port["PublicPort"])
            for each in found
            for port in each.get("Ports") or []
            if "PublicPort" in port and each["Names"]
        ]

    def find_container(self, name: str) -> dict[str, Any] | None:
        """What the engine knows of our container, or None. Raises ConflictError: it is a stranger's."""
        found = self._find("could not look at the container", name, lambda client: client.inspect_container(name))
        if found is None or found["Name"] != f"/{name}":  # the engine also finds by the beginning of an id
            return None
        self._check_ours("container", name, found["Config"].get("Labels"))
        return dict(found)

    def create_container(self, name: str, config: dict[str, Any]) -> None:
        """Make a container; `config` is the engine API's."""
        with self._hook.translated("could not create the container", name):
            self._hook.client.create_container_from_config(config, name)

    def start(self, name: str) -> None:
        """Start a container; nothing happens if it runs."""
        with self._hook.translated("could not start the container", name):
            self._hook.client.start(name)

    def stop(self, name: str, seconds: int) -> None:
        """End it by its stop signal, or by force after `seconds`; nothing happens without one."""
        if self.find_container(name):
            with self._hook.translated("could not stop the container", name):
                self._hook.client.stop(name, timeout=seconds)

    def set_restart(self, name: str, policy: dict[str, str]) -> None:
        """Say what becomes of it when it ends."""
        with self._hook.translated("could not set the restart policy of the container", name):
            self._hook.client.update_container(name, restart_policy=policy)

    def remove(self, name: str) -> bool:
        """Remove it, running or not; returns whether there was one."""
        if self.find_container(name) is None:
            return False
        with self._hook.translated("could not remove the container", name):
            self._hook.client.remove_container(name, force=True, v=True)
        return True

    def last_lines(self, name: str) -> str:
        """The end of what it wrote."""
        with self._hook.translated("could not read the log of the container", name):
            data: bytes = self._hook.client.logs(name, tail=_LOG_LINES)
        return data.decode(errors="replace").strip()[-_LOG_CHARACTERS:]

    def run(self, name: str, command: list[str], user: str) -> Answer:
        """Run a command inside and wait for it."""
        client = self._hook.client
        with self._hook.translated(f"could not run {command[0]} in the container", name):
            created = client.exec_create(name, command, user=user)["Id"]
            text = client.exec_start(created)
            code = client.exec_inspect(created)["ExitCode"]
        return Answer(-1 if code is None else code, text.decode(errors="replace").strip())

    def processes(self, name: str) -> dict[str, str]:
        """The command line of each of its processes, by its number on the host."""
        with self._hook.translated("could not list the processes of the container", name):
            found = self._hook.client.top(name, ps_args="-eo pid,args")
        return {row[0]: row[-1] for row in found["Processes"] or []}

    def write_file(self, name: str, folder: str, file: str, text: str) -> None:
        """Write a file of root's that everyone may read into a container, running or not."""
        data = text.encode()
        entry = tarfile.TarInfo(file)
        entry.size, entry.mode = len(data), 0o644
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(entry, io.BytesIO(data))
        with self._hook.translated(f"could not write {folder}/{file} of the container", name):
            self._hook.client.put_archive(name, folder, packed.getvalue())

    def find_file(self, name: str, path: str) -> str | None:
        """A file's text, or None if it is not there."""
        packed = self._find(
            f"could not read {path} of the container", name, lambda client: b"".join(client.get_archive(name, path)[0])
        )
        if packed is None:
            return None
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            return member.read().decode() if member else None

    # images

    def has_image(self, image: str) -> bool:
        """Whether the engine has it already."""
        return has_image(self._hook, image)

    def pull(self, image: str, registry_conn_id: str | None) -> None:
        """Pull an image by digest or tag."""
        pull_with_engine(self._hook, image, registry_login(image.partition("/")[0], registry_conn_id))

    def forget_image(self, image: str) -> None:
        """Remove an image that was pulled for us, unless a container still needs it."""
        with contextlib.suppress(ConflictError):
            self._find("could not remove the image", image, lambda client: client.remove_image(image))

    # networks and volumes

    def find_network(self, name: str) -> dict[str, Any] | None:
        """What the engine knows of our network, or None. Raises ConflictError: it is a stranger's."""
        found = self._find("could not look at the network", name, lambda client: client.inspect_network(name))
        if found is None or found["Name"] != name:
            return None
        self._check_ours("network", name, found.get("Labels"))
        return dict(found)

    def create_network(self, name: str, pool: dict[str, str] | None = None) -> None:
        """Make a bridge; without `pool` the engine picks a subnet that is free."""
        ipam = {"Driver": "default", "Config": [pool]} if pool else None
        with self._hook.translated("could not create the network", name):
            self._hook.client.create_network(name, "bridge", ipam=ipam, check_duplicate=True, labels=self.labels)

    def remove_network(self, name: str) -> bool:
        """Remove it; returns whether there was one."""
        network = self.find_network(name)
        if network is None:
            return False
        with self._hook.translated("could not remove the network", name):
            self._hook.client.remove_network(network["Id"])
        return True

    def find_volume(self, name: str) -> bool:
        """Whether our volume is there. Raises ConflictError: it is a stranger's."""
        found = self._find("could not look at the volume", name, lambda client: client.inspect_volume(name))
        if found is None:
            return False
        self._check_ours("volume", name, found.get("Labels"))
        return True

    def create_volume(self, name: str) -> None:
        """Make a volume of the engine's own driver."""
        with self._hook.translated("could not create the volume", name):
            self._hook.client.create_volume(name, labels=self.labels)

    def remove_volume(self, name: str) -> bool:
        """Remove it; returns whether there was one."""
        if not self.find_volume(name):
            return False
        with self._hook.translated("could not remove the volume", name):
            self._hook.client.remove_volume(name)
        return True

    def _find(self, failed: str, on: str, ask: Callable[[Any], Any]) -> Any:
        """What `ask` gets of the engine, or None if that is not there."""
        client = self._hook.client  # outside: what is absent here is the connection
        try:
            with self._hook.translated(failed, on):
                return ask(client)
        except AbsentError:
            return None

    def _check_ours(self, kind: str, name: str, labels: dict[str, str] | None) -> None:
        if (labels or {}).get(MODEL_LABEL) != self._model:
            raise ConflictError(
                f"could not use the {kind}",
                on=f"{name} on {self.host}",
                why=f"it lacks the label {MODEL_LABEL}={self._model}, so somebody else made it; it was left alone",
                fix=f"Rename or remove that {kind}, or give the model another name.",
            )
