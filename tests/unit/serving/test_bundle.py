"""Bundles that lie are refused before anything in them is loaded, and no pickle in them runs."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_server.bundle import open_bundle
from model_server.errors import BundleError
from model_server.model import Model
from tests.bundle_maker import make_bundle, write_manifest


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    return tmp_path / "was-unpickled"


def malicious(trap: Path) -> bytes:
    return pickle.dumps(Trap(trap))


def serve(folder: Path, digest: str) -> None:
    """All that a worker does before it is ready."""
    Model.load(open_bundle(folder, digest)).warm_up()


def change_json(path: Path, change: Callable[[Any], Any]) -> None:
    found = json.loads(path.read_text())
    path.write_text(json.dumps(change(found)))


@pytest.mark.parametrize("runtime", ["onnx", "joblib"])
def test_a_good_bundle_serves(tmp_path: Path, runtime: str) -> None:
    serve(tmp_path / "b", make_bundle(tmp_path / "b", runtime=runtime))


FILES = ["manifest.json", "metadata.json", "golden.json", "report.html", "model.joblib"]


@pytest.mark.parametrize(
    ("runtime", "name"), [*(("onnx", name) for name in [*FILES, "model.onnx"]), *(("joblib", name) for name in FILES)]
)
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "a pickle", "a folder"])
def test_any_damage_to_any_file_is_refused_by_its_name(
    tmp_path: Path, trap: Path, runtime: str, name: str, damage: str
) -> None:
    digest = make_bundle(tmp_path / "b", runtime=runtime)
    path = tmp_path / "b" / name
    data = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    elif damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "a pickle":
        path.write_bytes(malicious(trap))
    elif damage == "a folder":
        path.mkdir()
    reason = "cannot be read" if damage in {"missing", "a folder"} else "its digest is"
    with pytest.raises(BundleError, match=rf"b/{name}: {reason}.*deploy the bundle again from the store"):
        serve(tmp_path / "b", digest)
    assert not trap.exists()


def test_the_manifest_of_another_model_is_refused(tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "one")
    other = make_bundle(tmp_path / "two", name="two")
    (tmp_path / "one/manifest.json").write_bytes((tmp_path / "two/manifest.json").read_bytes())
    with pytest.raises(BundleError, match=r"one/manifest\.json: its digest is"):
        serve(tmp_path / "one", digest)
    with pytest.raises(BundleError, match=r"one/metadata\.json: its digest is"):
        serve(tmp_path / "one", other)


@pytest.mark.parametrize("place", ["model.onnx", "golden.json", "metadata.json"])
def test_a_pickle_that_was_packed_as_another_file_is_no_such_file(tmp_path: Path, trap: Path, place: str) -> None:
    """Here even the digests are right: whoever packed it was deceived."""
    make_bundle(tmp_path / "b")
    (tmp_path / "b" / place).write_bytes(malicious(trap))
    with pytest.raises(BundleError, match=place):
        serve(tmp_path / "b", write_manifest(tmp_path / "b"))
    assert not trap.exists()


def test_the_pickle_beside_an_onnx_graph_is_never_loaded(tmp_path: Path, trap: Path) -> None:
    make_bundle(tmp_path / "b")
    (tmp_path / "b/model.joblib").write_bytes(malicious(trap))
    serve(tmp_path / "b", write_manifest(tmp_path / "b"))
    assert not trap.exists()


@pytest.mark.parametrize("version", ["99.0", "1.9.1.dev0", None])
def test_another_scikit_learn_is_refused_before_its_pickle_is_read(
    tmp_path: Path, trap: Path, version: str | None
) -> None:
    make_bundle(tmp_path / "b", runtime="joblib")
    (tmp_path / "b/model.joblib").write_bytes(malicious(trap))
    change_json(tmp_path / "b/metadata.json", lambda found: found | {"versions": {"scikit-learn": version}})
    with pytest.raises(BundleError, match=f"trained with scikit-learn {version}, here is"):
        serve(tmp_path / "b", write_manifest(tmp_path / "b"))
    assert not trap.exists()


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        (b"", "it is not JSON"),
        (b"\x80\x04", "it is not JSON"),
        (b"[]", "it is no JSON object"),
        (b"{}", "it lists no files with their sha256"),
        (b'{"files": []}', "it lists no files with their sha256"),
        (b'{"files": {"metadata.json": {}}}', "it lists no files with their sha256"),
        (b'{"files": {"metadata.json": "0"}}', "it lists no files with their sha256"),
        (b'{"files": {}}', "it does not list metadata.json"),
    ],
)
def test_a_manifest_of_no_known_form(tmp_path: Path, manifest: bytes, text: str) -> None:
    make_bundle(tmp_path / "b")
    (tmp_path / "b/manifest.json").write_bytes(manifest)
    with pytest.raises(BundleError, match=text):
        open_bundle(tmp_path / "b", f"sha256:{hashlib.sha256(manifest).hexdigest()}")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sub/file"])
def test_a_manifest_names_files_of_its_folder_alone(tmp_path: Path, name: str) -> None:
    make_bundle(tmp_path / "b")
    path = tmp_path / "b/manifest.json"
    change_json(path, lambda found: {"files": found["files"] | {name: {"sha256": "0", "size_bytes": 0}}})
    with pytest.raises(BundleError, match="which is not a plain file name"):
        open_bundle(tmp_path / "b", f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


@pytest.mark.parametrize("missing", ["model", "features", "runtime", "classes", "versions"])
def test_metadata_without_a_part(tmp_path: Path, missing: str) -> None:
    make_bundle(tmp_path / "b")
    change_json(tmp_path / "b/metadata.json", lambda found: {key: found[key] for key in found if key != missing})
    with pytest.raises(BundleError, match=f"it has no '{missing}'"):
        open_bundle(tmp_path / "b", write_manifest(tmp_path / "b"))


@pytest.mark.parametrize("runtime", ["pickle", "", None, ["onnx"]])
def test_an_unknown_runtime(tmp_path: Path, runtime: Any) -> None:
    make_bundle(tmp_path / "b")
    change_json(tmp_path / "b/metadata.json", lambda found: found | {"runtime": runtime})
    with pytest.raises(BundleError, match="this server runs onnx or joblib"):
        open_bundle(tmp_path / "b", write_manifest(tmp_path / "b"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda found: found["predictions"].__setitem__(3, "virginica"), "golden row 4: predicted 'setosa'"),
        (lambda found: found["probabilities"].__setitem__(2, [0.2, 0.3, 0.5]), "golden row 3: probabilities"),
        (lambda found: found["rows"].__setitem__(0, [-1.0, 1, 1, 1]), "the golden rows break the feature schema"),
        (lambda found: found["rows"].__setitem__(0, [None, 1, 1, 1]), "the golden rows break the feature schema"),
    ],
)
def test_a_model_that_answers_otherwise_than_in_training_is_never_ready(
    tmp_path: Path, change: Callable[[Any], None], text: str
) -> None:
    make_bundle(tmp_path / "b")
    change_json(tmp_path / "b/golden.json", lambda found: (change(found), found)[1])
    model = Model.load(open_bundle(tmp_path / "b", write_manifest(tmp_path / "b")))
    with pytest.raises(BundleError, match=text):
        model.warm_up()
    assert not model.ready
