"""Rows as the serving model takes them: one tensor of numbers, one of texts. No pandas needed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slipway.core.bundle import Feature

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Samples:
    """N rows.

    Args:
        numbers: float32 [N, numeric features], NaN for null; booleans 0 and 1.
        categories: object array of str [N, category features], ``""`` for null.
    """

    numbers: npt.NDArray[np.float32]
    categories: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, positions: npt.NDArray[Any]) -> Samples:
        """The rows at `positions`, in that order."""
        return Samples(self.numbers[positions], self.categories[positions])

    def batches(self, rows: int) -> Iterator[Samples]:
        """The same rows in pieces of at most `rows`."""
        for start in range(0, len(self), rows):
            yield Samples(self.numbers[start : start + rows], self.categories[start : start + rows])

    def select(self, own: Sequence[Feature], wanted: Sequence[Feature]) -> Samples:
        """The columns of `wanted`, by name, out of these, which are laid out as `own`."""
        numeric, text = layout(own)
        numbers = [numeric.index(feature.name) for feature in wanted if feature.is_numeric]
        texts = [text.index(feature.name) for feature in wanted if not feature.is_numeric]
        return Samples(self.numbers[:, numbers], self.categories[:, texts])


def layout(features: Sequence[Feature]) -> tuple[list[str], list[str]]:
    """The names behind the columns of `numbers` and of `categories`."""
    numeric = [feature.name for feature in features if feature.is_numeric]
    return numeric, [feature.name for feature in features if not feature.is_numeric]


def samples_of(frame: pd.DataFrame, features: Sequence[Feature]) -> Samples:
    """The rows of a frame that `slipway.table` read."""
    numeric, text = layout(features)
    categories = np.empty((len(frame), len(text)), object)
    for place, name in enumerate(text):
        categories[:, place] = frame[name].to_numpy()
    return Samples(frame[numeric].to_numpy(np.float32), categories)


def frame_of(samples: Samples, features: Sequence[Feature]) -> pd.DataFrame:
    """The rows as the scikit-learn pipeline takes them."""
    import pandas as pd

    numeric, text = layout(features)
    columns: dict[str, Any] = {
        name: samples.numbers[:, place].astype(np.float64) for place, name in enumerate(numeric)
    } | {name: pd.Series(samples.categories[:, place], dtype=object) for place, name in enumerate(text)}
    return pd.DataFrame({feature.name: columns[feature.name] for feature in features}, index=range(len(samples)))


def pack_holdout(samples: Samples, target: npt.NDArray[Any]) -> bytes:
    """Rows and their coded target as an ``.npz``, without pickles; texts as codes into a list per column."""
    codes = np.empty(samples.categories.shape, np.int32)
    texts = []
    for place in range(samples.categories.shape[1]):
        known, codes[:, place] = np.unique(samples.categories[:, place].astype(object), return_inverse=True)
        texts.append(known.tolist())
    vocabulary = np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), np.uint8)
    return pack_arrays(numbers=samples.numbers, categories=codes, vocabulary=vocabulary, target=target)


def unpack_holdout(data: bytes) -> tuple[Samples, npt.NDArray[Any]]:
    """What `pack_holdout` packed."""
    arrays = unpack_arrays(data)
    codes = arrays["categories"]
    categories = np.empty(codes.shape, object)
    for place, texts in enumerate(json.loads(arrays["vocabulary"].tobytes())):
        categories[:, place] = np.array(texts, object)[codes[:, place]]
    return Samples(arrays["numbers"], categories), arrays["target"]


def pack_arrays(**arrays: npt.NDArray[Any]) -> bytes:
    """Arrays by name as an ``.npz``; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """What `pack_arrays` packed; nothing is unpickled."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)
