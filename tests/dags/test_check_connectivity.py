"""The DAG that probes what the models need: which endpoints it lists, and for which date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def list_endpoints() -> Any:
    bag = BundleDagBag(dag_folder=DAGS / "check_connectivity.py", bundle_path=DAGS, bundle_name="test")
    assert not bag.import_errors
    return bag.dags["check_connectivity"].get_task("list_endpoints")


def addresses(task: Any, model: str | None) -> list[str]:
    context = {"params": {"model": model}, "task": task, "ds": "2013-01-05"}
    return [endpoint["address"] for endpoint in task.python_callable(**context)]


def test_an_address_with_a_date_is_checked_for_the_run_s_date(list_endpoints: Any) -> None:
    assert addresses(list_endpoints, "flights") == [
        "s3://inbox/flights/2013-01-05.csv",
        "s3://slipway",
        "slipway_api_keys",
    ]


def test_all_models_need_the_store_once(list_endpoints: Any) -> None:
    found = addresses(list_endpoints, None)
    assert found.count("s3://slipway") == 1
    assert {"s3://inbox/flights/2013-01-05.csv", "s3://inbox/iris/iris.csv"} <= set(found)
