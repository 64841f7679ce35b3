"""The fitted pipeline as an ONNX graph with the inputs and outputs that serving expects."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

from onnx import ModelProto, TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from slipway.core.bundle import Feature, Task
from slipway.training.samples import layout
from slipway.training.tree_ensemble import converters


def to_graph(pipeline: Any, features: Sequence[Feature], task: Task) -> bytes:
    """A serialised ONNX model.

    Inputs: `numbers` float32 [N, numeric features] and `categories` string [N, category features], each only where there
    are such features. Outputs: for classification `label` int64 [N] and, if the estimator has them, `probabilities`
    float32 [N, C]; for regression `prediction` float32 [N, 1].

    Raises:
        Exception: of any kind, when skl2onnx or this module cannot express the pipeline.
    """
    numeric, text = layout(features)
    inputs = [("numbers", FloatTensorType([None, len(numeric)]))] if numeric else []
    inputs += [("categories", StringTensorType([None, len(text)]))] if text else []
    estimator = _last_step(pipeline)
    has_probabilities = hasattr(estimator, "predict_proba")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = convert_sklearn(
            _renumbered(pipeline, features),
            name="slipway",
            initial_types=inputs,
            custom_conversion_functions=converters(),
            final_types=[("label", None), ("probabilities", None)] if task == "classification" else [("raw", None)],
        )
    if {node.name for node in model.graph.input} != {name for name, _ in inputs}:
        raise NotImplementedError("the pipeline does not use all kinds of features")
    _leave_out_zipmap(model)
    _shape_outputs(model, task, len(estimator.classes_) if has_probabilities else 0)
    # Else in the order of a set of texts, which each process has another of, and so other bytes for the same model.
    model.opset_import.sort(key=lambda opset: opset.domain)
    serialised: bytes = model.SerializeToString()
    return serialised


def _last_step(model: Any) -> Any:
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return model


def _renumbered(step: Any, features: Sequence[Feature]) -> Any:
    """A copy of `step` that selects columns by their place in `numbers` followed by `categories`, not by name."""
    if isinstance(step, Pipeline):
        name, first = step.steps[0]
        return Pipeline([(name, _renumbered(first, features)), *step.steps[1:]])
    numeric, text = layout(features)
    if isinstance(step, ColumnTransformer):
        places = {name: place for place, name in enumerate([*numeric, *text])}
        twin = copy.copy(step)
        twin.transformers_ = [
            (name, part, [places[column] for column in _names(columns, features)])
            for name, part, columns in step.transformers_
        ]
        return twin
    if text:
        raise NotImplementedError(f"{type(step).__name__} takes numbers and categories in one table")
    return step


def _names(columns: Any, features: Sequence[Feature]) -> list[str]:
    """The features that a fitted ColumnTransformer selects: names, positions, a mask or a slice of either."""
    known = [feature.name for feature in features]
    if isinstance(columns, str | int):
        columns = [columns]
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            raise NotImplementedError("a slice of column names")
        return known[columns]
    if len(columns) == len(known) and all(type(column).__name__ in {"bool", "bool_"} for column in columns):
        return [name for name, chosen in zip(known, columns, strict=True) if chosen]
    return [column if isinstance(column, str) else known[column] for column in columns]


def _leave_out_zipmap(model: ModelProto) -> None:
    """Probabilities as a tensor, not as a list of dictionaries.

    skl2onnx has an option for that, `zipmap`, but for any option it reads every property of every part of the model, which
    for a forest means to draw its samples again.
    """
    for node in model.graph.node:
        if node.op_type == "ZipMap":
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:]


def _shape_outputs(model: ModelProto, task: Task, classes: int) -> None:
    graph = model.graph
    if task == "classification":
        del graph.output[1:]
        if graph.output[0].type.tensor_type.elem_type != TensorProto.INT64:
            raise NotImplementedError("the graph's labels are not int64")
        if classes:
            shape = [None, classes]
            graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape))
        return
    graph.initializer.append(helper.make_tensor("prediction_shape", TensorProto.INT64, [2], [-1, 1]))
    graph.node.append(helper.make_node("Reshape", ["raw", "prediction_shape"], ["prediction"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1]))
