"""What a container's exit code says."""

from __future__ import annotations

import signal
from contextlib import suppress

# 3 and 4 are gunicorn's; 126 to 128 a shell's or the container runtime's.
_CODES = {
    0: "it ended by itself and without an error, while a server must keep running",
    1: "an error in the program",
    2: "an error in the program or its arguments",
    3: "gunicorn's workers did not start",
    4: "gunicorn did not find the application",
    126: "the command may not be executed",
    127: "the command does not exist in the image",
    128: "the command could not be started",
    255: "an error in the program, or a program for another processor architecture",
}
_SIGNALS = {
    signal.SIGABRT: "a library gave up",
    signal.SIGBUS: "memory or disk behind a mapped file ran out",
    signal.SIGILL: "an instruction that the node's processor lacks: libraries built for a newer one",
    signal.SIGKILL: "killed from outside: by the node when memory ran out, or after it did not stop in time",
    signal.SIGSEGV: "a crash in a native library",
    signal.SIGTERM: "it was told to stop",
}


def exit_text(code: int | None, signal_number: int = 0) -> str:
    """An exit code with its meaning, e.g. ``"exit code 139, SIGSEGV: a crash in a native library"``."""
    if code is None:
        return "exit code unknown"
    if code in _CODES and not signal_number:
        return f"exit code {code}: {_CODES[code]}"
    with suppress(ValueError):
        number = signal.Signals(signal_number or code - 128)
        meaning = f": {_SIGNALS[number]}" if number in _SIGNALS else ""
        return f"exit code {code}, {number.name}{meaning}"
    return f"exit code {code}"
