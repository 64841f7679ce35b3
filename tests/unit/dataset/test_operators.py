from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.core.errors import RejectedError
from slipway.core.model_file import Dataset
from slipway.core.release import Release
from slipway.dataset.operators import StoreDatasetOperator
from slipway.release.ledger import Ledger
from slipway.storage.file_store import FileStore

ROWS = "x,c,y\n1.5,red,0\n2,blue,1\n3,red,0\n"


def store_dataset(tmp_path: Path, text: str, **section: Any) -> dict[str, Any]:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    operator = StoreDatasetOperator(
        task_id="store_dataset",
        dataset=Dataset.model_validate({"uri": "inbox/{{ ds }}.csv", "target": "y", **section}),
        uri="{{ params.dataset_uri }}",
        model="flights",
        store=f"file://{tmp_path}/store/",
    )
    operator.render_template_fields({"params": {"dataset_uri": str(path)}})
    return operator.execute({})


def promote(tmp_path: Path, dataset_id: str, number: int = 1) -> None:
    ledger = Ledger.open(f"{tmp_path}/store", "flights")
    draft = Release(
        number=0,
        model="flights",
        partition="2013-01-01",
        dataset_id=dataset_id,
        model_id="m",
        bundle_digest="sha256:0",
        outcome="first release",
        run_id="r",
        created="2013-01-01T00:00:00Z",
    )
    ledger.promote(ledger.record(draft), None)


def test_the_uri_defaults_to_the_model_files() -> None:
    dataset = Dataset(uri="inbox/{{ ds }}.csv", target="y")
    operator = StoreDatasetOperator(task_id="t", dataset=dataset, model="flights", store="/tmp/store")
    assert (operator.uri, "uri" in operator.template_fields) == ("inbox/{{ ds }}.csv", True)


def test_it_returns_a_reference_and_logs_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = store_dataset(tmp_path, ROWS)
    assert json.loads(json.dumps(found)) == found
    assert (found["rows"], found["changed"]) == (3, True)
    assert (tmp_path / "store" / "flights" / found["key"]).read_text() == ROWS
    assert store_dataset(tmp_path, ROWS)["summary"] == f"already stored: 3 rows, {found['id'][:12]}"


def test_a_later_partition_is_checked_against_the_champion(tmp_path: Path) -> None:
    promote(tmp_path, store_dataset(tmp_path, ROWS)["id"])
    with pytest.raises(RejectedError, match=r"x: type: found 'two' .* \(from the champion's schema, release 1\)"):
        store_dataset(tmp_path, ROWS.replace("2,blue", "two,blue"))
    assert store_dataset(tmp_path, ROWS.replace("2,blue", "4,blue"))["changed"] is True


def test_a_rejected_file_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="y: one class: found only the value 0"):
        store_dataset(tmp_path, "x,y\n1,0\n2,0\n")
    assert list(FileStore(tmp_path / "store").keys("")) == []
