"""The serving base: the image of `serving/` without a model, built once per change of that folder and named by its digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.containers.engine import build_with_engine, push_with_engine
from slipway.containers.engine_hook import DockerEngineHook
from slipway.containers.registry import Registry
from slipway.core.bundle import Runtime
from slipway.core.errors import AbsentError
from slipway.image.assembly import read_image
from slipway.image.base_sbom import find_sbom, make_sbom
from slipway.image.build_context import base_context, serving_id
from slipway.image.pins import Pins
from slipway.image.push import attach
from slipway.image.sbom import sbom_artifact

_RUNTIME_ARGUMENT = "RUNTIME"


@dataclass(frozen=True)
class BaseBuild:
    """How a base is made where there is none yet.

    Attributes:
        serving: the folder `serving/`.
        build_args: of its Dockerfile.
        engine: builds it; None: there is no engine.
        login: for its push.
        log: a logger's method.
    """

    serving: Path
    build_args: dict[str, str]
    engine: DockerEngineHook | None
    login: dict[str, str] | None
    log: Callable[..., None]


def ensure_base(registry: Registry, runtime: Runtime, pins: Pins, build: BaseBuild) -> tuple[str, bool]:
    """The base for bundles that `runtime` serves, ``registry/path@sha256:..``, and whether it was built now.

    Raises:
        AbsentError: the registry has none, and there is no engine to build it with.
        RejectedError: another image is under its tag than the one used before.
    """
    build_args = {**build.build_args, _RUNTIME_ARGUMENT: runtime}
    tag = f"{runtime}-{serving_id(build.serving, build_args)[:16]}"
    found = registry.find_manifest(tag)
    pins.expect(str(registry.repository), tag, found.digest if found else None)
    if found is None:
        _build(registry, tag, build, build_args)
    image = read_image(registry, tag)
    pins.note(tag, image.manifest.digest)
    if find_sbom(registry, image) is None:
        attach(registry, sbom_artifact(make_sbom(registry, image, str(registry.repository))), image.manifest)
    return registry.repository.at(image.manifest.digest), found is None


def _build(registry: Registry, tag: str, build: BaseBuild, build_args: dict[str, str]) -> None:
    name = f"{registry.repository}:{tag}"
    if build.engine is None:
        raise AbsentError(
            "could not find the serving base",
            on=name,
            why="the registry has no image of this version of serving/, and image.engine_conn_id names no engine to build it",
            fix="Name a Docker engine in image.engine_conn_id for one run, or build and push it by hand: "
            f"docker build --build-arg {_RUNTIME_ARGUMENT}={build_args[_RUNTIME_ARGUMENT]} -t {name} serving/",
        )
    with base_context(build.serving) as context:
        build_with_engine(build.engine, context, name=name, build_args=build_args, log=build.log)
    push_with_engine(build.engine, str(registry.repository), tag, build.login)
