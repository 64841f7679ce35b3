"""One model on the cluster of the tests: its tasks as the DAG makes them, one run after the other."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.cluster.api import Cluster
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.model_file import Access
from slipway.core.release import Release
from slipway.release.ledger import Ledger
from slipway.rollout.kubernetes.names import object_name
from slipway.rollout.kubernetes.operators import (
    PlanRolloutOperator,
    RestoreKubernetesOperator,
    RetirePreviousOperator,
    RollOutKubernetesOperator,
    ShiftTrafficOperator,
    StartPreviewOperator,
)
from slipway.verification.cluster_operators import AnalyseVersionOperator, VerifyServiceOperator
from tests.system.kubernetes.task import perform

YES = {"deploy": True, "outcome": "better", "reason": ""}


@dataclass(frozen=True)
class Version:
    """An image with a bundle inside, and the folder of that bundle."""

    image: str
    digest: str
    bundle: Path

    @property
    def key(self) -> str:
        return f"models/{self.bundle.name}/"


@dataclass
class ClusterModel:
    """A model of its own: every test has one."""

    model: str
    store: Path
    cluster: Cluster
    target: KubernetesTarget
    run_id: str = "r0"
    _runs: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def name(self) -> str:
        return object_name(self.model)

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(str(self.store), self.model)

    def with_target(self, **changes: Any) -> None:
        """As if the model file was edited."""
        self.target = KubernetesTarget.model_validate(self.target.model_dump() | changes)

    def begin(self) -> None:
        """The next run; the one before is over."""
        self.ledger.turn(self.run_id).give_back()
        self.run_id = f"r{next(self._runs)}"

    def given(self, version: Version | None = None) -> dict[str, Any]:
        where = {"model": self.model, "store": str(self.store), "target": self.target, "access": Access(open=True)}
        if version is None:
            return where | {"run_id": self.run_id}
        self.keep(version)
        made = {"image": {"image": version.image}, "bundle": self.evaluation(version), "decision": YES}
        return where | made | {"run_id": self.run_id}

    def evaluation(self, version: Version) -> dict[str, Any]:
        return {"key": version.key, "digest": version.digest}

    def keep(self, version: Version) -> None:
        """The bundle in the model's store, where verification looks for its golden rows."""
        folder = self.store / self.model / version.key
        if not folder.exists():
            shutil.copytree(version.bundle, folder)

    def plan(self, version: Version) -> dict[str, Any]:
        return perform(PlanRolloutOperator(task_id="plan_kubernetes", **self.given(version)))  # type: ignore[no-any-return]

    def roll_out(self, version: Version) -> dict[str, Any]:
        return perform(RollOutKubernetesOperator(task_id="roll_out_kubernetes", **self.given(version)))  # type: ignore[no-any-return]

    def shift(self, version: Version, percent: int) -> dict[str, Any]:
        operator = ShiftTrafficOperator(task_id=f"shift_traffic_{percent}", percent=percent, **self.given(version))
        return perform(operator)  # type: ignore[no-any-return]

    def start_preview(self, version: Version) -> dict[str, Any]:
        return perform(StartPreviewOperator(task_id="start_preview", **self.given(version)))  # type: ignore[no-any-return]

    def analyse(self, version: Version, shift: dict[str, Any]) -> dict[str, Any]:
        strategy = self.target.strategy
        assert strategy is not None
        analysis = (strategy.canary or strategy.blue_green).analysis  # type: ignore[union-attr]
        given = self.given(version)
        del given["image"], given["decision"]
        return perform(AnalyseVersionOperator(task_id="analyse", shift=shift, analysis=analysis, **given))  # type: ignore[no-any-return]

    def verify(self, version: Version, rollout: dict[str, Any]) -> dict[str, Any]:
        given = self.given(version)
        del given["image"], given["decision"]
        return perform(VerifyServiceOperator(task_id="verify_endpoint", rollout=rollout, **given))  # type: ignore[no-any-return]

    def retire(self, rollout: dict[str, Any]) -> dict[str, Any]:
        return perform(RetirePreviousOperator(task_id="retire_previous", rollout=rollout, **self.given()))  # type: ignore[no-any-return]

    def bring_back(self) -> dict[str, Any]:
        """Undo this run's rollout."""
        return perform(RestoreKubernetesOperator(task_id="restore_kubernetes", **self.given()))  # type: ignore[no-any-return]

    def restore(self) -> dict[str, Any]:
        """Undo this run's rollout, and the look at what it brought back."""
        restored = self.bring_back()
        verify = VerifyServiceOperator(task_id="verify_restored", restored=restored, **self.given())
        restored["verified"] = perform(verify)
        return restored

    def promote(self, version: Version) -> Release:
        """What the promotion does after a rollout that is kept."""
        draft = Release(
            number=0,
            model=self.model,
            partition="2026-01-01",
            dataset_id="d",
            model_id=version.bundle.name,
            bundle_digest=version.digest,
            image=version.image,
            outcome="better",
            run_id=self.run_id,
            created="2026-01-01T00:00:00+00:00",
        )
        ledger, found = self.ledger, self.ledger.find_champion()
        release = ledger.record(draft)
        ledger.promote(release, found[1] if found else None)
        return release

    def deliver(self, version: Version) -> dict[str, Any]:
        """A whole run that goes well."""
        self.begin()
        result = self.roll_out(version)
        self.verify(version, result)
        self.promote(version)
        return result

    def served(self) -> set[str]:
        """The first digits of the bundles of all ready pods behind the Service."""
        from slipway.rollout.kubernetes.observation import is_ready

        service = self.cluster.get("Service", self.name)
        pods = self.cluster.list("Pod", service["spec"]["selector"])
        return {pod["metadata"]["labels"]["slipway.dev/bundle"] for pod in pods if is_ready(pod)}

    def everything(self) -> set[str]:
        """Kind and name of all that is ours and this model's."""
        labels = {"app.kubernetes.io/managed-by": "slipway", "slipway.dev/model": self.model}
        kinds = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy")
        kinds += ("ServiceAccount", "ConfigMap", "Ingress")
        return {f"{kind} {item['metadata']['name']}" for kind in kinds for item in self.cluster.list(kind, labels)}

    def settings(self) -> dict[str, Any]:
        """All that is served with: the Deployment's and the Service's specification, and what stands in front of them."""
        service = self.cluster.get("Service", self.name)["spec"]
        ports = [(port["name"], port["port"], port["targetPort"]) for port in service["ports"]]
        return {
            "deployments": {name: self.cluster.get("Deployment", name)["spec"] for name in self.deployments()},
            "service": (service["type"], service["selector"], ports),
            "objects": self.everything(),
        }

    def deployments(self) -> set[str]:
        return {name for kind, _, name in (item.partition(" ") for item in self.everything()) if kind == "Deployment"}

    def scaled(self) -> str:
        """The Deployment that the autoscaler scales."""
        return str(self.cluster.get("HorizontalPodAutoscaler", self.name)["spec"]["scaleTargetRef"]["name"])

    def pods(self) -> list[dict[str, Any]]:
        """Those that are to stay."""
        found = self.cluster.list("Pod", {"slipway.dev/model": self.model})
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def wait_until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not in {seconds} s"
            time.sleep(0.1)


def short_digest(version: Version) -> str:
    return version.digest.removeprefix("sha256:")[:12]
