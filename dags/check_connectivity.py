"""Check, without delivering anything, that every endpoint the models need can be reached with the credentials we have.

One mapped task per endpoint: name resolution, TCP, TLS, HTTP with round-trip times, then whether the credentials work. A
failed task names the endpoint, tells unreachable, denied and absent apart, and says what to do. Start it by hand after a
change of network, credentials or accounts; give a model's name to look at that model's endpoints alone. An address with a
date in it, such as `{{ ds }}`, is checked for the run's logical date, which the trigger form asks for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from slipway.network.operators import CheckEndpointOperator
from slipway.wiring.catalogue import Catalogue
from slipway.wiring.defaults import default_args

MODELS = Path(__file__).parent / "models"

with DAG(
    dag_id="check_connectivity",
    description="Can every endpoint that the models need be reached?",
    doc_md=__doc__,
    schedule=None,
    params={
        "model": Param(
            None,
            type=["null", "string"],
            title="Model",
            description="Only the endpoints of this model; empty: of all models.",
        )
    },
    default_args=default_args("slipway") | {"retries": 0},
    tags={"slipway"},
) as dag:

    @task
    def list_endpoints(params: dict, **context: Any) -> list[dict]:
        """Every endpoint of the sound model files, each once."""
        from slipway.network.endpoint import endpoints_of

        models = [model for model in Catalogue(MODELS).models() if params["model"] in {None, model.model}]
        endpoints = {str(endpoint): endpoint for model in models for endpoint in endpoints_of(model)}
        # Airflow does not render what one task hands to another, so the Jinja of the addresses is resolved here.
        return context["task"].render_template(list(endpoints.values()), context)

    CheckEndpointOperator.partial(task_id="check_endpoint", map_index_template="{{ task.endpoint['name'] }}").expand(
        endpoint=list_endpoints()
    )
