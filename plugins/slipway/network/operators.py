"""The connectivity check as a task."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.network.endpoint import Endpoint


class CheckEndpointOperator(BaseOperator):
    """Reach one endpoint step by step (name, TCP, TLS, HTTP) and use it with the connection's credentials.

    Mapped over all endpoints of a model. The log has a line with the time of each step; a failure names the endpoint,
    tells unreachable, denied and absent apart, and says what to do.
    """

    template_fields: Sequence[str] = ("endpoint",)
    ui_color = "#f4efe2"

    def __init__(self, *, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"endpoint", "steps", "verdict", "changed", "summary"}``."""
        from slipway.network.hook import ConnectivityHook

        steps = ConnectivityHook(self.endpoint).check()
        for step in steps:
            self.log.info("%s: %s", self.endpoint["name"], step)
        return {
            "endpoint": self.endpoint["name"],
            "steps": [asdict(step) for step in steps],
            "verdict": "ok",
            "changed": False,
            "summary": steps[-1].detail,
        }
