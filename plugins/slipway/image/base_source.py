"""The serving base to build on: an image in a registry, or in an OCI layout on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slipway.containers.layout import Layout
from slipway.containers.registry import Registry
from slipway.containers.repository import split_image
from slipway.image.assembly import Image, read_image

LAYOUT_SCHEME = "oci:"


@dataclass(frozen=True)
class BaseSource:
    """A base and where its layers are read from.

    Attributes:
        name: ``registry/path@sha256:..``, or ``oci:/folder``.
        digest: of its manifest.
        image: its manifest and configuration.
        source: its registry or layout.
    """

    name: str
    digest: str
    image: Image
    source: Registry | Layout


def base_in_registry(registry: Registry, name: str) -> BaseSource:
    """``registry/path@sha256:..``. Raises AbsentError, RejectedError."""
    image = read_image(registry, split_image(name)[1])  # of several platforms, this one's
    return BaseSource(registry.repository.at(image.manifest.digest), image.manifest.digest, image, registry)


def base_in_layout(address: str) -> BaseSource:
    """``oci:/folder``, or ``oci:/folder:name`` where the layout has several images. Raises AbsentError, RejectedError."""
    folder, _, reference = address.removeprefix(LAYOUT_SCHEME).partition(":")
    layout = Layout(Path(folder))
    image = read_image(layout, reference)
    return BaseSource(address, image.manifest.digest, image, layout)
