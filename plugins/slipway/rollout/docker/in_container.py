"""Runs inside a server's container: asks a URL until it answers as expected.

    python3 -I -S -c <this file> <host> <port> <path> <expected> <seconds>

The answer is as expected if it is a success whose header Slipway-Bundle, or whose whole text, is `expected`. The last line
says what was seen last. Exit codes: 0 as expected, 1 not in time, 3 a success with another Slipway-Bundle.

A bare socket, because an HTTP client of the standard library takes longer to import than everything else here takes.
"""

import socket
import sys
import time

LONGEST = 8192  # characters of an answer: a route with all who served before fits


def look(host: str, port: int, path: str) -> tuple[str, str, str]:
    """Status (empty: no answer), Slipway-Bundle, and the text."""
    data = b""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            while len(data) < 65536 and (part := connection.recv(65536)):
                data += part
    except OSError as error:
        return "", "", f"no answer: {error}"
    head, _, text = data.decode(errors="replace").partition("\r\n\r\n")
    first, *headers = head.split("\r\n")
    values = [
        value for name, _, value in (line.partition(": ") for line in headers) if name.lower() == "slipway-bundle"
    ]
    return first[9:12], "".join(values), text.strip()


def main(host: str, port: int, path: str, expected: str, seconds: float) -> int:
    """Ask until the answer is as expected."""
    deadline = time.monotonic() + seconds
    while True:
        status, digest, text = look(host, port, path)
        if status == "200" and expected in {digest, text}:
            return 0
        if time.monotonic() > deadline:
            other = status == "200" and digest
            sys.stdout.write(f"it serves {digest}\n" if other else f"{status} {text[:LONGEST]}\n".lstrip())
            return 3 if other else 1
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5])))
