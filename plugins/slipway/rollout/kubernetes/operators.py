"""Rolling a model out to a Kubernetes cluster, and back, as tasks.

Every task that changes something asks the strategy for one step after the other and defers while pods get ready; then, and
when it is tried again after a kill, it asks anew from what it finds.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from slipway.core.identity import short
from slipway.rollout.endpoint_operators import EndpointOperator, RestoreOperator, RollOutImageOperator
from slipway.rollout.kubernetes import strategy
from slipway.rollout.kubernetes.judgement.wording import counted
from slipway.rollout.kubernetes.strategy import Await, Ready, Skip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from slipway.cluster.api import Cluster
    from slipway.core.kubernetes_section import KubernetesTarget
    from slipway.core.release import Release
    from slipway.rollout.kubernetes.strategy import Action, Situation
    from slipway.rollout.kubernetes.target import Advance, ClusterEndpoint
    from slipway.rollout.kubernetes.version import Version

    NextStep = Callable[[Situation, str], Action]


class _KubernetesOperator(EndpointOperator):
    """What all share; `target` is the model file's `KubernetesTarget`."""

    step = "rollout/kubernetes"

    def cluster(self) -> Cluster:
        """The cluster that the target's connection names; connects on first use."""
        from slipway.cluster.hook import ClusterHook

        return ClusterHook(self.target.conn_id).cluster(self.target.namespace)

    def endpoint(self) -> ClusterEndpoint:
        """The endpoint of this model there."""
        from slipway.rollout.kubernetes.target import ClusterEndpoint

        return ClusterEndpoint(self.cluster(), self.model, self.target)

    def version(self, image: str, digest: str) -> Version:
        """That image, with what the model file gives it."""
        from slipway.rollout.kubernetes.version import Version

        return Version.of(self.target, image, digest, self.server_access())

    def reach(self, endpoint: ClusterEndpoint, next_step: NextStep, version: Version) -> Advance:
        """Go on until there is nothing more to do; raises TaskDeferred where that takes time."""
        version_id = endpoint.version_id(version)
        advance = endpoint.advance(lambda situation: next_step(situation, version_id), version)
        if not isinstance(advance.action, Await):
            return advance
        from slipway.rollout.kubernetes.trigger import RolloutTrigger

        now = time.time()
        waiting = RolloutTrigger(
            store=self.store,
            store_conn_id=self.store_conn_id,
            model=self.model,
            run_id=self.run_id,
            conn_id=self.target.conn_id,
            namespace=self.target.namespace,
            track=advance.action.track,
            version_id=version_id,
            began=now,
            deadline=now + self.target.timeout_minutes * 60,
        )
        kept = {"changed": advance.changed or self.changed_before}
        return self.defer(trigger=waiting, method_name="execute_complete", kwargs=kept)

    changed_before = False  # whether an earlier part of this task, before it waited, changed anything

    def execute_complete(self, context: Context, event: dict[str, Any], changed: bool) -> Any:
        """Goes on after a wait.

        Raises:
            RolloutError: the pods cannot get ready, or did not in time.
        """
        self.changed_before = changed
        if event["state"] == "complete":
            return self.execute(context)
        from slipway.rollout.kubernetes.explanation import explain

        raise explain(event, self.cluster(), self.model)


class PlanRolloutOperator(_KubernetesOperator):
    """Say, object by object and field by field, what the rollout will change; the cluster is asked by a dry run.

    Finds, before anything is changed: what the cluster refuses (a schema, a policy, a webhook), fields that somebody else
    keeps, and objects of our names that are not ours. When the gate said no, the task is skipped with the gate's reason.

    Args:
        image, bundle, decision: what build, training and gate returned; templated.
    """

    template_fields: Sequence[str] = (*EndpointOperator.template_fields, "image", "bundle", "decision")

    def __init__(self, *, image: Any, bundle: Any, decision: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image, self.bundle, self.decision = image, bundle, decision

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns the plan: ``{"objects": [..], "strategy", "changed", "summary"}``."""
        if not self.decision["deploy"]:
            self.log.info("nothing is planned: %s: %s", self.decision["outcome"], self.decision["reason"])
            raise AirflowSkipException(self.decision["reason"])
        endpoint, version = self.endpoint(), self.version(self.image["image"], self.bundle["digest"])
        plan = endpoint.plan(version, self._home(endpoint, endpoint.version_id(version)))
        for line in plan.lines():
            self.log.info(line)
        summary = f"{plan.summary}, by {self.target.strategy_kind.replace('_', '-')} rollout"
        self.log.info(summary)
        return {**plan.as_xcom(), "strategy": self.target.strategy_kind, "changed": False, "summary": summary}

    def _home(self, endpoint: ClusterEndpoint, version_id: str) -> Any:
        if self.target.strategy_kind != "blue_green":
            return "main"
        return strategy.idle_colour(endpoint.situation(), version_id)


class _KubernetesRollOut(_KubernetesOperator, RollOutImageOperator):
    """A step on the way of the new version into service."""

    def find_state(self, champion: Release | None) -> dict[str, Any]:
        """What serves, and how: by its Deployment's annotations. If that is not the champion, the champion's image is to.

        What serves without a champion (the store is a new one) is returned to as well; where nothing serves there is nothing
        to return to, wherever else the champion may be.
        """
        serving = self.endpoint().find_serving()
        told: dict[str, Any] = {"digest": None, "champion": None, "version": None, "target": None, "key": None}
        if serving is None:
            return told
        told |= {"digest": serving.digest, "target": serving.target}
        key = f"models/{champion.model_id}/" if champion else None
        if champion is None or serving.digest == champion.bundle_digest:
            return told | {"champion": serving.digest, "version": serving.annotation, "key": key}
        if champion.image is None:
            return told
        version = self.version(champion.image, champion.bundle_digest)
        return told | {"champion": champion.bundle_digest, "version": version.annotation(), "key": key}

    def roll_out(self) -> dict[str, Any]:
        """Returns at least ``{"target", "changed", "summary"}``."""
        endpoint, version = self.endpoint(), self.version(self.image["image"], self.bundle["digest"])
        advance = self.reach(endpoint, self.next, version)
        changed = advance.changed or self.changed_before
        return {"target": "kubernetes", "changed": changed, **self.result(endpoint, version, advance.action, changed)}

    @abstractmethod
    def next(self, situation: Situation, version_id: str) -> Action:
        """The strategy's next step towards what this task is for."""

    @abstractmethod
    def result(self, endpoint: ClusterEndpoint, version: Version, action: Action, changed: bool) -> dict[str, Any]:
        """What this task adds to its result; at least ``summary``."""


class ShiftTrafficOperator(_KubernetesRollOut):
    """Bring the new version up as a canary with some percent of the traffic, beside the stable one, which is left as it is.

    With an HTTPRoute the traffic is split by weight, else by the number of pods. Without a version to stand beside (the first
    release), or if this version serves already, there is nothing to do, and the analysis after it has nothing to look at.

    Args:
        percent: the canary's share, 1 to 99.
    """

    def __init__(self, *, percent: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.percent = percent

    def next(self, situation: Situation, version_id: str) -> Action:
        """See `strategy.shift`."""
        weighted = self.target.expose is not None and self.target.expose.gateway is not None
        return strategy.shift(situation, version_id, self.percent, weighted=weighted)

    def result(self, endpoint: ClusterEndpoint, version: Version, action: Action, changed: bool) -> dict[str, Any]:
        """Returns ``{"track", "percent", "skipped", "summary"}``."""
        if isinstance(action, Skip):
            return _skipped(action)
        situation = endpoint.situation()
        canary, stable = situation.tracks["canary"].replicas, situation.tracks["main"].replicas
        share = f"{self.percent} % of the traffic" if endpoint.manifests.weighted else "its share by number of pods"
        summary = f"canary {short(version.digest)}: {counted(canary, 'pod')} beside {stable} stable, {share}"
        return {"track": "canary", "percent": self.percent, "skipped": False, "summary": summary}


class StartPreviewOperator(_KubernetesRollOut):
    """Bring the new version up in the colour that does not serve, as large as the one that does, without traffic."""

    def next(self, situation: Situation, version_id: str) -> Action:
        """See `strategy.preview`."""
        return strategy.preview(situation, version_id)

    def result(self, endpoint: ClusterEndpoint, version: Version, action: Action, changed: bool) -> dict[str, Any]:
        """Returns ``{"track", "skipped", "summary"}``."""
        if not isinstance(action, Ready):
            return _skipped(action)
        pods = endpoint.situation().tracks[action.track].replicas
        summary = f"{short(version.digest)} is ready in {action.track}: {counted(pods, 'pod')}, without traffic"
        return {"track": action.track, "skipped": False, "summary": summary}


class RollOutKubernetesOperator(_KubernetesRollOut):
    """Give the new version all of the traffic, without losing a request, by the strategy of the model file.

    The pods outlive the task. What serves already is left as it is. As soon as it is clear that the new pods cannot get ready,
    the task fails with the reason, the pod's last log lines and what to do; the previous version has served all along, and
    undo removes what is left of the new one. When the gate said no, the task is skipped with the gate's reason.
    """

    def next(self, situation: Situation, version_id: str) -> Action:
        """See `strategy.settle`."""
        return strategy.settle(situation, version_id, self.target.strategy_kind)

    def result(self, endpoint: ClusterEndpoint, version: Version, action: Action, changed: bool) -> dict[str, Any]:
        """Returns ``{"endpoint", "reach", "namespace", "service", "image", "digest", "open", "summary"}``."""
        where = endpoint.address()
        verb = "rolled out" if changed else "already serving, nothing to roll out:"
        return {
            "endpoint": where,
            "reach": "public" if self.target.expose else "cluster",
            "namespace": self.target.namespace,
            "service": endpoint.manifests.name,
            "image": version.image,
            "digest": version.digest,
            "open": self.access.open,
            "summary": f"{verb} {short(version.digest)} at {where}",
        }


class RetirePreviousOperator(_KubernetesOperator):
    """After the promotion of a blue-green rollout: remove the colour that served before.

    Args:
        rollout: what RollOutKubernetesOperator returned; templated.
    """

    template_fields: Sequence[str] = (*EndpointOperator.template_fields, "rollout")

    def __init__(self, *, rollout: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rollout = rollout

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"changed", "summary"}``."""
        turn = self.ledger().turn(self.run_id)
        if not turn.take():  # the promotion gave it back; another run's rollout replaces what served before
            return self._say("left alone: another run has the turn, and replaces the previous version", changed=False)
        endpoint, version = self.endpoint(), self.version(self.rollout["image"], self.rollout["digest"])
        advance = self.reach(endpoint, strategy.retire, version)
        turn.give_back()
        changed = advance.changed or self.changed_before
        if isinstance(advance.action, Skip):
            return self._say(f"left alone: {advance.action.reason}", changed=False)
        said = "removed the previous version" if changed else "there was no previous version"
        return self._say(said, changed=changed)


class RestoreKubernetesOperator(_KubernetesOperator, RestoreOperator):
    """Undo this run's rollout: the champion serves again, or nothing if there was none. No image is built."""

    handed_on = ("champion", "key", "endpoint", "reach")

    def bring_back(self, found: dict[str, Any]) -> dict[str, Any]:
        """Have the champion have all of the traffic, from its own pods where they still run."""
        from slipway.rollout.kubernetes.target import ClusterEndpoint
        from slipway.rollout.kubernetes.version import Version

        target = self._target_of(found)
        endpoint = ClusterEndpoint(self.cluster(), self.model, target, restores=True)
        version = Version.from_annotation(found["version"], self.server_access())
        advance = self.reach(endpoint, strategy.restore, version)
        changed = advance.changed or self.changed_before
        where = endpoint.address()
        return {
            "changed": changed,
            "summary": f"{short(version.digest)} serves at {where}",
            "champion": version.digest,
            "key": found["key"],
            "endpoint": where,
            "reach": "public" if target.expose else "cluster",
        }

    def _target_of(self, found: dict[str, Any]) -> KubernetesTarget:
        """The section that the champion was served by: the run's own may be what is wrong with it."""
        from slipway.core.kubernetes_section import KubernetesTarget
        from slipway.rollout.kubernetes.version import ELSEWHERE

        if not found.get("target"):  # an older Slipway did not say
            return self.target
        return KubernetesTarget.model_validate(
            self.target.model_dump(include=set(ELSEWHERE)) | json.loads(found["target"])
        )

    def stop(self) -> bool:
        """Remove every object of this model."""
        return self.endpoint().stop()


def _skipped(action: Action) -> dict[str, Any]:
    assert isinstance(action, Skip)
    return {"track": None, "skipped": True, "summary": f"nothing to do: {action.reason}"}
