"""Bundles made by the pipeline's own code, and the holdout rows that training kept aside."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from slipway.core.column import Column
from slipway.core.model_file import Dataset, Train
from slipway.dataset.ingestion import ingest
from slipway.storage.object_store import open_store
from slipway.training.evaluation import evaluate
from slipway.training.job import TrainingJob
from slipway.training.samples import frame_of, unpack_holdout
from slipway.training.split import split_rows
from slipway.training.target import encode_target
from slipway.training.training import train


@dataclass(frozen=True)
class Trained:
    """A bundle in a folder.

    Attributes:
        rows: every holdout row, as the scikit-learn pipeline takes it: numbers rounded to float32.
        raw: the features of the same rows as they stand in the dataset.
        pipeline: the fitted pipeline of the bundle, unpickled here.
    """

    folder: Path
    digest: str
    metadata: dict[str, Any]
    rows: pd.DataFrame
    raw: pd.DataFrame
    pipeline: Any


def make_trained(folder: Path, frame: pd.DataFrame, section: Dataset, wanted: Train, model: str = "m") -> Trained:
    """Ingest, train and evaluate `frame`, and fetch the bundle into ``<folder>/bundle``, as a rollout does."""
    store = open_store(str(folder / "store"))
    works = [folder / name for name in ("ingest", "train", "evaluate", "bundle")]
    for work in works:
        work.mkdir(parents=True)
    frame.to_csv(folder / "rows.csv", index=False)
    dataset = ingest(
        str(folder / "rows.csv"), None, section, store, champion_schema=None, champion_label="", work_dir=works[0]
    )
    job = TrainingJob(model, dataset, section, wanted)
    done = evaluate(job, train(job, store, works[1]), store, works[2])
    bundle = works[3]
    for name in [*json.loads(store.read(f"{done['key']}manifest.json"))["files"], "manifest.json"]:
        store.download(f"{done['key']}{name}", bundle / name)
    samples, _ = unpack_holdout(store.read(f"evaluations/{done['model_id']}/holdout.npz"))
    schema = dataset.table_schema
    rows = frame_of(samples, schema.features)
    metadata = json.loads((bundle / "metadata.json").read_text())
    raw = frame.iloc[_holdout(frame, schema.target, wanted, metadata["task"])][[each.name for each in schema.features]]
    pipeline = joblib.load(io.BytesIO((bundle / "model.joblib").read_bytes()))
    return Trained(bundle, done["digest"], metadata, rows, raw, pipeline)


def _holdout(frame: pd.DataFrame, column: Column, wanted: Train, task: Any) -> Any:
    target = encode_target(frame[column.name].to_numpy(), column, task)
    return split_rows(target, wanted.holdout, wanted.seed, column.name).holdout


MIXED = Dataset.model_validate(
    {
        "uri": "rows.csv",
        "target": "late",
        "columns": {
            "carrier": {"type": "category", "nullable": True},
            "hour": {"type": "integer", "minimum": 0, "maximum": 23},
            "night": {"type": "boolean"},
            "delay": {"type": "number", "nullable": True, "minimum": -1000, "maximum": 10000},
            "late": {"type": "category", "categories": ["no", "yes"]},
        },
    }
)


def mixed_rows(count: int = 300) -> pd.DataFrame:
    """Text with nulls, whole numbers, booleans, numbers with nulls; and a target that depends on them."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"carrier": random.choice(["AA", "UA", "Æ"], count), "hour": random.integers(0, 24, count)})
    frame["night"] = frame["hour"] > 20
    frame["delay"] = random.normal(scale=20, size=count).round(2)
    late = frame["delay"] + frame["hour"] + (frame["carrier"] == "UA") * 20 > 20
    frame["late"] = late.map({True: "yes", False: "no"})
    frame.loc[::17, "delay"] = None
    frame.loc[::23, "carrier"] = None
    return frame


def hours(_schema: Any) -> Any:
    """A preprocessing of the user's own, for estimators of a single feature."""
    return ColumnTransformer([("hour", "passthrough", ["hour"])])
