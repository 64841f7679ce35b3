"""Looks again and again, without a worker: is a new version good, does a public address lead to it yet?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from slipway.core.errors import SlipwayError
from slipway.release.turn_trigger import TurnKeeper
from slipway.storage.object_store import open_store
from slipway.verification.analysis import AnalysisRun
from slipway.verification.criteria import Criteria
from slipway.verification.golden_check import get_golden
from slipway.verification.meter import GoldenRows, Meter
from slipway.verification.pods import ClusterPods
from slipway.verification.public_address import find_lag
from slipway.verification.verdict import as_event, error_as_event, line

if TYPE_CHECKING:
    from slipway.verification.pods import PodReader

POLL_SECONDS = 5.0  # between two looks at a public address


class AnalysisTrigger(TurnKeeper):
    """Fires what `verdict.as_event` makes of the run when it is decided, and of the error when it cannot be.

    Measurements are not kept over a restart of the triggerer: the analysis begins anew, which takes longer and is never wrong.

    Args:
        store, store_conn_id, model: whose ledger, and where the bundle is.
        run_id: the run whose turn it is; renewed for as long as this takes.
        conn_id, namespace: the cluster.
        labels: that the version's pods have.
        analysis: the section of the model file, as a dictionary.
        bundle: ``{"key", "digest"}`` that the pods are to serve.
        access_conn_id: Airflow connection with the API key; None: the pods are open.
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
        labels: dict[str, str],
        analysis: dict[str, Any],
        bundle: dict[str, str],
        access_conn_id: str | None,
    ) -> None:
        super().__init__(store=store, store_conn_id=store_conn_id, model=model, run_id=run_id)
        self.conn_id, self.namespace, self.labels = conn_id, namespace, labels
        self.analysis, self.bundle, self.access_conn_id = analysis, bundle, access_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments that make this trigger again."""
        names = ("store", "store_conn_id", "model", "run_id", "conn_id", "namespace", "labels", "analysis", "bundle")
        given = {name: getattr(self, name) for name in (*names, "access_conn_id")}
        return "slipway.verification.trigger.AnalysisTrigger", given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Measure until it is decided."""
        try:
            run = await self._analyse(Criteria.of(self.analysis))
        except SlipwayError as error:
            yield TriggerEvent(error_as_event(error))
            return
        yield TriggerEvent(as_event(run))

    async def _analyse(self, criteria: Criteria) -> AnalysisRun:
        run = AnalysisRun(criteria.metrics, criteria.limits)
        meter = await asyncio.to_thread(self._meter, criteria)
        while True:
            due = time.monotonic() + criteria.interval_seconds
            for measurement in await asyncio.to_thread(meter.measure, run.undecided):
                self.log.info("%s", line(run.add(measurement).as_xcom()))
            if run.phase != "Running":
                return run
            await self.sleep_until(due)

    def _meter(self, criteria: Criteria) -> Meter:
        golden = GoldenRows(_golden(self), self.bundle["digest"]) if criteria.golden_rows else None
        return Meter(self.pods(), criteria, golden=golden, api_key=api_key(self.access_conn_id))

    def pods(self) -> PodReader:
        """The version's pods."""
        return cluster_pods(self.conn_id, self.namespace, self.labels)


class PublicEndpointTrigger(TurnKeeper):
    """Fires ``{"rows": how many}`` when a public address answers the golden rows as training did.

    Until then it is looked at again and again; at the deadline it fires ``{"lag": {"part", "seen"}}``, what was missing last.
    An error that waiting cannot mend is fired at once, as `verdict.error_as_event` has it.

    Args:
        store, store_conn_id, model: whose ledger, and where the bundle is.
        run_id: the run whose turn it is; renewed for as long as this takes.
        endpoint: the URL.
        bundle: ``{"key", "digest"}`` that is to answer.
        access_conn_id: Airflow connection with the API key; None: the endpoint is open.
        deadline: Unix time in seconds.
    """

    def __init__(
        self,
        *,
        store: str,
        store_conn_id: str | None,
        model: str,
        run_id: str,
        endpoint: str,
        bundle: dict[str, str],
        access_conn_id: str | None,
        deadline: float,
    ) -> None:
        super().__init__(store=store, store_conn_id=store_conn_id, model=model, run_id=run_id)
        self.endpoint, self.bundle = endpoint, bundle
        self.access_conn_id, self.deadline = access_conn_id, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments that make this trigger again."""
        names = ("store", "store_conn_id", "model", "run_id", "endpoint", "bundle", "access_conn_id", "deadline")
        return "slipway.verification.trigger.PublicEndpointTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it answers, or the deadline has come."""
        try:
            event = await self._wait()
        except SlipwayError as error:
            event = error_as_event(error)
        yield TriggerEvent(event)

    async def _wait(self) -> dict[str, Any]:
        golden = await asyncio.to_thread(_golden, self)
        key, said = await asyncio.to_thread(api_key, self.access_conn_id), ""
        while True:
            lag = await asyncio.to_thread(find_lag, golden, self.bundle["digest"], self.endpoint, key)
            if lag is None:
                return {"rows": len(golden["rows"])}
            if (seconds := self.deadline - time.time()) <= 0:
                return {"lag": asdict(lag)}
            if lag.seen != said:
                self.log.info("not yet: %s", lag.seen)
            said = lag.seen
            await self.sleep_until(time.monotonic() + min(seconds, POLL_SECONDS))


def _golden(trigger: AnalysisTrigger | PublicEndpointTrigger) -> dict[str, Any]:
    bundle, store = trigger.bundle, open_store(f"{trigger.store}/{trigger.model}", trigger.store_conn_id)
    return get_golden(store, bundle["key"], bundle["digest"])


def cluster_pods(conn_id: str, namespace: str, labels: dict[str, str]) -> PodReader:
    """Pods with these labels; connects on first use."""
    from slipway.cluster.hook import ClusterHook
    from slipway.cluster.tunnel import forwarded

    return ClusterPods(ClusterHook(conn_id).cluster(namespace), labels, forwarded)


def api_key(conn_id: str | None) -> str | None:
    """Slipway's own key; None: none is needed."""
    if conn_id is None:
        return None
    from slipway.access.hook import ApiKeyHook

    return ApiKeyHook(conn_id).get_keys().own
