"""Requests that wait for a slow model are predicted together: whoever's turn comes takes all that wait with it.

No request waits for others to come, so one client alone is as fast as without. scikit-learn's cost of a call is nearly that
of its first row, so 16 waiting rows in one call take little longer than one. ONNX graphs need none of this: their call is
cheaper than the hand-over (the table in README.md).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np  # noqa: TID253

from model_server.runtime import Outputs, Runtime
from model_server.schema import Inputs

MAX_BATCH_ROWS = 4096


@dataclass(eq=False)
class Ticket:
    """One request's rows, and what became of them."""

    inputs: Inputs
    probabilities: bool
    outputs: Outputs | None = None
    error: Exception | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class BatchingRuntime:
    """A runtime around another, to be called from many threads.

    Args:
        runtime: the other.
        turns: how many calls of it run at once. More than one, so that one that takes long does not hold up all.
    """

    is_quick = False

    def __init__(self, runtime: Runtime, turns: int = 2) -> None:
        self._runtime = runtime
        self.has_probabilities = runtime.has_probabilities
        self._waiting: list[Ticket] = []
        self._line, self._turn = threading.Lock(), threading.Semaphore(turns)

    def run(self, inputs: Inputs, *, probabilities: bool) -> Outputs:
        """Predict these rows, together with what else waits."""
        ticket = Ticket(inputs, probabilities)
        with self._line:
            self._waiting.append(ticket)
        with self._turn:
            if tickets := self._take(ticket):
                self._answer(tickets)
        ticket.answered.wait()
        if ticket.error:
            raise ticket.error
        assert ticket.outputs is not None
        return ticket.outputs

    def _take(self, own: Ticket) -> list[Ticket]:
        """The own ticket and, as far as there is room, the others; nothing if another call has taken it along."""
        with self._line:
            if own not in self._waiting:
                return []
            chosen, rows = [own], own.inputs.rows
            for ticket in [each for each in self._waiting if each is not own]:
                if rows + ticket.inputs.rows <= MAX_BATCH_ROWS:
                    chosen.append(ticket)
                    rows += ticket.inputs.rows
            self._waiting = [ticket for ticket in self._waiting if ticket not in chosen]
        return chosen

    def _answer(self, tickets: list[Ticket]) -> None:
        try:
            outputs = self._runtime.run(_joined(tickets), probabilities=any(each.probabilities for each in tickets))
        except Exception as error:
            # One request's rows must not fail another's.
            if len(tickets) == 1:
                tickets[0].error = error
                tickets[0].answered.set()
                return
            for ticket in tickets:
                self._answer([ticket])
            return
        start = 0
        for ticket in tickets:
            end = start + ticket.inputs.rows
            wanted = outputs.probabilities if ticket.probabilities else None
            ticket.outputs = Outputs(outputs.predicted[start:end], None if wanted is None else wanted[start:end])
            ticket.answered.set()
            start = end


def _joined(tickets: list[Ticket]) -> Inputs:
    if len(tickets) == 1:
        return tickets[0].inputs
    numbers = [ticket.inputs.numbers for ticket in tickets if ticket.inputs.numbers is not None]
    categories = [ticket.inputs.categories for ticket in tickets if ticket.inputs.categories is not None]
    return Inputs(
        np.concatenate(numbers) if numbers else None,
        np.concatenate(categories) if categories else None,
        sum(ticket.inputs.rows for ticket in tickets),
    )
