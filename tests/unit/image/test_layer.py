"""The layer's bytes: those a Docker engine writes, which tests/integration/image compares with a real one's."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from slipway.core.errors import RejectedError
from slipway.image.layer import write_bundle_layer


def test_the_bytes_are_these_on_every_machine(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"hello")
    (tmp_path / "b.onnx").write_bytes(b"x" * 100_000)
    layer = write_bundle_layer(tmp_path, ["b.onnx", "a.json"], tmp_path / "layer.tar")
    # What Docker 20.10 made of the same files, by its classic builder and by BuildKit.
    assert layer.digest == "sha256:9c0db8655d1b043f5d6e1cb5ec0c93012562da91f5695c7ff618f926d721b39f"
    assert layer.size_bytes == (tmp_path / "layer.tar").stat().st_size == 104_448
    assert layer.digest == f"sha256:{hashlib.sha256((tmp_path / 'layer.tar').read_bytes()).hexdigest()}"


def test_tar_reads_it(tmp_path: Path) -> None:
    files = {"empty": b"", "block": b"y" * 512, "more": b"z" * 513}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    write_bundle_layer(tmp_path, files, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as tar:
        members = tar.getmembers()
        found = {one.name.rpartition("/")[2]: tar.extractfile(one).read() for one in members if one.isfile()}  # type: ignore[union-attr]
    assert found == files
    assert [one.name for one in members] == [
        "opt", "opt/ml", "opt/ml/model", "opt/ml/model/block", "opt/ml/model/empty", "opt/ml/model/more",
    ]  # fmt: skip
    assert {(one.mode & 0o777, one.uid, one.gid, one.mtime) for one in members if one.isfile()} == {(0o644, 0, 0, 0)}
    assert {(one.mode & 0o777, one.uid, one.gid, one.mtime) for one in members if one.isdir()} == {(0o755, 0, 0, 0)}


@pytest.mark.parametrize("name", ["x" * 81, "a/b", "../b"])
def test_a_name_that_does_not_fit_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(RejectedError, match="does not fit"):
        write_bundle_layer(tmp_path, [name], tmp_path / "layer.tar")
