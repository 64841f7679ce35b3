"""One version of a model as it is to be served; pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from slipway.core.errors import ConfigurationError
from slipway.core.identity import canonical_json, content_id, short
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.rollout.served import ServerAccess

# Of the model file's section, what says where and how patiently it is served, and not how.
ELSEWHERE = ("conn_id", "namespace", "force_conflicts", "timeout_minutes")
_RECORDED = {"image": str, "digest": str, "workers": int, "cpu": str, "cpu_limit": str, "memory": str}


@dataclass(frozen=True)
class Version:
    """All that makes its pods other pods than another version's.

    Attributes:
        image: ``<registry>/<path>@sha256:<64 hex digits>``.
        digest: the bundle's, ``sha256:<64 hex digits>``.
        workers: server processes in each pod.
        cpu, cpu_limit, memory: quantities of the Kubernetes API; memory is request and limit.
        key_hashes: ``sha256:<hex>`` of the API keys; None: everyone may ask.
        requests_per_second: per key; 0: no limit.
        burst: requests that may come at once.
    """

    image: str
    digest: str
    workers: int
    cpu: str
    cpu_limit: str
    memory: str
    key_hashes: tuple[str, ...] | None
    requests_per_second: float = 0
    burst: int = 100

    @classmethod
    def of(cls, target: KubernetesTarget, image: str, digest: str, access: ServerAccess | None) -> Version:
        """The version as the model file wants it served; access None: everyone may ask."""
        return cls(image, digest, target.workers, *target.resources, **_asked_by(access))

    @classmethod
    def from_annotation(cls, text: str, access: ServerAccess | None) -> Version:
        """The version that `annotation` recorded, asked by those who may ask now.

        Raises:
            ConfigurationError: the text is no such record; somebody else wrote it.
        """
        recorded = parse_record(text)
        if {name: type(value) for name, value in recorded.items()} != _RECORDED:
            raise ConfigurationError(
                "could not read which version is in service",
                on="annotation slipway.dev/version",
                why=f"it is no record of Slipway's: {text[:80]!r}",
                fix="Who changed it? A new rollout writes it anew; until then there is no way back to that version.",
            )
        return cls(**recorded, **_asked_by(access))

    def annotation(self) -> str:
        """JSON of all but who may ask: what the Deployment keeps, to bring this version back."""
        return canonical_json({name: getattr(self, name) for name in _RECORDED}).decode()

    @property
    def id(self) -> str:
        """12 hex digits; two versions are equal exactly if their ids are."""
        return short(content_id({**asdict(self), "requests_per_second": float(self.requests_per_second)}))


def _asked_by(access: ServerAccess | None) -> dict[str, Any]:
    return asdict(access) if access else {"key_hashes": None}


def parse_record(text: str) -> dict[str, Any]:
    """What `Version.annotation` wrote; {} where it is something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
