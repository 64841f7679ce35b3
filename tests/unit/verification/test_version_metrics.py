"""Traffic between scrapes: routes that count, quantiles, servers that begin anew, pods that come and go."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.metrics import BUCKETS, Metrics
from slipway.verification.version_metrics import Traffic, Window, increase, quantile, read_traffic

ROUTES = ["predict", "invocations", "open_inference", "vertex", "page", "metrics", "other"]


class Server:
    """The real counters of a model server."""

    def __init__(self) -> None:
        self.metrics = Metrics(2, ROUTES, ["setosa"], {"model": "iris"})

    def answer(self, *statuses: int, route: str = "predict", seconds: float = 0.002) -> Server:
        for status in statuses:
            self.metrics.count_request(route, status, seconds)
        return self

    @property
    def traffic(self) -> Traffic:
        return read_traffic(self.metrics.render().decode())


def counted(traffic: Traffic) -> tuple[float, float]:
    return traffic.requests, traffic.failed


def test_answers_of_the_routes_that_predict_count_and_no_others() -> None:
    server = Server()
    for route in ROUTES:
        server.answer(200, 500, route=route)
    assert counted(server.traffic) == (8, 4)
    assert server.traffic.below[math.inf] == 8


def test_failed_are_answers_of_500_and_above() -> None:
    assert counted(Server().answer(200, 400, 401, 422, 429, 500, 503, 599).traffic) == (8, 2)


def test_text_of_another_server_is_refused() -> None:
    with pytest.raises(ValueError, match="it has no slipway_request_seconds"):
        read_traffic('http_requests_total{route="predict"} 1\n')


def test_what_came_between_two_scrapes() -> None:
    server = Server().answer(200, 200, 500)
    before = server.traffic
    found = increase(before, server.answer(200, 503, 503, seconds=3).traffic)
    assert counted(found) == (3, 2)
    assert (found.below[2.5], found.below[10.0], found.below[math.inf]) == (0, 3, 3)


def test_a_server_that_began_anew_is_counted_from_its_start() -> None:
    before = Server().answer(*[200] * 10, 500).traffic
    assert counted(increase(before, Server().answer(200, 503).traffic)) == (2, 1)
    more_of_one_kind = Server().answer(*[200] * 50).traffic
    assert counted(increase(before, more_of_one_kind)) == (50, 0)


def by_hand(share: float, seconds: list[float]) -> float:
    """`histogram_quantile` by its documentation: assume the values of a bucket evenly spread over it."""
    bounds = [0.0, *BUCKETS, math.inf]
    rank = share * len(seconds)
    for lower, upper in itertools.pairwise(bounds):
        beneath, here = sum(s <= lower for s in seconds), sum(lower < s <= upper for s in seconds)
        if beneath + here >= rank:
            return upper if math.isinf(upper) else lower + (upper - lower) * (rank - beneath) / here
    raise AssertionError


@given(st.lists(st.floats(1e-6, 30), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_what_prometheus_makes_of_the_same_buckets(seconds: list[float], share: float) -> None:
    server = Server()
    for each in seconds:
        server.answer(200, seconds=each)
    assert quantile(share, server.traffic.below) == pytest.approx(by_hand(share, seconds))


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ({1.0: 100, 2.0: 100, math.inf: 100}, 0.99),
        ({1.0: 0, 2.0: 100, math.inf: 100}, 1.99),
        ({1.0: 98, 2.0: 100, math.inf: 100}, 1.5),
        ({1.0: 98, 2.0: 98, math.inf: 100}, math.inf),
        ({1.0: 0, math.inf: 0}, None),
        ({}, None),
    ],
)
def test_quantiles_by_example(below: dict[float, float], expected: float | None) -> None:
    assert quantile(0.99, below) == (pytest.approx(expected) if expected is not None else None)


def test_what_stood_before_the_window_opened_is_not_counted() -> None:
    window, server = Window(), Server().answer(*[500] * 9)
    window.observe("a", server.traffic)
    assert window.take() is None
    window.observe("a", server.answer(200).traffic)
    taken = window.take()
    assert taken is not None
    assert {pod: counted(traffic) for pod, traffic in taken.items()} == {"a": (1, 0)}


def taken_of(window: Window) -> dict[str, tuple[float, float]]:
    taken = window.take()
    assert taken is not None
    return {pod: counted(traffic) for pod, traffic in taken.items()}


def opened() -> tuple[Window, Server, Server]:
    window, a, b = Window(), Server().answer(200), Server().answer(500)
    window.observe("a", a.traffic)
    window.observe("b", b.traffic)
    window.take()
    return window, a, b


def test_a_pod_that_comes_is_counted_from_its_start_and_one_that_goes_no_more() -> None:
    window, a, _gone = opened()
    window.observe("a", a.answer(200).traffic)
    window.observe("new", Server().answer(200, 500).traffic)
    assert taken_of(window) == {"a": (1, 0), "new": (2, 1)}
    window.observe("new", Server().answer(503).traffic)
    assert taken_of(window) == {"new": (1, 1)}


def test_a_round_that_broke_off_is_made_up_for_by_the_next() -> None:
    window, a, b = opened()
    window.observe("a", a.answer(200).traffic)  # and then b did not answer
    window.observe("a", a.answer(500).traffic)
    window.observe("b", b.answer(200, 200).traffic)
    assert taken_of(window) == {"a": (2, 1), "b": (2, 0)}


def test_requests_of_our_own_are_not_the_users() -> None:
    window, a, b = opened()
    window.observe("a", a.answer(200).traffic)
    window.rebase("a", a.answer(500).traffic)
    window.observe("b", b.traffic)
    assert taken_of(window) == {"a": (1, 0), "b": (0, 0)}
    window.observe("a", a.answer(200).traffic)
    assert taken_of(window) == {"a": (1, 0)}


STEPS = st.lists(st.one_of(st.sampled_from([200, 422, 500, 503]), st.just("restart"), st.just("scrape")), max_size=40)


@given(STEPS)
def test_no_answer_is_counted_twice_whatever_restarts(steps: list[Any]) -> None:
    window, server, seen, answered = Window(), Server(), 0.0, 0
    window.observe("a", server.traffic)
    window.take()
    for step in steps:
        if step == "restart":
            server = Server()
        elif step == "scrape":
            window.observe("a", server.traffic)
            seen += sum(requests for requests, _ in taken_of(window).values())
        else:
            answered += 1
            server.answer(step)
    assert seen <= answered
    if "restart" not in steps:
        window.observe("a", server.traffic)
        assert seen + taken_of(window)["a"][0] == answered
