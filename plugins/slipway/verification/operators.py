"""The golden-row check as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Access


class VerifyEndpointOperator(BaseOperator):
    """Ask the endpoint, through the address its users have, what training predicted for the golden rows.

    Fails, and so undoes the run, when an answer differs, or when another bundle than the decided one gave it.
    """

    template_fields: Sequence[str] = ("bundle", "endpoint")
    ui_color = "#e6f2ec"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        bundle: Any,
        endpoint: str,
        access: Access,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.bundle, self.endpoint, self.access = bundle, endpoint, access

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"endpoint", "rows", "digest", "changed", "summary"}``."""
        from slipway.storage.object_store import open_store
        from slipway.verification.golden_check import verify

        store = open_store(f"{self.store}/{self.model}", self.store_conn_id)
        rows = verify(store, self.bundle["key"], self.bundle["digest"], self.endpoint, self._key())
        summary = f"{rows} golden rows answered as in training by {self.endpoint}"
        self.log.info(summary)
        return {
            "endpoint": self.endpoint,
            "rows": rows,
            "digest": self.bundle["digest"],
            "changed": False,
            "summary": summary,
        }

    def _key(self) -> str | None:
        if self.access.open:
            return None
        from slipway.access.hook import ApiKeyHook

        return ApiKeyHook(self.access.conn_id).get_keys().own
