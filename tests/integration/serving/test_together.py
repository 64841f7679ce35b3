"""Many clients at once over real sockets: each gets the answer to its own row, whatever else arrives with it."""

from __future__ import annotations

import json
from contextlib import ExitStack

from sklearn.datasets import load_iris

from tests.integration.serving.conftest import Start
from tests.server_process import ask, post

CONNECTIONS = 50
ROUNDS = 5


def test_no_client_gets_the_answer_of_another(start: Start) -> None:
    server = start("--open", workers=1)
    bodies = [json.dumps({"features": row}).encode() for row in load_iris().data[::3].tolist()[:CONNECTIONS]]
    expected = [ask(server.port, body).body for body in bodies]
    assert len(set(expected)) == 3
    with ExitStack() as stack:
        clients = [stack.enter_context(server.wire()) for _ in bodies]
        for turn in range(ROUNDS):
            order = [(place + turn) % CONNECTIONS for place in range(CONNECTIONS)]
            for client, place in zip(clients, order, strict=True):
                client.send(post(bodies[place]))
            assert [client.answer().body for client in clients] == [expected[place] for place in order]
