"""The lines that a BuildKit build prints, out of the engine's progress events.

An event `moby.buildkit.trace` holds a protobuf message `StatusResponse` (moby/buildkit api/services/control/control.proto)
in base64; its field 3 is the list of `VertexLog`, whose field 4 is what was printed. Two fields of one message do not make
BuildKit's generated classes worth a dependency.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

_LOGS, _MESSAGE = 3, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def printed_lines(trace: str) -> list[str]:
    """The lines in one event; [] where there are none or it is not what we know."""
    try:
        data = base64.b64decode(trace, validate=True)
        printed = [message for log in _field(data, _LOGS) for message in _field(log, _MESSAGE)]
    except (binascii.Error, IndexError, ValueError):
        return []
    return [line for part in printed for line in part.decode(errors="replace").splitlines() if line.strip()]


def _field(data: bytes, wanted: int) -> Iterator[bytes]:
    """The values of a length-delimited field (protobuf encoding, "Message Structure")."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _BYTES:
            size, at = _varint(data, at)
            if key >> 3 == wanted:
                yield data[at : at + size]
            at += size
        elif kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(kind)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
