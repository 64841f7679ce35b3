"""Waits, without a worker, until a track's pods are ready or cannot become so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from slipway.cluster.hook import ClusterHook
from slipway.core.errors import SlipwayError, UnavailableError
from slipway.release.turn_trigger import TurnKeeper
from slipway.rollout.kubernetes.judgement.progress import Complete, Failed, Progressing
from slipway.rollout.kubernetes.names import Track, labels, track_labels
from slipway.rollout.kubernetes.observation import Observation

if TYPE_CHECKING:
    from slipway.cluster.watching import AsyncCluster


class RolloutTrigger(TurnKeeper):
    """Fires once with how the wait ended.

    ``{"state": "complete"}``, ``{"state": "failed", "failure": {..}}`` (the fields of `progress.Failed`) as soon as it is clear
    that the pods will not get ready, and at the deadline with the likeliest cause, ``{"state": "no address"}``, or
    ``{"state": "error", "error": {..}}`` where the cluster does not let us look, or another run has the turn.

    The API is watched, and whatever moves is a reason to look at all of it anew: an event that was missed, a connection that
    broke or a resource version that is gone costs time, and never an answer.

    Args:
        store, store_conn_id, model: whose ledger, and whose pods.
        run_id: the run whose turn it is; renewed for as long as this takes.
        conn_id, namespace: the cluster.
        track: which of the model's Deployments; None: the address of its Service is waited for.
        version_id: what the track is to run.
        began: Unix time in seconds at which waiting began.
        deadline: at which it ends.
    """

    def __init__(
        self,
        *,
        store: str,
        store_conn_id: str | None,
        model: str,
        run_id: str,
        conn_id: str,
        namespace: str,
        track: Track | None,
        version_id: str,
        began: float,
        deadline: float,
    ) -> None:
        super().__init__(store=store, store_conn_id=store_conn_id, model=model, run_id=run_id)
        self.conn_id, self.namespace, self.track = conn_id, namespace, track
        self.version_id, self.began, self.deadline = version_id, began, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments that make this trigger again."""
        names = ("store", "store_conn_id", "model", "run_id", "conn_id", "namespace", "track", "version_id", "began")
        given = {name: getattr(self, name) for name in (*names, "deadline")}
        return "slipway.rollout.kubernetes.trigger.RolloutTrigger", given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look whenever something moved, until it is decided or the deadline has come."""
        hook = ClusterHook(self.conn_id)
        observation = Observation(await asyncio.to_thread(hook.cluster, self.namespace), self.model)
        try:
            async with hook.watching(self.namespace) as watched:
                event = await self._decided(watched, observation)
            event = event or await asyncio.to_thread(self._late, observation)
        except SlipwayError as error:
            event = {"state": "error", "error": error.as_json()}
        yield TriggerEvent(event)

    async def _decided(self, watched: AsyncCluster, observation: Observation) -> dict[str, Any] | None:
        """How it ended, as soon as that is clear; None: the deadline has come."""
        kind, wanted = ("Pod", track_labels(self.model, self.track)) if self.track else ("Service", labels(self.model))
        said = ""
        # Closed here and not whenever it is collected: the watch within ends before its connection does.
        async with aclosing(watched.changes(kind, wanted, until=self.deadline)) as changes:
            async for _ in changes:
                event, summary = await asyncio.to_thread(self._look, observation)
                if event:
                    return event
                if summary != said:
                    self.log.info(summary)
                said = summary
                await self.keep_turn()
        return None

    def _look(self, observation: Observation) -> tuple[dict[str, Any] | None, str]:
        """An API that does not answer for a while, as when a control plane is upgraded, is no reason to give up."""
        try:
            return self._decide(observation)
        except UnavailableError as error:
            return None, f"the cluster does not answer: {error.why}"

    def _decide(self, observation: Observation) -> tuple[dict[str, Any] | None, str]:
        if self.track is None:
            found = observation.address() is not None
            return {"state": "complete"} if found else None, "the Service has no address yet"
        verdict = observation.verdict(self.track, self.version_id)
        return (None if isinstance(verdict, Progressing) else _event(verdict)), getattr(verdict, "summary", "")

    def _late(self, observation: Observation) -> dict[str, Any]:
        if self.track is None:
            return {"state": "no address"}
        return _event(observation.explain_timeout(self.track, self.version_id, self.deadline - self.began))


def _event(verdict: Complete | Failed) -> dict[str, Any]:
    if isinstance(verdict, Failed):
        return {"state": "failed", "failure": asdict(verdict)}
    return {"state": "complete"}
