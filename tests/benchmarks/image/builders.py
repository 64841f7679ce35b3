"""The two ways from a bundle to an image in a registry that are compared; each returns `repository@sha256:..`.

Both put the same layer on the same base and push; what Slipway looks up before and holds against its notes after either is
in neither.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from slipway.containers import engine
from slipway.containers.registry import Registry
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import Repository, split_image
from slipway.core.bundle import MANIFEST, METADATA, Manifest, Metadata, bundle_digest
from slipway.image.assembly import add_layer
from slipway.image.base_source import base_in_registry
from slipway.image.build_context import model_context
from slipway.image.layer import Layer, write_bundle_layer
from slipway.image.push import push_image
from slipway.image.recipe import Recipe, make_recipe
from tests.docker_host import engine_hook


def build_daemonless(bundle_folder: Path, repository: str, base_ref: str) -> str:
    """Slipway's own builder: layer, manifest and upload by this process."""
    with tempfile.TemporaryDirectory() as folder:
        layer, recipe = _prepare(bundle_folder, base_ref, Path(folder), "daemonless")
        registry = _registry(Repository.parse(repository))
        base = base_in_registry(_registry(split_image(base_ref)[0]), base_ref)
        image = add_layer(base.image, layer, recipe)
        push_image(registry, image, layer, base.source, recipe.tag)
    return registry.repository.at(image.manifest.digest)


def build_with_engine(bundle_folder: Path, repository: str, base_ref: str) -> str:
    """What the engine does of the same: build and push."""
    with tempfile.TemporaryDirectory() as folder:
        layer, recipe = _prepare(bundle_folder, base_ref, Path(folder), "engine")
        with model_context(layer, recipe) as context:
            engine.build_with_engine(
                engine_hook(),
                context,
                name=f"{repository}:{recipe.tag}",
                labels=recipe.labels,
                build_args={"BASE": base_ref},
                log=logging.getLogger(__name__).debug,
            )
    return f"{repository}@{engine.push_with_engine(engine_hook(), repository, recipe.tag, None)}"


def _prepare(bundle: Path, base_ref: str, folder: Path, builder: str) -> tuple[Layer, Recipe]:
    files = Manifest.model_validate_json((bundle / MANIFEST).read_bytes()).files
    layer = write_bundle_layer(bundle, [*files, MANIFEST], folder / "layer.tar")
    recipe = make_recipe(
        Metadata.model_validate_json((bundle / METADATA).read_bytes()),
        base_digest=split_image(base_ref)[1],
        bundle_digest=bundle_digest((bundle / MANIFEST).read_bytes()),
        layer_digest=layer.digest,
        builder=builder,
    )
    return layer, recipe


def _registry(repository: Repository) -> Registry:
    return Registry(RegistrySession(repository))
