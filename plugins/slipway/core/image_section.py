"""The section `image` of a model file: how the serving image is built and where it is pushed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from slipway.core.section import Section

_REPOSITORY = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+"


class Image(Section):
    """The serving image: how it is built and where it is pushed."""

    repository: str = Field(pattern=rf"^{_REPOSITORY}$", description="registry/path, without a tag.")
    conn_id: str | None = Field(
        None, description="Airflow connection with the registry's log-in; null: it asks for none."
    )
    builder: Literal["daemonless", "engine"] = Field(
        "daemonless", description="daemonless: by Slipway itself; engine: by the Docker engine of engine_conn_id."
    )
    engine_conn_id: str | None = Field(
        None,
        description="Airflow connection of a Docker engine; it also builds the serving base where there is none yet.",
    )
    base: str | None = Field(
        None,
        pattern=rf"^({_REPOSITORY}(@sha256:[0-9a-f]{{64}})?|oci:/.+)$",
        description="Serving base: a repository, an image by digest, oci:/folder; default: slipway-serving beside it.",
    )
    build_args: dict[str, str] = Field({}, description="Build arguments of serving/Dockerfile, such as PIP_INDEX_URL.")
    labels: dict[str, str] = Field({}, description="Labels of the image, besides Slipway's own.")
    signing_conn_id: str | None = Field(
        None, description="Airflow connection with the key that signs the image; a rollout then wants the signature."
    )

    @model_validator(mode="after")
    def _an_engine_to_build_with(self) -> Image:
        if self.builder == "engine" and self.engine_conn_id is None:
            raise ValueError("builder: engine together with engine_conn_id, the Docker engine's Airflow connection")
        if self.builder == "engine" and (self.base or "").startswith("oci:"):
            raise ValueError(
                "builder: daemonless together with a base of oci:; an engine takes its base from a registry"
            )
        return self

    @property
    def base_repository(self) -> str:
        """Where serving bases are kept unless `base` says otherwise."""
        return self.base or f"{self.repository.rpartition('/')[0]}/slipway-serving"
