"""The serving base: the image of `serving/` without a model, built once per change of that folder and named by its digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.containers.engine import build_and_push
from slipway.containers.engine_hook import DockerEngineHook
from slipway.containers.registry import Registry
from slipway.core.bundle import Runtime
from slipway.core.errors import AbsentError, RejectedError
from slipway.image.assembly import read_image
from slipway.image.base_sbom import attached_sboms, make_sbom
from slipway.image.build_context import base_context, serving_id
from slipway.image.keys import SigningKey
from slipway.image.pins import Pins
from slipway.image.push import attach
from slipway.image.sbom import sbom_artifact
from slipway.image.signature import sign_image, signature_tag
from slipway.image.signatures import verify_signature

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


def ensure_base(
    registry: Registry, runtime: Runtime, pins: Pins, build: BaseBuild, key: SigningKey | None = None
) -> tuple[str, bool]:
    """The base for bundles that `runtime` serves, ``registry/path@sha256:..``, and whether it was built now.

    All models share it, so two may build it at once: each goes on with the one that it noted first, by digest, whatever its
    tag names later. With a key, one that is not signed by it is built anew.

    Raises:
        AbsentError: the registry has none, and there is no engine to build it with.
    """
    build_args = {**build.build_args, _RUNTIME_ARGUMENT: runtime}
    name, tag = str(registry.repository), f"{runtime}-{serving_id(build.serving, build_args)[:16]}"
    digest = _find(registry, pins.find(name, tag), key) or _find(registry, tag, key)
    built = digest is None
    if digest is None:
        digest = _build(registry, tag, build, build_args)
    image = read_image(registry, digest)
    if key:
        attach(
            registry, sign_image(name, image.manifest.digest, key), image.manifest, signature_tag(image.manifest.digest)
        )
    pins.note(name, tag, digest)
    if not any(attached_sboms(registry, image)):
        attach(registry, sbom_artifact(make_sbom(registry, image, name)), image.manifest)
    return registry.repository.at(image.manifest.digest), built


def _find(registry: Registry, reference: str | None, key: SigningKey | None) -> str | None:
    """The digest of a base that is there and, where there is a key, signed by it."""
    found = registry.find_manifest(reference) if reference else None
    if found is None:
        return None
    if key:
        try:
            verify_signature(registry, read_image(registry, found.digest).manifest.digest, key.public)
        except RejectedError:
            return None
    return found.digest


def _build(registry: Registry, tag: str, build: BaseBuild, build_args: dict[str, str]) -> str:
    name = f"{registry.repository}:{tag}"
    if build.engine is None:
        raise AbsentError(
            "could not find the serving base",
            on=name,
            why="the registry has no image of this version of serving/ (that is signed by our key, if there is one), "
            "and image.engine_conn_id names no engine to build it",
            fix="Name a Docker engine in image.engine_conn_id for one run, or build and push it by hand: "
            f"docker build --build-arg {_RUNTIME_ARGUMENT}={build_args[_RUNTIME_ARGUMENT]} -t {name} serving/",
        )
    repository = str(registry.repository)
    with base_context(build.serving) as context:
        return build_and_push(build.engine, context, repository, tag, build.login, build_args=build_args, log=build.log)
