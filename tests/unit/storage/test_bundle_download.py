"""A bundle on its way from the store to the machine that serves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.core.errors import AbsentError, RejectedError
from slipway.storage.bundle_download import ensure_bundle, keep_bundles
from slipway.storage.file_store import FileStore
from tests.bundle_maker import make_bundle


@pytest.fixture
def stored(tmp_path: Path) -> tuple[FileStore, str, Path]:
    """A store with one bundle, its digest, and the folder that it is fetched into."""
    digest = make_bundle(tmp_path / "store" / "models" / "m1")
    return FileStore(tmp_path / "store"), digest, tmp_path / "bundles"


def test_it_comes_whole_and_once(stored: tuple[FileStore, str, Path], tmp_path: Path) -> None:
    store, digest, folder = stored
    path = ensure_bundle(store, "models/m1/", digest, folder)
    names = sorted(file.name for file in (tmp_path / "store" / "models" / "m1").iterdir())
    assert sorted(file.name for file in path.iterdir()) == names
    (tmp_path / "store" / "models" / "m1" / "manifest.json").unlink()
    assert ensure_bundle(store, "models/m1/", digest, folder) == path


@pytest.mark.parametrize("name", ["manifest.json", "model.joblib", "metadata.json"])
def test_a_changed_file_is_rejected_and_leaves_no_bundle(
    stored: tuple[FileStore, str, Path], tmp_path: Path, name: str
) -> None:
    store, digest, folder = stored
    with (tmp_path / "store" / "models" / "m1" / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(RejectedError, match=rf"could not take the bundle into service: .*{name}: its sha256 is"):
        ensure_bundle(store, "models/m1/", digest, folder)
    assert not (folder / digest.removeprefix("sha256:")).exists()


def test_a_download_that_was_cut_off_is_begun_again(stored: tuple[FileStore, str, Path]) -> None:
    store, digest, folder = stored
    part = folder / f".part-{digest.removeprefix('sha256:')}"
    part.mkdir(parents=True)
    (part / "left-over").touch()
    assert not (ensure_bundle(store, "models/m1/", digest, folder) / "left-over").exists()


def test_a_bundle_that_is_not_there_is_absent(stored: tuple[FileStore, str, Path]) -> None:
    store, digest, folder = stored
    with pytest.raises(AbsentError, match=r"models/m2/manifest\.json"):
        ensure_bundle(store, "models/m2/", digest, folder)


def test_only_the_named_ones_are_kept(tmp_path: Path) -> None:
    for name in ("aa", "bb", "cc", ".part-dd"):
        (tmp_path / name).mkdir()
    keep_bundles(tmp_path, {"sha256:aa", "sha256:cc"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aa", "cc"]
