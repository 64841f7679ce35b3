"""An image without a Docker engine: the base's layers and one more, by the OCI image specification 1.1."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from typing import Any, Protocol

from slipway.containers.descriptor import INDEXES, LAYER_TYPES, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Manifest, describe
from slipway.core.errors import AbsentError, RejectedError
from slipway.core.identity import canonical_json
from slipway.image.layer import Layer
from slipway.image.recipe import Recipe

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Source(Protocol):
    """Where a base image is read from: a registry or a layout on disk."""

    def get_manifest(self, reference: str) -> Manifest:
        """The manifest of a tag or digest."""

    def read_blob(self, digest: str) -> bytes:
        """A small blob."""


@dataclass(frozen=True)
class Image:
    """A manifest with its configuration."""

    manifest: Manifest
    config: bytes

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Descriptors of the layers, bottom first."""
        return list(self.manifest.value["layers"])

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration as a value."""
        return dict(json.loads(self.config))


def read_image(source: Source, reference: str) -> Image:
    """The image of a tag or digest; of an image for several platforms, the one of this machine's.

    Raises:
        AbsentError: there is no such image, or none for this platform.
        RejectedError: it is not what its digest says, or no image of layers.
    """
    manifest = source.get_manifest(reference)
    if manifest.media_type in INDEXES:
        manifest = source.get_manifest(_for_this_platform(manifest, reference))
    try:
        image = Image(manifest, source.read_blob(manifest.value["config"]["digest"]))
        kinds = [layer["mediaType"] for layer in image.layers]
        sound = len(image.settings["rootfs"]["diff_ids"]) == len(kinds)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _no_image(reference, "it is no image") from error
    if unknown := [kind for kind in kinds if kind not in LAYER_TYPES]:
        raise _no_image(reference, f"it holds {unknown[0]!r:.100}")
    if not sound:
        raise _no_image(reference, "its configuration names other layers than its manifest")
    return image


def _no_image(reference: str, why: str) -> RejectedError:
    fix = "Build the image again, or name another one."
    return RejectedError("could not use the image", on=reference, why=why, fix=fix)


def _for_this_platform(index: Manifest, reference: str) -> str:
    wanted = ("linux", _ARCHITECTURES.get(platform.machine(), platform.machine()))
    found = {(one.get("os"), one.get("architecture")): str(item["digest"]) for item, one in _platforms(index)}
    if wanted not in found:
        has = ", ".join("/".join(map(str, one)) for one in found) or "none"
        why = f"it is for {has}, not for {'/'.join(wanted)}"
        raise AbsentError("could not use the base image", on=reference, why=why, fix="Build one for this platform.")
    return found[wanted]


def _platforms(index: Manifest) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    listed = index.value.get("manifests") or []
    return [(item, item.get("platform") or {}) for item in listed if isinstance(item, dict)]


def add_layer(base: Image, layer: Layer, recipe: Recipe) -> Image:
    """The base with one more layer and what the recipe says; the same arguments give the same bytes."""
    config = canonical_json(configuration(base.settings, layer, recipe))
    layers = [{**one, "mediaType": LAYER_TYPES[one["mediaType"]]} for one in base.layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(OCI_CONFIG, config),
        "layers": [*layers, {"mediaType": OCI_LAYER, "digest": layer.digest, "size": layer.size_bytes}],
        "annotations": recipe.labels,
    }
    return Image(Manifest(canonical_json(manifest), OCI_MANIFEST), config)


def configuration(base: dict[str, Any], layer: Layer, recipe: Recipe) -> dict[str, Any]:
    """The configuration of the base with one more layer.

    Only what the specification names: a base made by an engine also holds that engine's notes of its own build.
    """
    inner = dict(base.get("config") or {})
    inner["Env"] = _with_variables(inner.get("Env") or [], recipe.environment)
    inner["Labels"] = {**(inner.get("Labels") or {}), **recipe.labels}
    history = {"created": recipe.created, "created_by": f"Slipway: the bundle {recipe.bundle_digest}"}
    named: dict[str, Any] = {
        name: base[name] for name in ("architecture", "os", "os.version", "variant") if name in base
    }
    diff_ids = [*base["rootfs"]["diff_ids"], layer.digest]
    return {
        **named,
        "created": recipe.created,
        "config": {name: value for name, value in inner.items() if name in RUN_SETTINGS and value},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [*base.get("history", ()), history],
    }


# What of a configuration decides how a container runs.
RUN_SETTINGS = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal")


def _with_variables(variables: list[str], more: dict[str, str]) -> list[str]:
    kept = [variable for variable in variables if variable.partition("=")[0] not in more]
    return [*kept, *(f"{name}={value}" for name, value in sorted(more.items()))]
