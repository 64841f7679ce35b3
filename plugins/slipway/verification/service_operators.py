"""The golden-row check of what serves on a cluster, as a task."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from slipway.cluster.labels import MODEL, TRAFFIC
from slipway.core.errors import RolloutError
from slipway.verification.verdict import find_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.kubernetes_section import KubernetesTarget
    from slipway.core.model_file import Access
    from slipway.storage.object_store import ObjectStore
    from slipway.verification.pods import Lister, PodReader

_SLACK = timedelta(minutes=10)  # for the triggerer to be restarted: the trigger has a deadline of its own


class VerifyServiceOperator(BaseOperator):
    """Ask what serves on a cluster what training predicted for the golden rows: each pod, or the public address.

    An address that only the cluster reaches is not asked: every ready pod that its Service selects is, through a tunnel. A
    public address is waited for, without a worker, for `timeout_minutes` of the target: its name, its certificate, the proxy
    and the route take their time, and a proxy may lead to the old pods for a while. Fails, and so undoes the run, when the
    decided bundle answers otherwise than in training, when what answers refuses, or when the time is over.

    Args:
        model, store, store_conn_id: whose bundle.
        target: the model file's `KubernetesTarget`.
        access: who may ask.
        rollout: what the rollout returned, ``{"endpoint": url, "reach": "public" or "cluster", ..}``; templated.
        bundle: what training returned, ``{"key", "digest", ..}``; templated.
        restored: in undo, instead of both: ``{"champion": digest or None, "key", "summary", ..}``, and what `rollout` has where
            known; templated.
        run_id: whose turn it is; templated.
    """

    template_fields: Sequence[str] = ("rollout", "bundle", "restored", "run_id")
    ui_color = "#e6f2ec"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        target: KubernetesTarget,
        access: Access,
        rollout: Any = None,
        bundle: Any = None,
        restored: Any = None,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.target, self.access, self.run_id = target, access, run_id
        self.rollout, self.bundle, self.restored = rollout, bundle, restored

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"endpoint", "rows", "digest", "changed", "summary"}``; the first three are None if nothing is verified.

        Raises:
            RolloutError: what serves is not as it must be, or undo did not bring anything back.
        """
        if reason := self._nothing():
            return self._said(None, None, None, f"nothing to verify: {reason}")
        where = self._where()
        if where.get("reach") == "public":
            return self._verify_public(where["endpoint"])
        rows, names = self._verify_pods()
        return self._answered(where.get("endpoint") or f"service of {self.model} in {self._namespace}", rows, names)

    def conclude(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Goes on when a public address was waited for. Returns what `execute` does.

        Raises:
            RolloutError: it answers wrongly, or is not in place in time: names the part that is missing.
            ConflictError: another run took the turn.
        """
        from slipway.verification.entry import late, read_entry
        from slipway.verification.public_address import Lag

        if error := find_error(event):
            raise error
        endpoint = self._where()["endpoint"]
        if "lag" in event:
            raise late(endpoint, Lag(**event["lag"]), read_entry(self.cluster(), self.target, self.model), self.target)
        return self._answered(endpoint, event["rows"], endpoint)

    def cluster(self) -> Lister:
        """Where it serves; connects on first use."""
        from slipway.cluster.hook import ClusterHook

        return ClusterHook(self.target.conn_id).cluster(self._namespace)

    def pods(self) -> PodReader:
        """Those that the model's Service selects."""
        from slipway.cluster.tunnel import forwarded
        from slipway.verification.pods import ClusterPods
        from slipway.verification.service import get_selector

        cluster = self.cluster()
        services = cluster.list("Service", {MODEL: self.model})
        return ClusterPods(cluster, get_selector(services, self.model, TRAFFIC), forwarded)

    def _nothing(self) -> str | None:
        """Why there is nothing to verify, or None. Raises RolloutError: that is not known, as undo itself failed."""
        if self.restored is None and self.bundle is None:
            why = "the champion was not brought back: restore_kubernetes failed"
            fix = "The error of restore_kubernetes says why; clear it and the tasks after it when that is mended."
            raise RolloutError(
                "could not verify what serves", on=f"{self.model} in {self._namespace}", why=why, fix=fix
            )
        if self.restored is None or (self.restored.get("champion") and self.restored.get("key")):
            return None
        summary = str(self.restored["summary"])
        unknown = "; it is in no ledger, so that no golden rows of it are known"
        return summary + unknown if self.restored.get("champion") else summary

    def _verify_public(self, endpoint: str) -> dict[str, Any]:
        from slipway.verification.golden_check import get_golden
        from slipway.verification.public_address import find_lag

        began, bundle = time.time(), self._bundle()
        golden = get_golden(self._store(), bundle["key"], bundle["digest"])
        lag = find_lag(golden, bundle["digest"], endpoint, self._key())
        if lag is None:
            return self._answered(endpoint, len(golden["rows"]), endpoint)
        self.log.info("not yet: %s; for %g min it is asked again", lag.seen, self.target.timeout_minutes)
        return self._wait(endpoint, bundle, began + self.target.timeout_minutes * 60)

    def _wait(self, endpoint: str, bundle: dict[str, str], deadline: float) -> Any:
        from slipway.verification.trigger import PublicEndpointTrigger

        waiting = PublicEndpointTrigger(
            store=self.store,
            store_conn_id=self.store_conn_id,
            model=self.model,
            run_id=self.run_id,
            endpoint=endpoint,
            bundle=bundle,
            access_conn_id=self._access_conn_id,
            deadline=deadline,
        )
        timeout = timedelta(minutes=self.target.timeout_minutes) + _SLACK
        return self.defer(trigger=waiting, method_name="conclude", timeout=timeout)

    def _verify_pods(self) -> tuple[int, str]:
        from slipway.verification.golden_check import get_golden
        from slipway.verification.pods import number_of_pods
        from slipway.verification.service import verify_pods

        bundle = self._bundle()
        golden = get_golden(self._store(), bundle["key"], bundle["digest"])
        names = verify_pods(self.pods(), golden, bundle["digest"], self._key())
        return len(golden["rows"]), f"{number_of_pods(len(names))}: {', '.join(names)}"

    def _where(self) -> dict[str, Any]:
        return self.restored or self.rollout or {}

    def _bundle(self) -> dict[str, str]:
        if self.restored:
            return {"key": self.restored["key"], "digest": self.restored["champion"]}
        return {name: self.bundle[name] for name in ("key", "digest")}

    def _store(self) -> ObjectStore:
        from slipway.storage.object_store import open_store

        return open_store(f"{self.store}/{self.model}", self.store_conn_id)

    def _key(self) -> str | None:
        from slipway.verification.trigger import api_key

        return api_key(self._access_conn_id)

    @property
    def _access_conn_id(self) -> str | None:
        return None if self.access.open else self.access.conn_id

    @property
    def _namespace(self) -> str:
        return self.target.namespace

    def _answered(self, endpoint: str, rows: int, by: str) -> dict[str, Any]:
        return self._said(
            endpoint, rows, self._bundle()["digest"], f"{rows} golden rows answered as in training by {by}"
        )

    def _said(self, endpoint: str | None, rows: int | None, digest: str | None, summary: str) -> dict[str, Any]:
        self.log.info(summary)
        return {"endpoint": endpoint, "rows": rows, "digest": digest, "changed": False, "summary": summary}
