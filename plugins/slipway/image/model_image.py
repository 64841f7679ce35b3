"""The image of a model version: built by one of two builders, found again when it is there, never taken from a stranger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slipway.containers.engine import build_and_push, has_image, pull_with_engine
from slipway.containers.engine_hook import DockerEngineHook
from slipway.containers.registry import Registry
from slipway.core.errors import RejectedError
from slipway.image.assembly import RUN_SETTINGS, Image, add_layer, configuration, read_image
from slipway.image.base_source import BaseSource
from slipway.image.build_context import model_context
from slipway.image.layer import Layer
from slipway.image.pins import Pins
from slipway.image.push import push_image
from slipway.image.recipe import Recipe


@dataclass(frozen=True)
class Engine:
    """A Docker engine as a builder.

    Attributes:
        hook: which.
        login: for its pushes to the image's registry.
        base_login: for its pull of the base.
        log: a logger's method.
    """

    hook: DockerEngineHook
    login: dict[str, str] | None
    base_login: dict[str, str] | None
    log: Callable[..., None]


def ensure_image(
    registry: Registry, base: BaseSource, layer: Layer, recipe: Recipe, pins: Pins, engine: Engine | None
) -> tuple[Image, bool]:
    """The image in the registry, and whether it was built now.

    Args:
        registry: of the image's repository.
        base: the serving base and where it is.
        layer: the bundle.
        recipe: what else it is made of.
        pins: the digests that were used before.
        engine: builds it; None: it is put together here.

    Raises:
        RejectedError: the registry has another image under the tag.
    """
    name, found = str(registry.repository), registry.find_manifest(recipe.tag)
    pins.expect(name, recipe.tag, found.digest if found else None)
    if engine is None:
        image = add_layer(base.image, layer, recipe)
        digest = image.manifest.digest
        _expect_digest(name, recipe, image, found.digest if found else None)
        if found is None:
            push_image(registry, image, layer, base.source, recipe.tag)
    else:
        digest = found.digest if found else _build(engine, registry, base, layer, recipe)
        image = read_image(registry, digest)
        _expect_contents(name, recipe, base.image, image, layer)
    pins.note(name, recipe.tag, digest)
    return image, found is None


def _build(engine: Engine, registry: Registry, base: BaseSource, layer: Layer, recipe: Recipe) -> str:
    """Build and push; returns the digest."""
    if not has_image(engine.hook, base.name):
        pull_with_engine(engine.hook, base.name, engine.base_login)
    with model_context(layer, recipe) as context:
        return build_and_push(
            engine.hook,
            context,
            str(registry.repository),
            recipe.tag,
            engine.login,
            labels=recipe.labels,
            build_args={"BASE": base.name},
            log=engine.log,
        )


def _expect_digest(name: str, recipe: Recipe, wanted: Image, found: str | None) -> None:
    if found not in {None, wanted.manifest.digest}:
        raise _foreign(name, recipe, f"it is {found}, and this model version makes {wanted.manifest.digest}")


def _expect_contents(name: str, recipe: Recipe, base: Image, image: Image, layer: Layer) -> None:
    """An engine's image has a time of its own and so no digest to foresee, but layers and settings that are known."""
    wanted, found = configuration(base.settings, layer, recipe), image.settings
    if wanted["rootfs"]["diff_ids"] != found["rootfs"]["diff_ids"]:
        raise _foreign(name, recipe, "its layers are not the base's and the bundle's")
    for setting in RUN_SETTINGS:
        has, should = ((one.get("config") or {}).get(setting) or None for one in (found, wanted))
        if has != should:
            raise _foreign(name, recipe, f"its {setting} is {has!r:.200}, which should be {should!r:.200}")


def _foreign(name: str, recipe: Recipe, why: str) -> RejectedError:
    return RejectedError(
        "could not use the image",
        on=f"{name}:{recipe.tag}",
        why=f"the registry has an image under this tag that was not made by this run's recipe: {why}",
        fix="Find out who pushed it, delete the tag in the registry, and clear this task.",
    )
