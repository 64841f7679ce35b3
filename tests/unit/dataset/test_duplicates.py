from __future__ import annotations

from pathlib import Path

import pytest

from slipway.dataset import duplicates
from slipway.dataset.duplicates import DuplicateSearch
from slipway.table.rows import open_table


def search(tmp_path: Path, data: str) -> list[str]:
    path, spill = tmp_path / "a.csv", tmp_path / "spill"
    path.write_text(data)
    spill.mkdir()
    found = DuplicateSearch(path, spill)
    for batch in open_table(path).batches():
        found.feed(batch)
    return [str(finding.found) for finding in found.findings()]


def test_rows_far_apart_are_found(tmp_path: Path) -> None:
    lines = [f"{number},{'x' * 40}" for number in range(60_000)]
    lines[59_999] = lines[0]
    lines[30_000] = lines[29_999]
    assert search(tmp_path, "a,b\n" + "\n".join(lines) + "\n") == ["a repetition of row 30000 in 2 rows (30001, 60000)"]


def test_different_rows_are_no_duplicates(tmp_path: Path) -> None:
    assert search(tmp_path, "a,b\nx,yz\nxy,z\n\x1f,\n,\x1f\n") == []


def test_rows_that_only_share_a_hash_are_no_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "hash", lambda _: 7, raising=False)
    assert search(tmp_path, "a,b\n1,2\n3,4\n5,6\n") == []


def test_more_repetitions_than_are_compared(tmp_path: Path) -> None:
    found = search(tmp_path, "a,b\n" + "1,2\n" * 5000)
    assert found == ["a repetition of row 1 in 4999 rows (2, 3, 4, 5, 6, ...)"]
