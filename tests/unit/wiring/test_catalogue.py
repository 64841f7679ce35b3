"""Which model files are read, and what becomes of those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.wiring.catalogue import Catalogue


def write(folder: Path, name: str, model: str) -> None:
    (folder / name).write_text(
        f"model: {model}\nstore: s3://slipway\ndataset: {{uri: a.csv, target: y}}\n"
        "train: {estimator: sklearn.linear_model.Ridge}\n"
    )


def test_models_come_by_file_name_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for name, model in [("b.yml", "second"), ("a.yaml", "first"), ("model_file.schema.json", "none")]:
        write(tmp_path, name, model)
    catalogue = Catalogue(tmp_path)
    assert [model.model for model in catalogue.models()] == ["first", "second"]
    assert not catalogue.broken


def test_for_one_dag_the_first_look_is_at_the_file_of_its_name(tmp_path: Path) -> None:
    write(tmp_path, "wine.yaml", "wine")
    for number in range(5):
        (tmp_path / f"a{number}.yaml").write_text("model: [")
    catalogue = Catalogue(tmp_path, "deliver_wine")
    assert [model.model for model in catalogue.models()] == ["wine"]
    assert not catalogue.broken


def test_a_model_in_a_file_of_another_name_is_found_too(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "other")
    write(tmp_path, "cellar.yaml", "wine")
    assert [model.model for model in Catalogue(tmp_path, "deliver_wine").models()] == ["wine"]


def test_the_second_of_two_equal_names_is_broken(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "wine")
    write(tmp_path, "b.yaml", "wine")
    catalogue = Catalogue(tmp_path)
    assert [model.model for model in catalogue.models()] == ["wine"]
    [(path, error)] = catalogue.broken.items()
    assert path.name == "b.yaml"
    assert "model: found 'wine', which a.yaml has already; allowed: a name of its own" in str(error)


def test_one_that_cannot_become_a_dag_is_set_aside_under_its_file(tmp_path: Path) -> None:
    write(tmp_path, "cellar.yaml", "wine")
    catalogue = Catalogue(tmp_path)
    [model] = catalogue.models()
    catalogue.set_aside(model, ValueError("Airflow says no"))
    assert str(catalogue.broken[tmp_path / "cellar.yaml"]) == (
        f"could not use the model file: {tmp_path.name}/cellar.yaml: no DAG can be made of it: Airflow says no. "
        "Correct the file; other models are not affected."
    )


@pytest.mark.parametrize("data", [b"\xff\xfem\x00", b"model: \xe4\n"])
def test_a_file_that_is_not_utf8_is_broken(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(data)
    catalogue = Catalogue(tmp_path)
    assert not list(catalogue.models())
    [error] = catalogue.broken.values()
    assert "Save it as readable UTF-8 text." in str(error)
