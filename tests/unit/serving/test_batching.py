"""Requests that wait are predicted together, each gets its own rows, and a bad one fails alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from model_server.batching import MAX_BATCH_ROWS, BatchingRuntime
from model_server.runtime import Outputs
from model_server.schema import Inputs


class DoublingRuntime:
    """Answers twice the first column; holds its first call until it is let go; refuses negative numbers."""

    is_quick = False
    has_probabilities = True

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.entered, self.may_go = threading.Event(), threading.Event()

    def run(self, inputs: Inputs, *, probabilities: bool) -> Outputs:
        assert inputs.numbers is not None
        self.calls.append(inputs.rows)
        self.entered.set()
        self.may_go.wait(10)
        if (inputs.numbers < 0).any():
            raise ValueError("negative")
        first = inputs.numbers[:, 0]
        return Outputs(first * 2, np.column_stack([first, first]) if probabilities else None)


def rows(*values: float) -> Inputs:
    return Inputs(np.array([[value] for value in values], dtype=np.float32), None, len(values))


def ask_while_one_is_running(runtime: DoublingRuntime, asked: list[tuple[Inputs, bool]]) -> list[Outputs | Exception]:
    """The first of `asked` runs alone; the others wait for it meanwhile."""
    batching = BatchingRuntime(runtime, turns=1)

    def ask(inputs: Inputs, probabilities: bool) -> Outputs | Exception:
        try:
            return batching.run(inputs, probabilities=probabilities)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(len(asked)) as pool:
        first = pool.submit(ask, *asked[0])
        assert runtime.entered.wait(10)
        others = [pool.submit(ask, *each) for each in asked[1:]]
        while len(batching._waiting) < len(others):
            assert not first.done()
        runtime.may_go.set()
        return [future.result(10) for future in (first, *others)]


def test_what_waits_is_predicted_in_one_call_and_each_gets_its_own() -> None:
    runtime = DoublingRuntime()
    asked = [(rows(1), False), (rows(2, 3), True), (rows(4), False), (rows(5), False)]
    found = ask_while_one_is_running(runtime, asked)
    assert runtime.calls == [1, 4]
    answers = [each for each in found if isinstance(each, Outputs)]
    assert [each.predicted.tolist() for each in answers] == [[2], [4, 6], [8], [10]]
    assert [each.probabilities is not None for each in answers] == [False, True, False, False]
    assert answers[1].probabilities is not None
    assert answers[1].probabilities.tolist() == [[2, 2], [3, 3]]


def test_a_request_that_fails_fails_alone() -> None:
    found = ask_while_one_is_running(DoublingRuntime(), [(rows(1), False), (rows(-1), False), (rows(3), False)])
    assert isinstance(found[1], ValueError)
    assert [each.predicted.tolist() for each in found if isinstance(each, Outputs)] == [[2], [6]]


@pytest.mark.parametrize("sizes", [[MAX_BATCH_ROWS, 1], [MAX_BATCH_ROWS - 1, 2], [2 * MAX_BATCH_ROWS, 1]])
def test_a_batch_is_bounded(sizes: list[int]) -> None:
    runtime = DoublingRuntime()
    ask_while_one_is_running(runtime, [(rows(1), False), *((rows(*range(size)), False) for size in sizes)])
    assert sorted(runtime.calls[1:]) == sorted(sizes)
