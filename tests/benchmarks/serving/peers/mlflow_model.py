"""`mlflow_model.py <model.joblib> <folder>`: the fitted pipeline as an MLflow model, once.

By cloudpickle: MLflow's skops format refuses forests.
"""

import sys
from pathlib import Path

if not Path(sys.argv[2]).exists():
    import joblib
    import mlflow.sklearn

    mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], serialization_format="cloudpickle")
