"""Rolling a model out to a process on the worker's machine, and back, as tasks."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.core.identity import short
from slipway.core.serving_folder import serving_folder
from slipway.rollout.endpoint_operators import EndpointOperator, RestoreOperator, RollOutOperator
from slipway.storage.object_store import open_store

if TYPE_CHECKING:
    from slipway.core.release import Release
    from slipway.rollout.process.target import ProcessTarget


class _ProcessOperator(EndpointOperator):
    """What rollout and undo share; `target` is the model file's `ProcessTarget`."""

    step = "rollout/process"

    def folder(self) -> Path:
        """The endpoint's state folder."""
        home = Path(os.environ.get("SLIPWAY_HOME") or Path.home() / ".slipway")
        return home / "serving" / self.model

    def serve(self, key: str, digest: str, *, port: int) -> dict[str, Any]:
        """Bring the bundle at `key` into service at `port` (0: where it serves now); returns the task's result."""
        from slipway.storage.bundle_download import ensure_bundle, keep_bundles

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

    def endpoint(self) -> ProcessTarget:
        """The endpoint on this machine."""
        from slipway.rollout.process.listening import Listening
        from slipway.rollout.process.target import ProcessTarget

        return ProcessTarget(self.folder(), Listening.from_environment(os.environ))


class RollOutProcessOperator(_ProcessOperator, RollOutOperator):
    """Serve the bundle from a process on the worker's machine, replacing the version before it without losing a request.

    The server is supervised and outlives the task. What serves this very bundle already is left as it is. A version
    that does not get ready leaves the previous one serving, and its last log lines are in the task's error. When the gate
    said no, the task is skipped with the gate's reason.
    """

    def find_state(self, champion: Release | None) -> dict[str, Any]:
        """What serves, and where the champion's bundle is."""
        active = self.endpoint().find_active()
        return {
            "digest": active.digest if active else None,
            "champion": champion and champion.bundle_digest,
            "key": f"models/{champion.model_id}/" if champion else None,
        }

    def roll_out(self) -> dict[str, Any]:
        """Returns ``{"target", "endpoint", "digest", "workers", "open", "changed", "summary"}``."""
        return self.serve(self.bundle["key"], self.bundle["digest"], port=self.target.port)


class RestoreProcessOperator(_ProcessOperator, RestoreOperator):
    """Undo this run's rollout: the champion's bundle serves again, or nothing if there was no champion."""

    def bring_back(self, found: dict[str, Any]) -> dict[str, Any]:
        """Have the champion's bundle serve."""
        # A model file that names another port now must not keep the champion from where its clients look for it.
        port = 0 if self.endpoint().find_active() else self.target.port
        return self.serve(found["key"], found["champion"], port=port)

    def stop(self) -> bool:
        """End the server."""
        return self.endpoint().stop()
