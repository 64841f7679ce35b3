"""What stands between the columns of a dataset and the estimator."""

from __future__ import annotations

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from slipway.core.column import Schema
from slipway.training.import_path import ImportPath

_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"
_TREES = ("sklearn.tree.", "sklearn.ensemble._forest", "sklearn.ensemble._gb", _BOOSTING)


def build_pipeline(schema: Schema, estimator: Any, preprocessing: str | None) -> Pipeline:
    """An unfitted pipeline from a frame with the schema's features, in order, to predictions.

    By default numbers are imputed with the median, when a column may be null, and standardised, and categories are
    one-hot encoded; a category not seen in training becomes zeros. Trees do not care for scale, so theirs is left alone:
    their thresholds then compare the very numbers that came in. Histogram boosting takes nulls as they are.

    Raises:
        ConfigurationError: `preprocessing` names no function, or the function gives no transformer.
    """
    if preprocessing == "none":
        return Pipeline([("estimator", estimator)])
    transformer = _own(schema, preprocessing) if preprocessing else _default(schema, estimator)
    return Pipeline([("preprocessing", transformer), ("estimator", estimator)])


def _own(schema: Schema, text: str) -> Any:
    path = ImportPath("train.preprocessing", text)
    function = path.load()
    try:
        transformer = function(schema)
    except Exception as error:
        raise path.error(f"calling it with the schema raised {type(error).__name__}: {error}", "Correct it.") from error
    if not (callable(getattr(transformer, "fit", None)) and callable(getattr(transformer, "transform", None))):
        why = f"it gives {type(transformer).__name__}, which has no fit and transform"
        raise path.error(why, "Return a scikit-learn transformer, for example a ColumnTransformer.")
    return transformer


def _default(schema: Schema, estimator: Any) -> ColumnTransformer:
    numbers = [column for column in schema.features if column.is_numeric]
    categories = [column for column in schema.features if not column.is_numeric]
    branches: list[tuple[str, Any, list[str]]] = []
    if numbers:
        step = _for_numbers(estimator, has_nulls=any(column.nullable for column in numbers))
        branches.append(("numbers", step, [column.name for column in numbers]))
    if categories:
        branches.append(("categories", _for_categories(estimator), [column.name for column in categories]))
    return ColumnTransformer(branches)


def _for_numbers(estimator: Any, *, has_nulls: bool) -> Any:
    steps: list[tuple[str, Any]] = []
    if has_nulls and not _is_from(estimator, _BOOSTING):
        from sklearn.impute import SimpleImputer

        steps.append(("impute", SimpleImputer(strategy="median", keep_empty_features=True)))
    if not _is_from(estimator, *_TREES):
        from sklearn.preprocessing import StandardScaler

        steps.append(("scale", StandardScaler()))
    return Pipeline(steps) if steps else "passthrough"


def _for_categories(estimator: Any) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    # Trees walk dense columns many times faster; the others profit from sparse ones where they take them.
    sparse = not _is_from(estimator, *_TREES) and bool(get_tags(estimator).input_tags.sparse)
    return OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)


def _is_from(estimator: Any, *modules: str) -> bool:
    return any(kind.__module__.startswith(modules) for kind in type(estimator).__mro__)
