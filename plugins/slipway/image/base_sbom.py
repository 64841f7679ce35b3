"""What is installed in a serving base: attached to it once, as its layers are large, and read from there."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import BinaryIO

from slipway.containers.registry import Registry
from slipway.image import sbom
from slipway.image.assembly import Image
from slipway.image.packages import find_packages
from slipway.image.push import LayerSource
from slipway.image.signatures import referrer_layers


def attached_sboms(registry: Registry, image: Image) -> Iterator[bytes]:
    """The bills of materials that are attached to an image, whoever attached them."""
    for found in registry.referrers(image.manifest.digest):
        if found.get("artifactType") != sbom.MEDIA_TYPE:
            continue
        for layer in referrer_layers(registry, found):
            yield registry.read_blob(layer["digest"])


def make_sbom(source: LayerSource, image: Image, name: str) -> bytes:
    """The bill of materials of an image, from its layers; `name` is for errors.

    Raises:
        RejectedError: a layer is damaged.
    """
    with closing(_opened(source, image)) as layers:
        return sbom.sbom_of_base(find_packages(layers, image=name))


def _opened(source: LayerSource, image: Image) -> Generator[BinaryIO]:
    """One layer after the other, each checked when it has been read."""
    for layer in image.layers:
        with source.open_blob(layer["digest"]) as stream:
            yield stream
