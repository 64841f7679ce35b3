"""The logs that are written beside the requests: lines of JSON, bounded, lossy rather than slow."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from model_server.journals import MAX_LOGGED_BYTES, Access, PredictionLog, access_log
from model_server.message import Reply, Request
from model_server.spool import RotatingFile, Spool

ACCESS = Access(1e9, "POST", "/predict", 200, 0.0012345678, 12, 34, "127.0.0.1", "0a1b2c3d")


def test_a_spool_keeps_order_and_writes_all_at_the_end() -> None:
    written: list[bytes] = []
    spool = Spool(written.append, lambda record: b"%d\n" % record)
    for number in range(1000):
        spool.put(number)
    spool.close()
    assert b"".join(written) == b"".join(b"%d\n" % number for number in range(1000))
    assert spool.dropped == 0


def test_a_full_spool_drops_and_counts_and_never_waits() -> None:
    written: list[bytes] = []
    gate = threading.Event()

    def slow(data: bytes) -> None:
        assert gate.wait(10)
        written.append(data)

    spool = Spool(slow, bytes, capacity=3)
    for _ in range(10):
        spool.put(b"x")
    assert spool.dropped >= 7 - 3  # the thread may have taken some already
    gate.set()
    spool.close()
    assert len(b"".join(written)) == 10 - spool.dropped


def test_a_full_disk_and_a_record_that_cannot_be_written_do_not_end_it() -> None:
    written: list[bytes] = []

    def failing(data: bytes) -> None:
        if not written:
            written.append(b"")
            raise OSError("no space left on device")
        written.append(data)

    def encode(record: bytes) -> bytes:
        if record == b"bad":
            raise ValueError(record)
        return record

    spool = Spool(failing, encode)
    spool.put(b"lost")
    while not written:
        time.sleep(0.01)
    spool.put(b"bad")
    spool.put(b"kept")
    spool.close()
    assert b"".join(written) == b"kept"


def test_a_file_of_bounded_size(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", 100)
    for number in range(50):
        file.write(b"%09d\n" % number)
    kept = b"".join((tmp_path / name).read_bytes() for name in ("log.1", "log") if (tmp_path / name).exists())
    assert kept.endswith(b"%09d\n" % 49)
    assert len(kept) <= 220
    assert sorted(path.name for path in tmp_path.iterdir()) <= ["log", "log.1"]


def test_the_access_log_is_one_json_object_a_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = access_log()
    log.put(ACCESS)
    log.put(ACCESS._replace(path='/"\n\xff', key=None))
    log.close()
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert lines[0] == ACCESS._asdict() | {"time": "2001-09-09T01:46:40.000+00:00", "seconds": 0.001235}
    assert lines[1]["path"] == '/"\n\xff'


def noted(path: Path, requests: list[tuple[bytes, dict[str, Any], Reply]], sample: float = 1.0) -> list[dict[str, Any]]:
    log = PredictionLog(path / "predictions.jsonl", sample, 3)
    for body, environ, reply in requests:
        log.note(Request({"CONTENT_TYPE": "application/json"} | environ, body), reply)
    log.close()
    file = path / "predictions-3.jsonl"
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def test_the_prediction_log_keeps_pairs_of_request_and_answer(tmp_path: Path) -> None:
    good = Reply(200, b'{"prediction":"setosa"}')
    [line] = noted(
        tmp_path,
        [
            (b'{"features":[1]}', {}, good),
            (b'{"features":[2]}', {}, Reply(422, b"{}")),
            (b'{"features":[3]}', {"CONTENT_TYPE": "text/csv"}, good),
            (b"\x1f\x8b compressed", {}, good),
            (b'{"features":[%b]}' % (b"1," * MAX_LOGGED_BYTES), {}, good),
        ],
    )
    assert (line["request"], line["answer"]) == ({"features": [1]}, {"prediction": "setosa"})


def test_a_csv_answer_to_json_stays_one_line_of_json(tmp_path: Path) -> None:
    lines = noted(tmp_path, [(b'{"features":[1]}', {}, Reply(200, b"setosa\nvirginica\n", "text/csv"))])
    assert all(isinstance(line, dict) for line in lines)


def test_none_of_them_or_a_share(tmp_path: Path) -> None:
    pair = (b'{"features":[1]}', {}, Reply(200, b"{}"))
    assert noted(tmp_path, [pair] * 50, 0.0) == []
    assert 100 < len(noted(tmp_path, [pair] * 900, 0.5)) < 800
