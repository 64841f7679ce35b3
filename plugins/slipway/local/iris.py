"""The iris dataset: 150 flowers, four measurements in centimetres, three species; shipped with scikit-learn.

R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7 (1936).
"""

from __future__ import annotations

from collections.abc import Iterator


def files() -> Iterator[tuple[str, bytes]]:
    """One file below the landing bucket: name and CSV."""
    from sklearn.datasets import load_iris

    data = load_iris()
    lines = ["sepal_length,sepal_width,petal_length,petal_width,species"]
    for row, label in zip(data.data, data.target, strict=True):
        lines.append(",".join([*(f"{value:g}" for value in row), str(data.target_names[label])]))
    yield "iris/iris.csv", ("\n".join(lines) + "\n").encode()
