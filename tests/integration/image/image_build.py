"""A bundle in a store, and the station's job on it, as the tasks run it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from slipway.core.bundle import bundle_digest
from slipway.core.image_section import Image
from slipway.image.job import Built, ImageJob
from slipway.storage.object_store import open_store
from tests.bundle_maker import make_bundle


class StoredBundle:
    """A bundle by hand at ``models/one/`` of a store in `folder`; one that is there is taken."""

    def __init__(self, folder: Path, name: str = "one") -> None:
        self.folder, self.key = folder, "models/one/"
        if self.bundle.exists():  # a copy
            self.digest = bundle_digest((self.bundle / "manifest.json").read_bytes())
        else:
            self.digest = make_bundle(self.bundle, name=name)

    @property
    def bundle(self) -> Path:
        return self.folder / "models" / "one"

    def job(self, repository: str, **section: Any) -> ImageJob:
        """The station's job with this `image:` section."""
        store = open_store(f"file://{self.folder}")
        return ImageJob(Image(repository=repository, **section), store, logging.getLogger().info)

    def build(self, repository: str, base: str, *, description: str = "", **section: Any) -> Built:
        """What the task build_image does."""
        return self.job(repository, **section).ensure_image(
            self.key, self.digest, base, description=description, run_id="manual__1"
        )
