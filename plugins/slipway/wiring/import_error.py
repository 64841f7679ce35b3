"""A broken model file as an Airflow import error of its own.

One DAG file makes all the DAGs, and Airflow takes every DAG of a file down when the file has an import error. But it also
records an error for a DAG that cannot be serialised, under the DAG's own `relative_fileloc`. So a broken model file
becomes a DAG that says it comes from the YAML file and whose serialisation raises the error to show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from slipway.core.errors import ConfigurationError
from slipway.core.identity import object_name


def broken_dag(path: Path, error: ConfigurationError) -> DAG:
    """A DAG that Airflow reports as the import error of the model file at `path`, and never runs."""

    class BrokenModelFile(DAG):
        @classmethod
        def get_serialized_fields(cls) -> Any:
            raise error

    # The importer sets this attribute to the DAG file; a property on the class wins over it.
    BrokenModelFile.relative_fileloc = property(  # type: ignore[method-assign, assignment]
        lambda _dag: f"{path.parent.name}/{path.name}", lambda _dag, _value: None
    )
    # A file's name may hold what an id may not: "iris (copy).yaml".
    return BrokenModelFile(dag_id=f"broken_model_file_{object_name(path.name)}", schedule=None)
