"""Imports, once, what most tasks would import each for themselves.

The LocalExecutor forks every task from the scheduler, so what is imported there is there already in the task: importing
scikit-learn, pandas and the ONNX tools anew takes seconds, many times what delivering a small model takes. Airflow imports
a module of this name at start; only the scheduler has this folder on its path.
"""

from __future__ import annotations

import importlib
import logging
import os

MODULES = (
    "airflow.providers.amazon.aws.hooks.base_aws",
    "boto3.s3.transfer",
    "jinja2.ext",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "onnxruntime",
    "pandas",
    "pyarrow.csv",
    "skl2onnx",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
)

for _name in MODULES:
    try:
        importlib.import_module(_name)
    except ImportError as error:
        # A task that needs it will say so itself; the scheduler must start in any case.
        logging.getLogger(__name__).warning("could not import %s ahead of the tasks: %s", _name, error)

# The first clients of a process load a good part of botocore, and are at hand in the tasks if they are made here.
if os.environ.get("AIRFLOW_CONN_AWS_DEFAULT"):
    try:
        from slipway.aws.hook import make_clients_ahead

        make_clients_ahead("aws_default", ("s3", "ec2"))
    except Exception as error:
        logging.getLogger(__name__).warning("could not make AWS clients ahead of the tasks: %s", error)
