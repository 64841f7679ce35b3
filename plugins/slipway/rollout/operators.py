"""Rolling a model out, and back, as tasks."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from slipway.core.identity import short
from slipway.release.ledger import Ledger
from slipway.storage.object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Access
    from slipway.core.model_file import ProcessTarget as ProcessSection
    from slipway.rollout.process import ProcessTarget
    from slipway.rollout.server_command import ServerAccess

_STEP = "rollout/process"


class _ProcessOperator(BaseOperator):
    """What rollout and undo share: whose endpoint, which run."""

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#e3edf7"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        target: ProcessSection,
        access: Access,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.target, self.access, self.run_id = target, access, run_id

    def folder(self) -> Path:
        """The endpoint's state folder."""
        home = Path(os.environ.get("SLIPWAY_HOME") or Path.home() / ".slipway")
        return home / "serving" / self.model

    def ledger(self) -> Ledger:
        """The model's ledger."""
        return Ledger.open(self.store, self.model, self.store_conn_id)

    def serve(self, key: str, digest: str, *, port: int) -> dict[str, Any]:
        """Bring the bundle at `key` into service at `port` (0: where it serves now); returns the task's result."""
        from slipway.rollout.bundle_download import ensure_bundle, keep_bundles

        store, bundles = open_store(f"{self.store}/{self.model}", self.store_conn_id), self.folder() / "bundles"
        endpoint, before = self.endpoint(), self.endpoint().find_active()
        bundle = ensure_bundle(store, key, digest, bundles)
        serving, changed = endpoint.ensure_serving(
            bundle,
            digest,
            workers=self.target.workers,
            port=port,
            serving=serving_folder(),
            access=self.server_access(),
        )
        if changed:
            keep_bundles(bundles, {digest} | ({before.digest} if before else set()))
        verb = "rolled out" if changed else "already serving, nothing to roll out:"
        summary = f"{verb} {short(digest)} at {serving.endpoint}"
        return {
            "target": "process",
            **asdict(serving),
            "open": self.access.open,
            "changed": changed,
            "summary": summary,
        }

    def server_access(self) -> ServerAccess | None:
        """Who may ask, with the hashes of their keys; None: everyone."""
        if self.access.open:
            return None
        from slipway.access.hook import ApiKeyHook
        from slipway.rollout.server_command import ServerAccess

        hashes = ApiKeyHook(self.access.conn_id).get_keys().hashes
        return ServerAccess(hashes, self.access.requests_per_second, self.access.burst)

    def endpoint(self) -> ProcessTarget:
        """The endpoint on this machine."""
        from slipway.rollout.listening import Listening
        from slipway.rollout.process import ProcessTarget

        return ProcessTarget(self.folder(), Listening.from_environment(os.environ))


class RollOutProcessOperator(_ProcessOperator):
    """Serve the bundle from a process on the worker's machine, replacing the version before it without losing a request.

    The server is supervised and outlives the task. What serves this very bundle already is left as it is. A version
    that does not get ready leaves the previous one serving, and its last log lines are in the task's error. When the gate
    said no, the task is skipped with the gate's reason.
    """

    template_fields: Sequence[str] = (*_ProcessOperator.template_fields, "bundle", "decision")

    def __init__(self, *, bundle: Any, decision: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bundle, self.decision = bundle, decision

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"target", "endpoint", "digest", "workers", "open", "changed", "summary"}``."""
        if not self.decision["deploy"]:
            self.log.info("not rolled out: %s: %s", self.decision["outcome"], self.decision["reason"])
            raise AirflowSkipException(self.decision["reason"])
        ledger = self.ledger()
        ledger.turn(self.run_id).require()
        active, champion = self.endpoint().find_active(), ledger.champion_release()
        key = f"models/{champion.model_id}/" if champion else None
        found = {
            "digest": active.digest if active else None,
            "champion": champion and champion.bundle_digest,
            "key": key,
        }
        ledger.journal(self.run_id).record_once(_STEP, found)
        result = self.serve(self.bundle["key"], self.bundle["digest"], port=self.target.port)
        self.log.info(result["summary"])
        return result


class RestoreProcessOperator(_ProcessOperator):
    """Undo this run's rollout: the champion's bundle serves again, or nothing if there was no champion."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"changed", "summary"}``."""
        ledger = self.ledger()
        found = ledger.journal(self.run_id).find(_STEP)
        if found is None:
            return self._say("nothing to undo: the rollout had not begun", changed=False)
        if other := ledger.turn(self.run_id).other_holder():
            return self._say(f"left alone: run {other.run_id} has the turn to change the endpoint", changed=False)
        if found["champion"] is None:
            stopped = self.endpoint().stop()
            return self._say("stopped: there was no champion to return to", changed=stopped)
        # A model file that names another port now must not keep the champion from where its clients look for it.
        port = 0 if self.endpoint().find_active() else self.target.port
        result = self.serve(found["key"], found["champion"], port=port)
        return self._say(f"returned to the champion: {result['summary']}", changed=result["changed"])

    def _say(self, summary: str, *, changed: bool) -> dict[str, Any]:
        self.log.info(summary)
        return {"changed": changed, "summary": summary}


def serving_folder() -> Path:
    """The folder of the serving artifact: beside plugins/, or where SLIPWAY_SERVING_DIR says."""
    return Path(os.environ.get("SLIPWAY_SERVING_DIR") or Path(__file__).parents[3] / "serving")
