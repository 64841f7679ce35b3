"""One stack for all tests of this folder; it is built, brought up, and removed with its volumes at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.system.compose.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    stack = Stack.prepare(folder)
    before = os.environ.get("AIRFLOW_CONN_AWS_DEFAULT")
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = stack.connection_to_cloud()  # for the ledger, read from here
    try:
        stack.build()
        stack.up()
        yield stack
    finally:
        os.environ.pop("AIRFLOW_CONN_AWS_DEFAULT")
        if before is not None:
            os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = before
        stack.compose("down", "--volumes", "--timeout", "5")
