"""Airflow settings for all tests, made before Airflow is imported: a home of their own, nothing from the machine's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

os.environ |= {
    "AIRFLOW_HOME": os.environ.get("SLIPWAY_TEST_AIRFLOW_HOME") or tempfile.mkdtemp(prefix="slipway-test-airflow-"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "PYTHONPATH": str(ROOT / "plugins"),
}
for _name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
    os.environ.pop(_name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """System tests last: a running Airflow takes a third of a processor until the end. Of them the longest file first, so that
    it is not waited for when all others are done."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool]:
    return ROOT / "tests" / "system" in item.path.parents, item.path.name != "test_backfill.py"
