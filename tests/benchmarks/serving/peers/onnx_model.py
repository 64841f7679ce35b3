"""The bundle's ONNX graph as a person would serve it: one session, one thread, labels by the classes."""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime


class OnnxModel:
    """Rows in, the dataset's own labels out; the folder of `BENCH_MODEL` holds model.onnx and given.json."""

    def __init__(self):
        folder = Path(os.environ["BENCH_MODEL"])
        given = json.loads((folder / "given.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        self._classes = given["classes"]
        self._numeric = [place for place, numeric in enumerate(given["numeric"]) if numeric]
        self._text = [place for place, numeric in enumerate(given["numeric"]) if not numeric]

    def predict(self, features):
        """One label for a row, or a list of them for a list of rows."""
        single = not isinstance(features[0], list)
        codes = self._session.run(["label"], self._inputs([features] if single else features))[0].tolist()
        return self._classes[codes[0]] if single else [self._classes[code] for code in codes]

    def _inputs(self, rows):
        if not self._text:
            return {"numbers": np.array(rows, np.float32)}
        columns = list(zip(*rows, strict=True))
        return {
            "numbers": np.array([columns[place] for place in self._numeric], np.float32).T,
            "categories": np.array([columns[place] for place in self._text], object).T,
        }
