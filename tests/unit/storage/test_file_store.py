from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.core.errors import AbsentError, ConfigurationError, UnavailableError
from slipway.storage.file_store import FileStore

SWAPPER = """
import sys
from pathlib import Path
from slipway.core.errors import ConflictError
from slipway.storage.file_store import FileStore
store, won = FileStore(Path(sys.argv[1])), 0
for _ in range(25):
    while True:
        found = store.find("counter")
        try:
            store.swap("counter", str(int(found.data) + 1).encode(), found.version)
            break
        except ConflictError:
            continue
"""

WRITER = """
import os, sys
from pathlib import Path
import slipway.storage.file_store as file_store
os.fsync = lambda _number: os._exit(9)  # the process ends with the bytes written and the rename still to come
file_store.FileStore(Path(sys.argv[1])).write("key", b"new")
"""


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "a/../.."])
def test_a_key_does_not_lead_out_of_the_folder(tmp_path: Path, key: str) -> None:
    root = tmp_path / "root"
    with pytest.raises(ConfigurationError) as caught:
        FileStore(root).write(key, b"x")
    assert str(caught.value) == f"could not use the object: {key}: it leads out of {root}. Use a plain key."
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_and_a_key_that_stays_inside_are_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FileStore(Path())
    store.write("a/../b", b"x")
    assert (store.read("b"), list(store.keys(""))) == (b"x", ["b"])


def test_four_processes_count_without_losing_a_step(tmp_path: Path) -> None:
    """Read, add one, swap: a compare-and-swap that is not one between processes would lose steps."""
    FileStore(tmp_path).write("counter", b"0")
    running = [subprocess.Popen([sys.executable, "-c", SWAPPER, str(tmp_path)], env=os.environ) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    assert FileStore(tmp_path).read("counter") == b"100"


def test_a_process_that_dies_while_writing_leaves_the_old_object(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.write("key", b"old")
    assert subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], env=os.environ, check=False).returncode == 9
    assert (store.read("key"), list(store.keys(""))) == (b"old", ["key"])


def test_an_absent_file_names_path_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(AbsentError) as caught:
        FileStore(tmp_path).read("inbox/2013-01-05.csv")
    assert str(caught.value) == (
        f"could not read the object: {tmp_path}/inbox/2013-01-05.csv: No such file or directory. "
        "Check the path; for a backfill, whether that date has a file."
    )


def test_a_file_where_a_folder_should_be_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(UnavailableError, match=r"could not write the object: .*/a/b: .*Check the disk"):
        FileStore(tmp_path).write("a/b", b"x")


def test_the_lock_is_not_a_key(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "new")
    store.create("a", b"x")
    assert list(store.keys("")) == ["a"]
