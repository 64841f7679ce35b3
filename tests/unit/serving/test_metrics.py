"""The text that Prometheus reads, and counts that add up over processes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from model_server.metrics import BUCKETS, ERRORS, STATUSES, Metrics

INFO = {"model": 'a"b\\c\nd', "digest": "sha256:0"}


def metrics(workers: int = 1) -> Metrics:
    return Metrics(workers, ["predict", "other"], ["setosa", 'with "quotes"'], INFO)


def samples(shown: Metrics) -> dict[tuple[str, ...], float]:
    """Parsed by Prometheus' own parser: name and label values, without the order of labels."""
    parser = pytest.importorskip("prometheus_client.parser")
    families = list(parser.text_string_to_metric_families(shown.render().decode()))
    assert len({family.name for family in families}) == len(families)
    assert all(family.type != "unknown" for family in families)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_everything_is_counted_where_it_belongs() -> None:
    counted = metrics()
    counted.count_request("predict", 200, 0.0002)
    counted.count_request("predict", 422, 0.3)
    counted.count_request("predict", 413, 100.0)
    counted.count_request("nowhere", 404, 0.0)
    counted.count_request("other", 302, 0.0)
    counted.count_predictions(np.array([1]))
    counted.count_predictions(np.array([0, 1, 1]))
    found = samples(counted)
    assert found["slipway_model_info", *INFO.values()] == 1
    assert found["slipway_requests_total", "predict", "200"] == 1
    assert found["slipway_requests_total", "other", "404"] == 1
    assert found["slipway_requests_total", "other", "other"] == 1
    assert found["slipway_errors_total", "schema"] == 1
    assert found["slipway_errors_total", "too_large"] == 1
    assert found["slipway_errors_total", "other"] == 1
    assert found["slipway_errors_total", "internal"] == 0
    assert found["slipway_rows_total",] == 4
    assert found["slipway_predictions_total", "setosa"] == 1
    assert found["slipway_predictions_total", 'with "quotes"'] == 3
    assert found["slipway_request_seconds_count", "predict"] == 3
    assert found["slipway_request_seconds_sum", "predict"] == pytest.approx(100.3002)
    assert found["slipway_request_seconds_bucket", "predict", "0.0001"] == 0
    assert found["slipway_request_seconds_bucket", "predict", "0.00025"] == 1
    assert found["slipway_request_seconds_bucket", "predict", "0.5"] == 2
    assert found["slipway_request_seconds_bucket", "predict", "10.0"] == 2
    assert found["slipway_request_seconds_bucket", "predict", "+Inf"] == 3


def test_a_bound_belongs_to_its_bucket() -> None:
    for bound in BUCKETS:
        counted = metrics()
        counted.count_request("predict", 200, bound)
        found = samples(counted)
        below = [found["slipway_request_seconds_bucket", "predict", str(each)] for each in BUCKETS]
        assert below == [float(each >= bound) for each in BUCKETS]


def test_every_status_has_a_class_of_errors() -> None:
    assert set(STATUSES) - {200} == set(ERRORS)


def test_rows_of_processes_add_up_and_outlive_them() -> None:
    shared = metrics(workers=2)
    for row in (0, 1, 2, 1):  # the last one is the successor of one that died
        if os.fork() == 0:
            shared.take_row(row)
            shared.count_request("predict", 200, 0.001)
            shared.count_predictions(np.array([0, 0]))
            os.kill(os.getpid(), 9)
        os.wait()
    found = samples(shared)
    assert found["slipway_requests_total", "predict", "200"] == 4
    assert found["slipway_predictions_total", "setosa"] == 8


def test_regression_has_no_classes() -> None:
    counted = Metrics(1, ["predict"], [], INFO)
    counted.count_predictions(np.array([1.5, -3.0]))
    assert samples(counted)["slipway_rows_total",] == 2
    assert b"slipway_predictions_total" not in counted.render()
