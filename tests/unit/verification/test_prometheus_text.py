"""Reading what the model server's own renderer writes, and what else the format allows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.metrics import Metrics
from slipway.verification.prometheus_text import Sample, parse


def test_every_line_of_the_server_is_read() -> None:
    metrics = Metrics(1, ["predict", "other"], ["setosa"], {"model": "iris", "digest": "sha256:1"})
    metrics.count_request("predict", 500, 0.3)
    samples = list(parse(metrics.render().decode()))
    assert Sample("slipway_model_info", {"model": "iris", "digest": "sha256:1"}, 1) in samples
    assert Sample("slipway_requests_total", {"route": "predict", "status": "500"}, 1) in samples
    assert Sample("slipway_request_seconds_bucket", {"route": "predict", "le": "0.25"}, 0) in samples
    assert Sample("slipway_request_seconds_bucket", {"route": "predict", "le": "0.5"}, 1) in samples
    assert Sample("slipway_request_seconds_bucket", {"route": "predict", "le": "+Inf"}, 1) in samples
    assert Sample("slipway_rows_total", {}, 0) in samples


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(), min_size=1))
def test_any_text_in_a_label_comes_back_as_it_was(labels: dict[str, str]) -> None:
    samples = list(parse(Metrics(1, ["other"], [], labels).render().decode()))
    assert samples[0] == Sample("slipway_model_info", labels, 1)


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        ("up 1", Sample("up", {}, 1)),
        ("up{} 1", Sample("up", {}, 1)),
        ('  up { a = "b" , } 1.5e3 1395066363000 ', Sample("up", {"a": "b"}, 1500)),
        ('up{a="}",b="\\\\n\\"\\n"} +Inf', Sample("up", {"a": "}", "b": '\\n"\n'}, math.inf)),
        ("a:b -Inf", Sample("a:b", {}, -math.inf)),
    ],
)
def test_the_format_as_its_specification_has_it(text: str, sample: Sample) -> None:
    assert list(parse(f"# HELP up text\n\n# TYPE up gauge\n#\n{text}\n")) == [sample]


@pytest.mark.parametrize("text", ["up", "up one", "{a=1} 1", 'up{a="b} 1', 'up{a="b" c="d"} 1', "<html>", "1up 1"])
def test_what_is_no_sample_is_named_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2 is no sample of the Prometheus text format: "):
        list(parse(f"up 1\n{text}"))
