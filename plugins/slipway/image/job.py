"""Base, image and what is attached to it, for one model: connections opened, parts put in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from slipway.containers.engine_hook import DockerEngineHook
from slipway.containers.registry import Registry
from slipway.containers.registry_hook import open_registry, registry_login
from slipway.containers.repository import Repository, split_image
from slipway.core.bundle import MANIFEST, METADATA, Manifest, Metadata
from slipway.core.errors import UnavailableError
from slipway.core.image_section import Image as ImageSection
from slipway.image.attachments import attach_all
from slipway.image.base_image import BaseBuild, ensure_base
from slipway.image.base_source import LAYOUT_SCHEME, BaseSource, base_in_layout, base_in_registry
from slipway.image.keys import SigningKey
from slipway.image.layer import write_bundle_layer
from slipway.image.model_image import Engine, ensure_image
from slipway.image.pins import Pins
from slipway.image.recipe import make_recipe
from slipway.image.signatures import verify_signature
from slipway.image.signing_hook import SigningHook
from slipway.storage.bundle_download import ensure_bundle
from slipway.storage.object_store import ObjectStore


@dataclass(frozen=True)
class Built:
    """An image in the registry.

    Attributes:
        image: ``registry/path@sha256:..``.
        tag: for people.
        changed: whether it was built now.
        attached: what was attached to it now.
    """

    image: str
    tag: str
    changed: bool
    attached: tuple[str, ...]


@dataclass(frozen=True)
class ImageJob:
    """What the tasks of the station do; connects on use.

    Attributes:
        section: `image:` of the model file.
        store: the model's.
        log: a logger's method; gets the lines of a build.
    """

    section: ImageSection
    store: ObjectStore
    log: Callable[..., None]

    def ensure_base(self, key: str, serving: Path) -> tuple[str, bool]:
        """The serving base for the bundle at `key`, and whether it was built now; a base by digest is only looked up.

        Raises:
            AbsentError, RejectedError, DeniedError, UnavailableError, ConfigurationError: see `base_image.ensure_base`.
        """
        where = self.section.base_repository
        if where.startswith(LAYOUT_SCHEME) or "@" in where:
            return self._base(where).name, False
        repository, engine_id = Repository.parse(where), self.section.engine_conn_id
        build = BaseBuild(
            serving,
            self.section.build_args,
            DockerEngineHook(engine_id) if engine_id else None,
            registry_login(repository.registry, self._conn_id_for(repository)),
            self.log,
        )
        metadata = Metadata.model_validate_json(self.store.read(f"{key}{METADATA}"))
        return ensure_base(self._registry(repository), metadata.runtime, Pins(self.store), build, self._signing_key())

    def ensure_image(self, key: str, digest: str, base: str, *, description: str, run_id: str) -> Built:
        """The image of the bundle at `key` on `base`, in the registry, with all that belongs to it attached.

        Raises:
            RejectedError: a digest is not what it should be. Others as `model_image.ensure_image`.
            UnavailableError: this machine's disk is full.
        """
        try:
            return self._ensure_image(key, digest, base, description, run_id)
        except OSError as error:
            fix = "Free space where temporary files go (TMPDIR), then clear this task."
            raise UnavailableError("could not build the image", on=key, why=str(error), fix=fix) from error

    def _ensure_image(self, key: str, digest: str, base: str, description: str, run_id: str) -> Built:
        signing_key = self._signing_key()  # before anything is pushed
        with TemporaryDirectory(prefix="slipway-image-") as folder:
            bundle = ensure_bundle(self.store, key, digest, Path(folder))
            metadata = Metadata.model_validate_json((bundle / METADATA).read_bytes())
            files = Manifest.model_validate_json((bundle / MANIFEST).read_bytes()).files
            layer = write_bundle_layer(bundle, [*files, MANIFEST], Path(folder) / "layer.tar")
            source = self._base(base)
            recipe = make_recipe(
                metadata,
                base_digest=source.digest,
                bundle_digest=digest,
                layer_digest=layer.digest,
                builder=self.section.builder,
                description=description,
                labels=self.section.labels,
            )
            registry = self._registry(Repository.parse(self.section.repository))
            image, changed = ensure_image(registry, source, layer, recipe, Pins(self.store), self._engine(source))
        attached = attach_all(registry, image, source, recipe, metadata, key=signing_key, run_id=run_id)
        return Built(registry.repository.at(image.manifest.digest), recipe.tag, changed, attached)

    def verify(self, image: str) -> None:
        """Whether the image carries a signature by the key of `signing_conn_id`. Raises RejectedError: it does not."""
        repository, digest = split_image(image)
        key = SigningHook(str(self.section.signing_conn_id)).get_verifying_key()
        verify_signature(self._registry(repository), digest, key)

    def _signing_key(self) -> SigningKey | None:
        conn_id = self.section.signing_conn_id
        return SigningHook(conn_id).get_signing_key() if conn_id else None

    def _base(self, name: str) -> BaseSource:
        if name.startswith(LAYOUT_SCHEME):
            return base_in_layout(name)
        return base_in_registry(self._registry(split_image(name)[0]), name)

    def _engine(self, base: BaseSource) -> Engine | None:
        if self.section.builder != "engine":
            return None
        repository, base_repository = Repository.parse(self.section.repository), split_image(base.name)[0]
        return Engine(
            DockerEngineHook(str(self.section.engine_conn_id)),
            registry_login(repository.registry, self.section.conn_id),
            registry_login(base_repository.registry, self._conn_id_for(base_repository)),
            self.log,
        )

    def _registry(self, repository: Repository) -> Registry:
        return open_registry(repository, self._conn_id_for(repository))

    def _conn_id_for(self, repository: Repository) -> str | None:
        """The log-in is the image's registry's; a base elsewhere is read without one."""
        same = repository.registry == Repository.parse(self.section.repository).registry
        return self.section.conn_id if same else None
