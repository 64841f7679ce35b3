"""Building, signing and checking a model's image, as tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from slipway.core.serving_folder import serving_folder
from slipway.storage.object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.image_section import Image
    from slipway.image.job import ImageJob


class _ImageOperator(BaseOperator):
    """What the tasks share: which model's image, and the gate's word on whether one is needed."""

    template_fields: Sequence[str] = ("bundle", "decision", "run_id")
    ui_color = "#e9e6f5"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        image: Image,
        bundle: Any,
        decision: Any,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.image, self.bundle, self.decision, self.run_id = image, bundle, decision, run_id

    def job(self) -> ImageJob:
        """The station's work for this model."""
        from slipway.image.job import ImageJob

        return ImageJob(self.image, open_store(f"{self.store}/{self.model}", self.store_conn_id), self.log.info)

    def skip_unless_deployed(self) -> None:
        """When the gate said no, nothing is built; the task is skipped with the gate's reason."""
        if not self.decision["deploy"]:
            self.log.info("no image: %s: %s", self.decision["outcome"], self.decision["reason"])
            raise AirflowSkipException(self.decision["reason"])


class EnsureBaseImageOperator(_ImageOperator):
    """The serving base: the image of `serving/` without a model, in the registry, by digest.

    It is built by the Docker engine of `image.engine_conn_id`, once per change of `serving/`; without one it has to be there.
    One that `image.base` names by digest, or as an OCI layout, is taken as it is.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"image", "changed", "summary"}``."""
        self.skip_unless_deployed()
        image, changed = self.job().ensure_base(self.bundle["key"], serving_folder())
        summary = f"{'built and pushed' if changed else 'already there:'} the serving base {image}"
        self.log.info(summary)
        return {"image": image, "changed": changed, "summary": summary}


class BuildImageOperator(_ImageOperator):
    """Build the image of the bundle on the serving base and push it; the digest is what travels on.

    With `builder: daemonless` Slipway adds the bundle as a layer by the OCI distribution API, which needs no engine and takes
    about a second: the same bundle on the same base is the same digest, anywhere, any day. With `builder: engine` a Docker
    engine does. An image that is there is found, and nothing is built. Attached to it, as referrers: a CycloneDX bill of
    materials, an in-toto provenance and, with `signing_conn_id`, a signature.
    """

    template_fields: Sequence[str] = (*_ImageOperator.template_fields, "base")

    def __init__(self, *, base: Any, description: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base, self.description = base, description

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"image", "digest", "tag", "base", "attached", "changed", "summary"}``."""
        self.skip_unless_deployed()
        built = self.job().ensure_image(
            self.bundle["key"],
            self.bundle["digest"],
            self.base["image"],
            description=self.description,
            run_id=self.run_id,
        )
        verb = "built and pushed" if built.changed else "already in the registry, nothing to build:"
        summary = f"{verb} {built.image} (tag {built.tag})"
        self.log.info(summary)
        return {
            "image": built.image,
            "digest": built.image.partition("@")[2],
            "tag": built.tag,
            "base": self.base["image"],
            "attached": list(built.attached),
            "changed": built.changed,
            "summary": summary,
        }


class VerifyImageOperator(_ImageOperator):
    """Before anything runs it: the image carries a signature by the key of `image.signing_conn_id`, over this very digest."""

    template_fields: Sequence[str] = (*_ImageOperator.template_fields, "built")

    def __init__(self, *, built: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = built

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"image", "changed", "summary"}``."""
        self.job().verify(self.built["image"])
        summary = f"signed by the key of {self.image.signing_conn_id}: {self.built['image']}"
        self.log.info(summary)
        return {"image": self.built["image"], "changed": False, "summary": summary}
