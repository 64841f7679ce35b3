"""Names of Services for the pods: a DNS server for A records, which hands every other name on to the machine's own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

DOMAIN = "cluster.local"
A_RECORD = 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3


def search_domains(namespace: str) -> list[str]:
    """What a pod's resolver appends to short names."""
    return [f"{namespace}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN]


class NameServer:
    """Answers on UDP port 53 of one address.

    Args:
        find: the address of a Service, by name and namespace, or None.
    """

    def __init__(self, address: str, find: Callable[[str, str], str | None]) -> None:
        self._find = find
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, name="cluster-dns", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a query
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            with contextlib.suppress(OSError, IndexError, struct.error):
                self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        name, end = _name(query)
        (record,) = struct.unpack_from("!H", query, end)
        question = query[12 : end + 4]
        if "." in name and not name.endswith(f".{DOMAIN}"):
            return _asked_elsewhere(query) or _reply(query, question, SERVER_FAILURE)
        address = self._address(name)
        if address is None:
            return _reply(query, question, NO_SUCH_NAME)
        return _reply(query, question, NO_ERROR, address if record == A_RECORD else None)

    def _address(self, name: str) -> str | None:
        labels = name.removesuffix(f".svc.{DOMAIN}").split(".")
        return self._find(labels[0], labels[1]) if len(labels) == 2 else None


def _name(query: bytes) -> tuple[str, int]:
    """The name that is asked for, lower-case, and where it ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace").lower())
        at += length + 1
    return ".".join(labels), at + 1


def _reply(query: bytes, question: bytes, code: int, address: str | None = None) -> bytes:
    """Of RFC 1035: the query's id, flags QR, AA, RD and RA, the question again, and one answer of 1 second or none."""
    header = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, 1 if address else 0, 0, 0)
    if address is None:
        return header + question
    return header + question + struct.pack("!HHHIH", 0xC00C, A_RECORD, 1, 1, 4) + socket.inet_aton(address)


def _asked_elsewhere(query: bytes) -> bytes | None:
    servers = [
        line.split()[1] for line in Path("/etc/resolv.conf").read_text().splitlines() if line[:11] == "nameserver "
    ]
    for server in servers[:1]:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.settimeout(2)
            asked.sendto(query, (server, 53))
            return asked.recv(4096)
    return None
