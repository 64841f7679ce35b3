"""The model as a component of an SBOM: `machine-learning-model` with a model card (CycloneDX 1.6)."""

from __future__ import annotations

from typing import Any

from slipway.core.bundle import Metadata
from slipway.core.release import Interval


def model_component(metadata: Metadata, bundle_digest: str) -> dict[str, Any]:
    """Its version is the model id, its hash the bundle's digest, which is the SHA-256 of the bundle's manifest."""
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{metadata.model}@{metadata.model_id}",
        "name": metadata.model,
        "version": metadata.model_id,
        "hashes": [{"alg": "SHA-256", "content": bundle_digest.removeprefix("sha256:")}],
        "modelCard": _card(metadata),
        "properties": _properties(metadata),
    }


def _card(metadata: Metadata) -> dict[str, Any]:
    metrics = [_metric(name, interval) for name, interval in sorted(metadata.metrics.items())]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": metadata.task,
            "datasets": [{"type": "dataset", "name": metadata.dataset_id}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
    }


def _metric(name: str, interval: Interval) -> dict[str, Any]:
    bounds = {"lowerBound": repr(interval.low), "upperBound": repr(interval.high)}
    return {"type": name, "value": repr(interval.value), "confidenceInterval": bounds}


def _properties(metadata: Metadata) -> list[dict[str, str]]:
    """What the standard has no field for; a name in ``slipway:trained_with:`` is a library, its value the version."""
    facts = {
        "slipway:dataset_id": metadata.dataset_id,
        "slipway:runtime": metadata.runtime,
        "slipway:target": metadata.target,
        "slipway:task": metadata.task,
    } | {f"slipway:trained_with:{library}": version for library, version in metadata.versions.items()}
    return [{"name": name, "value": value} for name, value in sorted(facts.items())]
