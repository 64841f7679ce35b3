"""One TCP connection to a port of a pod, carried in a websocket of the API server (``v4.channel.k8s.io``).

The official client's own PortForward drops what is still on its way when the pod ends the connection, and the answer to
a caller that has ended its side; so only its websocket, with its credentials, certificates and proxy, is used here.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Any

from slipway.cluster.api import Cluster
from slipway.cluster.resources import RESOURCES
from slipway.cluster.status import ApiError, NoAnswerError, Status

_DATA, _ERROR = 0, 1  # channels of the first port
_STUCK_SECONDS = 60.0  # to hand on one piece
_AFTER_END_SECONDS = 30.0  # the caller's side has ended; the pod cannot be told, and may never end its own


def open_port(cluster: Cluster, pod: str, port: int) -> Any:
    """A websocket to a port of a pod.

    Raises:
        ApiError, NoAnswerError: it was refused.
    """
    from kubernetes.stream.ws_client import create_websocket, get_websocket_url
    from websocket import WebSocketBadStatusException, WebSocketException

    client, headers = cluster.client, {"sec-websocket-protocol": "v4.channel.k8s.io"}
    client.update_params_for_auth(headers, [], ["BearerToken"])
    path = RESOURCES["Pod"].path(cluster.namespace, pod, "portforward")
    url = get_websocket_url(client.configuration.host + path, [("ports", str(port))])
    try:
        websocket = create_websocket(client.configuration, url, headers)
    except WebSocketBadStatusException as error:
        raise ApiError(Status.read(error.status_code, error.resp_body, error.resp_headers)) from error
    except (WebSocketException, OSError) as error:
        raise NoAnswerError.of(error) from error
    websocket.settimeout(_STUCK_SECONDS)
    return websocket


def end_websocket(websocket: Any) -> None:
    """Say that it ends, and close it without waiting for an answer."""
    from websocket import WebSocketException

    with contextlib.suppress(WebSocketException, OSError):
        websocket.send_close()
    websocket.shutdown()


class PortForward:
    """Carries bytes both ways until the pod ends the connection.

    Args:
        local: the caller's side.
        websocket: of `open_port`.
        stop: becomes readable when there is no more time.
        after_end_seconds: how long to wait for the pod's next bytes once the caller's side has ended.
    """

    def __init__(
        self, local: socket.socket, websocket: Any, stop: socket.socket, after_end_seconds: float = _AFTER_END_SECONDS
    ) -> None:
        self._local, self._websocket, self._stop = local, websocket, stop
        self._after_end_seconds, self._greeted = after_end_seconds, set[int]()
        local.settimeout(_STUCK_SECONDS)

    def run(self) -> None:
        """Carry. Raises NoAnswerError: the pod or the API server broke it off, and why."""
        from websocket import WebSocketException

        try:
            self._carry()
        except (WebSocketException, OSError) as error:
            raise NoAnswerError.of(error) from error

    def _carry(self) -> None:
        silence_seconds: float | None = None
        if self._pending() and not self._to_caller():  # it came with the end of the handshake
            return
        with selectors.DefaultSelector() as both:
            for end in (self._stop, self._local, self._websocket.sock):
                both.register(end, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in both.select(silence_seconds)]
                if not ready or self._stop in ready:
                    return
                if self._websocket.sock in ready and not self._to_caller():
                    return
                if self._local in ready and not self._to_pod():
                    both.unregister(self._local)
                    silence_seconds = self._after_end_seconds

    def _to_pod(self) -> bool:
        """Hand on what the caller sent; False: its side has ended."""
        try:
            data = self._local.recv(1 << 16)
        except ConnectionError:
            data = b""
        if data:
            self._websocket.send_binary(bytes((_DATA,)) + data)
        return bool(data)

    def _to_caller(self) -> bool:
        """Hand on what the pod sent; False: it has ended the connection."""
        from websocket import ABNF, WebSocketConnectionClosedException

        while True:
            try:
                code, frame = self._websocket.recv_data_frame(True)
            except WebSocketConnectionClosedException:
                return False
            if code == ABNF.OPCODE_CLOSE:
                return False
            if code == ABNF.OPCODE_BINARY and frame.data:
                self._take(frame.data[0], frame.data[1:])
            if not self._pending():
                return True

    def _pending(self) -> bool:
        """Whether TLS has decrypted more than was read: the socket's readiness says nothing about that."""
        return bool(getattr(self._websocket.sock, "pending", int)())

    def _take(self, channel: int, data: bytes) -> None:
        if channel not in self._greeted:
            self._greeted.add(channel)  # the first frame of a channel says which port it is for
        elif channel == _ERROR:
            raise NoAnswerError(data.decode("utf-8", "replace"))
        elif channel == _DATA:
            self._local.sendall(data)
