"""The estimator that a model file names: built, checked and seeded."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import is_classifier, is_regressor

from slipway.core.bundle import Task
from slipway.core.model_file import Train
from slipway.training.import_path import ImportPath


def build_estimator(train: Train) -> tuple[Any, Task]:
    """The unfitted estimator of the section `train`, and its task.

    Any class or function will do whose result has `fit`, `predict` and `get_params`. Every `random_state` that neither
    the file nor the code sets becomes `train.seed`; `n_jobs` stays as it is.

    Raises:
        ConfigurationError: no such module or name, a wrong parameter, not an estimator, or not of the declared task.
    """
    path = ImportPath("train.estimator", train.estimator)
    estimator = _call(path, path.load(), train.params)
    missing = [name for name in ("fit", "predict", "get_params") if not callable(getattr(estimator, name, None))]
    if isinstance(estimator, type) or missing:
        what = "a class" if isinstance(estimator, type) else f"{type(estimator).__name__} without {', '.join(missing)}"
        fix = "Name a scikit-learn estimator class, or a function that returns an estimator."
        raise path.error(f"it gives {what}: not an estimator", fix)
    task = _task(path, estimator, train.task)
    _seed(estimator, train)
    return estimator, task


def _call(path: ImportPath, target: Any, params: dict[str, Any]) -> Any:
    if not callable(target):
        raise path.error(f"it is a {type(target).__name__}: not an estimator", "Name a class, or module:function.")
    signature = inspect.signature(target)
    try:
        signature.bind(**params)
    except TypeError as error:
        allowed = [name for name, found in signature.parameters.items() if found.kind is not found.VAR_KEYWORD]
        why = f"train.params: {error}, allowed: {', '.join(allowed) or 'none'}"
        raise path.error(why, "Correct train.params in the model file.") from error
    try:
        return target(**params)
    except Exception as error:
        why = f"calling it with train.params raised {type(error).__name__}: {error}"
        raise path.error(why, "Correct train.params or the function.") from error


def _task(path: ImportPath, estimator: Any, declared: Task | None) -> Task:
    found: Task | None = None
    if is_classifier(estimator) or is_regressor(estimator):
        found = "classification" if is_classifier(estimator) else "regression"
    task = declared or found
    if task is None:
        why = f"{type(estimator).__name__} is neither a classifier nor a regressor by its own account"
        raise path.error(why, "Say train.task: classification or regression.")
    if found and declared and found != declared:
        why = f"{type(estimator).__name__} does {found}, the model file says task: {declared}"
        raise path.error(why, "Leave train.task out, or name another estimator.")
    return task


def _seed(estimator: Any, train: Train) -> None:
    open_states = {
        name: train.seed
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and value is None and name not in train.params
    }
    if open_states:
        estimator.set_params(**open_states)
