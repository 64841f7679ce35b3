"""A local address whose connections end in a pod: to ask one server alone, whatever the Services select."""

from __future__ import annotations

import http.client
import queue
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slipway.cluster.api import Cluster
from slipway.cluster.errors import translate
from slipway.cluster.port_forward import PortForward, end_websocket, open_port
from slipway.cluster.status import ApiError, NoAnswerError
from slipway.core.errors import DeniedError, SlipwayError, UnavailableError

_OPEN_SECONDS, _END_SECONDS = 30.0, 5.0
_FAILED = "could not reach the pod"


@contextmanager
def forwarded(cluster: Cluster, pod: str, port: int) -> Iterator[str]:
    """``http://127.0.0.1:<free port>``, for as long as the block runs; any number of connections at once.

    Raises:
        UnavailableError: the pod is gone or not running; also instead of the network's error that ends the block,
            when it was the tunnel that broke.
        DeniedError: we may not create pods/portforward there. Others as `Cluster`.
    """
    tunnel = _Tunnel(cluster, pod, port)
    tunnel.open()
    try:
        yield tunnel.url
    except (OSError, http.client.HTTPException, UnavailableError) as error:
        if tunnel.broken is None:
            raise
        raise tunnel.broken from error
    finally:
        tunnel.close()


class _Tunnel:
    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        self._cluster, self._pod, self._port = cluster, pod, port
        self._carriers = list[threading.Thread]()
        self.broken: SlipwayError | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def open(self) -> None:
        """Listen, when one connection has shown that the pod can be reached."""
        self._try_once()
        self._stop, self._stopper = socket.socketpair()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = self._started(self._accept)

    def close(self) -> None:
        """End all connections and threads."""
        self._stopper.send(b"x")  # never read: whoever waits sees it
        self._acceptor.join(_END_SECONDS)
        for thread in self._carriers:
            thread.join(_END_SECONDS)
        for end in (self._listener, self._stop, self._stopper):
            end.close()

    def _try_once(self) -> None:
        """The client's websocket has no time limit while it connects; this has."""
        outcome: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=lambda: outcome.put(self._tried()), daemon=True).start()
        try:
            error = outcome.get(timeout=_OPEN_SECONDS)
        except queue.Empty:
            error = self._translated(NoAnswerError(f"no answer in {_OPEN_SECONDS:.0f} seconds"))
        if error is not None:
            raise error

    def _tried(self) -> Exception | None:
        try:
            end_websocket(open_port(self._cluster, self._pod, self._port))
        except (ApiError, NoAnswerError) as error:
            translated = self._translated(error)
            translated.__cause__ = error
            return translated
        except Exception as error:
            return error
        return None

    def _started(self, target: Any, *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, daemon=True, name=f"tunnel to {self._pod}")
        thread.start()
        return thread

    def _accept(self) -> None:
        with selectors.DefaultSelector() as both:
            both.register(self._stop, selectors.EVENT_READ)
            both.register(self._listener, selectors.EVENT_READ)
            while self._stop not in [key.fileobj for key, _ in both.select()]:
                local, _ = self._listener.accept()
                alive = [thread for thread in self._carriers if thread.is_alive()]
                self._carriers = [*alive, self._started(self._carry, local)]

    def _carry(self, local: socket.socket) -> None:
        with local:
            try:
                websocket = open_port(self._cluster, self._pod, self._port)
                try:
                    PortForward(local, websocket, self._stop).run()
                finally:
                    end_websocket(websocket)
            except (ApiError, NoAnswerError) as error:
                self.broken = self._translated(error)

    def _translated(self, error: ApiError | NoAnswerError) -> SlipwayError:
        on = self._cluster.on(f"Pod/{self._pod} port {self._port}")
        translated = translate(error, _FAILED, on)
        if isinstance(error, NoAnswerError) or isinstance(translated, DeniedError):
            return translated
        fix = "It may have ended or not have started yet; clear this task to try again with the pods that there are."
        return UnavailableError(_FAILED, on=on, why=translated.why, fix=fix)
