"""A client that asks without pause while something is replaced."""

from __future__ import annotations

import http.client
import json
import threading
import time

BODY = json.dumps({"features": [5.1, 3.5, 1.4, 0.2]})


class Client(threading.Thread):
    """Asks until told to stop; counts what a user would call lost."""

    def __init__(self, endpoint: str, *, keep_alive: bool, pause_seconds: float = 0) -> None:
        super().__init__()
        self._pause_seconds = pause_seconds
        self._host, self._keep_alive = endpoint.removeprefix("http://"), keep_alive
        self.going, self.asked, self.lost, self.digests = True, 0, list[str](), set[str]()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        while self.going:
            began, kept = time.monotonic(), connection.sock is not None
            try:
                self._ask_and_again(connection)
            except (OSError, http.client.HTTPException) as error:
                where = "a kept connection and a new one" if kept else "a new connection"
                self.lost.append(f"{error!r} after {time.monotonic() - began:.3f} s on {where}, at {time.time():.3f}")
                connection.close()
            if not self._keep_alive:
                connection.close()
            self.asked += 1
            time.sleep(self._pause_seconds)

    def _ask_and_again(self, connection: http.client.HTTPConnection) -> None:
        """Ask; once more on a new connection if an idle one was closed before a byte of an answer, as HTTP allows."""
        idle = connection.sock is not None
        try:
            answer = self._send(connection)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not idle:
                raise
            connection.close()
            answer = self._send(connection)
        body = answer.read()  # from here on the answer has begun: what breaks now is lost
        self.digests.add(answer.headers["Slipway-Bundle"])
        if answer.status != 200:
            self.lost.append(f"{answer.status} {body!r}")

    def _send(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
        return connection.getresponse()
