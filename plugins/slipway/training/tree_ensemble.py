"""Forests and histogram boosting as ONNX, in place of skl2onnx's own converters.

Why not theirs: skl2onnx 1.20 cannot write a histogram boosting model with onnx 1.23 (it hands a boolean to an integer
field), it rounds thresholds of boosted trees to the nearest float32, so that a row on the threshold may turn the other way,
it divides the votes of a forest before it adds them, so that ties break at random, and it walks every node in Python.
Here thresholds are rounded down to a float32, which no float32 input can tell from the original, and forests add votes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, NodeProto
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

Array = npt.NDArray[Any]
Converter = Callable[[Any, Any, Any], None]

_FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
_BOOSTED = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


class _Tree(NamedTuple):
    """One tree, an array entry per node; `values` is [nodes, targets], `first_target` the target of its first column."""

    is_leaf: Array
    features: Array
    thresholds: Array
    left: Array
    right: Array
    missing_left: Array
    values: Array
    first_target: int = 0


def converters() -> dict[type, Converter]:
    """For `convert_sklearn(custom_conversion_functions=...)`, which applies to that one call only."""
    forests: dict[type, Converter] = {kind: _forest_converter(f"Sklearn{kind.__name__}") for kind in _FORESTS}
    return forests | dict.fromkeys(_BOOSTED, _convert_boosted)


def _forest_converter(alias: str) -> Converter:
    original = get_converter(alias)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        forest = operator.raw_operator
        coded = not is_classifier(forest) or np.array_equal(forest.classes_, np.arange(forest.n_classes_))
        if forest.n_outputs_ != 1 or not coded or not isinstance(operator.inputs[0].type, FloatTensorType):
            original(scope, operator, container)
            return
        trees = [_from_forest(member.tree_, is_classifier(forest)) for member in forest.estimators_]
        outputs = [output.full_name for output in operator.outputs]
        scores = outputs[1] if is_classifier(forest) else outputs[0]
        _add_ensemble(scope, container, operator, trees, scores, aggregate_function="AVERAGE")
        if is_classifier(forest):
            container.add_node("ArgMax", [scores], outputs[:1], op_version=13, axis=1, keepdims=0)

    return convert


def _from_forest(tree: Any, classifies: bool) -> _Tree:
    values = tree.value[:, 0, :]
    if classifies:
        values = values / values.sum(axis=1, keepdims=True)
    is_leaf = tree.children_left < 0
    return _Tree(
        is_leaf, tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.missing_go_to_left, values
    )


def _convert_boosted(scope: Any, operator: Any, container: Any) -> None:
    model = operator.raw_operator
    trees = [
        _from_boosted(predictor.nodes, target) for stage in model._predictors for target, predictor in enumerate(stage)
    ]
    base = np.ravel(model._baseline_prediction).astype(np.float32).tolist()
    raw = scope.get_unique_variable_name("raw")
    _add_ensemble(scope, container, operator, trees, raw, aggregate_function="SUM", base_values=base)
    outputs = [output.full_name for output in operator.outputs]
    if not is_classifier(model):
        link = type(model._loss.link).__name__
        container.add_node({"IdentityLink": "Identity", "LogLink": "Exp"}[link], [raw], outputs[:1], op_version=13)
        return
    if len(base) == 1:
        # Two classes: the log-odds of the first are 0, and the softmax of (0, x) is the logistic function of x.
        both = scope.get_unique_variable_name("both")
        zero = scope.get_unique_variable_name("zero")
        container.add_node("Sub", [raw, raw], zero, op_version=13)
        container.add_node("Concat", [zero, raw], both, op_version=13, axis=1)
        raw = both
    container.add_node("Softmax", [raw], outputs[1:2], op_version=13, axis=1)
    container.add_node("ArgMax", [raw], outputs[:1], op_version=13, axis=1, keepdims=0)


def _from_boosted(nodes: Array, target: int) -> _Tree:
    if nodes["is_categorical"].any():
        raise NotImplementedError("ONNX trees cannot split by sets of categories (categorical_features)")
    return _Tree(
        nodes["is_leaf"].astype(bool),
        nodes["feature_idx"],
        nodes["num_threshold"],
        nodes["left"],
        nodes["right"],
        nodes["missing_go_to_left"],
        nodes["value"][:, None],
        target,
    )


def _add_ensemble(
    scope: Any, container: Any, operator: Any, trees: Sequence[_Tree], output: str, **attributes: Any
) -> None:
    """One TreeEnsembleRegressor node, [N, features] float32 -> [N, targets] float32."""
    sizes = [len(tree.is_leaf) for tree in trees]
    leaf = np.concatenate([tree.is_leaf for tree in trees])
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    width = trees[0].values.shape[1]

    def branch(name: str) -> Array:
        return np.where(leaf, 0, np.concatenate([getattr(tree, name) for tree in trees]))

    first = np.repeat([tree.first_target for tree in trees], sizes)[leaf]
    values = np.concatenate([tree.values for tree in trees])[leaf]
    container.add_node(
        "TreeEnsembleRegressor",
        [operator.inputs[0].full_name],
        [output],
        op_domain="ai.onnx.ml",
        op_version=1,
        name=scope.get_unique_operator_name("TreeEnsemble"),
        n_targets=max(tree.first_target for tree in trees) + width,
        post_transform="NONE",
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        **attributes,
    )
    arrays = {
        "nodes_treeids": tree_ids,
        "nodes_nodeids": node_ids,
        "nodes_featureids": branch("features"),
        "nodes_values": round_down(branch("thresholds")),
        "nodes_truenodeids": branch("left"),
        "nodes_falsenodeids": branch("right"),
        "nodes_missing_value_tracks_true": branch("missing_left"),
        "target_treeids": np.repeat(tree_ids[leaf], width),
        "target_nodeids": np.repeat(node_ids[leaf], width),
        "target_ids": (first[:, None] + np.arange(width)).ravel(),
        "target_weights": values.astype(np.float32).ravel(),
    }
    _add_arrays(container.nodes[-1], arrays)


def _add_arrays(node: NodeProto, arrays: dict[str, Array]) -> None:
    """The arrays as attributes. onnx's own helper looks at each number several times, most of the time a forest took."""
    for name, array in arrays.items():
        if array.dtype == np.float32:
            node.attribute.add(name=name, type=AttributeProto.FLOATS, floats=array.tolist())
        else:
            node.attribute.add(name=name, type=AttributeProto.INTS, ints=array.astype(np.int64).tolist())


def round_down(thresholds: Array) -> npt.NDArray[np.float32]:
    """The largest float32 not above each float64: for a float32 x, ``x <= t`` and ``x <= round_down(t)`` are the same."""
    rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded
