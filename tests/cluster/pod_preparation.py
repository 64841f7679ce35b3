"""What a kubelet does before a container can be made: its image, its volumes, its environment; tried until it works."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster import fates
from tests.cluster.container_settings import NotThereError, container_settings, environment_of
from tests.cluster.pod_deletion import Deletion
from tests.cluster.pod_life import PodLife
from tests.cluster.store import Object, Store

T = TypeVar("T")


class Backoff:
    """How long to wait before another try: shorter than the kubelet's 10 s to 300 s, for which no test should wait."""

    def __init__(self, first_seconds: float = 1, longest_seconds: float = 8) -> None:
        self.first_seconds = first_seconds
        self.longest_seconds = longest_seconds

    def seconds(self, tries: int) -> float:
        """Before the next try after so many."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** max(0, tries - 1))


class Preparation:
    """Of one container of a pod; what fails is reported, and tried again after a while, until the pod is deleted."""

    def __init__(self, client: Any, store: Store, life: PodLife, deletion: Deletion, backoff: Backoff) -> None:
        self._client = client
        self._store = store
        self._life = life
        self._deletion = deletion
        self._backoff = backoff
        self._pod = life.pod
        self._spec: Object = life.pod["spec"]["containers"][0]
        self._name: str = self._spec["name"]

    # ------------------------------------------------------------------------------------------------- its image

    def have_image(self) -> bool:
        """Whether the engine has the image in the end; False: the pod was deleted before that."""
        import docker

        image, tries = self._spec["image"], 0
        if self._is_present(image):
            text = f'Container image "{image}" already present on machine'
            self._life.event("Pulled", text, container=self._name)
            return True
        while not self._deletion.begun:
            try:
                self._pull(image)
            except docker.errors.APIError as error:
                tries += 1
                self._could_not_pull(str(error.explanation or error), tries)
            else:
                return True
        return False

    def _is_present(self, image: str) -> bool:
        import docker

        tag = image.rpartition("/")[2].partition(":")[2]
        default = "Always" if "@" not in image and tag in {"", "latest"} else "IfNotPresent"
        if self._spec.get("imagePullPolicy", default) == "Always":
            return False
        with contextlib.suppress(docker.errors.ImageNotFound):
            self._client.images.get(image)
            return True
        return False

    def _pull(self, image: str) -> None:
        began = time.monotonic()
        self._life.event("Pulling", f'Pulling image "{image}"', container=self._name)
        repository, tag = split_reference(image)
        self._client.images.pull(repository, tag=tag)
        took = f"{time.monotonic() - began:.3f}s"
        text = f'Successfully pulled image "{image}" in {took} ({took} including waiting).'
        self._life.event("Pulled", text, container=self._name)

    def _could_not_pull(self, why: str, tries: int) -> None:
        fates.pull_failed(self._life, self._name, why)
        self._deletion.pause(min(0.2, self._backoff.first_seconds))
        if not self._deletion.begun:
            fates.pull_postponed(self._life, self._name, why)
            self._deletion.pause(self._backoff.seconds(tries))

    # ------------------------------------------------------------------------------------------ its configuration

    def find_settings(self, folder: Path) -> dict[str, Any] | None:
        """What the engine is told; None: the pod was deleted before all was there that the container refers to."""
        mounts = self._retried(lambda: self._mounts(folder), self._mount_failed)
        environment = self._retried(self._environment, self._configuration_failed)
        if mounts is None or environment is None:
            return None
        return container_settings(self._pod, self._spec, environment) | {"volumes": mounts}

    def _retried(self, find: Callable[[], T], report: Callable[[str], None]) -> T | None:
        while not self._deletion.begun:
            try:
                return find()
            except NotThereError as error:
                report(str(error.args[0]))
                self._deletion.pause(self._backoff.first_seconds)
        return None

    def _mount_failed(self, why: str) -> None:
        self._life.event("FailedMount", why, warning=True)

    def _configuration_failed(self, why: str) -> None:
        fates.config_failed(self._life, self._name, why)

    def _environment(self) -> dict[str, str]:
        self._check_user()
        return environment_of(self._pod, self._spec, self._life.address, self._look_up)

    def _look_up(self, kind: str, name: str) -> Mapping[str, str]:
        found = self._store.find(kind, self._life.namespace, name)
        if found is None:
            raise NotThereError(f'{kind.lower()} "{name}" not found')
        data: dict[str, str] = found.get("data", {})
        return data if kind == "ConfigMap" else {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _check_user(self) -> None:
        """A container that may not run as root does not, though its image says so."""
        security = self._pod["spec"].get("securityContext", {}) | self._spec.get("securityContext", {})
        if not security.get("runAsNonRoot"):
            return
        where = f'(pod: "{self._life.in_messages}", container: {self._name})'
        image_user = self._client.images.get(self._spec["image"]).attrs["Config"].get("User") or "0"
        user = str(security.get("runAsUser", image_user.partition(":")[0]))
        if not user.isdigit():
            text = f"image has non-numeric user ({user}), cannot verify user is non-root"
            raise NotThereError(f"container has runAsNonRoot and {text} {where}")
        if int(user) == 0:
            raise NotThereError(f"container has runAsNonRoot and image will run as root {where}")

    def _mounts(self, folder: Path) -> dict[str, dict[str, str]]:
        """ConfigMaps and Secrets as folders; an emptyDir is a matter of `container_settings`."""
        volumes = {volume["name"]: volume for volume in self._pod["spec"].get("volumes", [])}
        made = {}
        for mount in self._spec.get("volumeMounts", []):
            if "emptyDir" in volumes[mount["name"]]:
                continue
            path = folder / mount["name"]
            path.mkdir(exist_ok=True)
            for name, text in self._files(volumes[mount["name"]]).items():
                (path / name).write_text(text)
            made[str(path / mount.get("subPath", ""))] = {"bind": mount["mountPath"], "mode": "ro"}
        return made

    def _files(self, volume: Object) -> dict[str, str]:
        for kind, part, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            if part in volume:
                try:
                    data = self._look_up(kind, volume[part][name])
                except NotThereError as error:
                    why = error.args[0]
                    raise NotThereError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {why}') from error
                items = volume[part].get("items", [{"key": key, "path": key} for key in data])
                return {item["path"]: data[item["key"]] for item in items}
        raise NotThereError(f"this cluster has no volumes such as {volume['name']}")


def split_reference(image: str) -> tuple[str, str]:
    """Repository and tag or digest of an image's name; the tag `latest` where none is written."""
    if "@" in image:
        name, _, digest = image.partition("@")
        folder, slash, last = name.rpartition("/")
        return f"{folder}{slash}{last.partition(':')[0]}", digest
    folder, slash, last = image.rpartition("/")
    repository, _, tag = last.partition(":")
    return f"{folder}{slash}{repository}", tag or "latest"
