"""What the stand-in cloud was told, on disk before it answers, so that a crash loses nothing it confirmed.

moto keeps its state in memory. Every request that changed something is written here with its body and with the seed that
its identifiers were drawn from; at the next start the requests are played again, and give the same identifiers and ETags.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One request that changed the cloud.

    Attributes:
        seed: its number in the journal; what moto's identifiers were drawn from.
        upload_id: of an upload in parts that it began. moto draws these from the system, so a replay gets another one.
    """

    seed: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    upload_id: str | None = None

    @property
    def replaces(self) -> str | None:
        """The object whose content this request sets or removes as a whole, or None if it is not of that kind."""
        plain_object = self.path.count("/") >= 2 and not self.query.replace("x-id=PutObject", "").replace(
            "x-id=DeleteObject", ""
        )
        return self.path if self.method in {"PUT", "DELETE"} and plain_object else None


class CloudJournal:
    """The requests in `folder`, one pair of files each: `<number>.json` (last) and `<number>.body`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def requests(self) -> Iterator[Request]:
        """All requests in the order they came."""
        for path in sorted(self._folder.glob("*.json")):
            body = path.with_suffix(".body").read_bytes()
            yield Request(seed=int(path.stem), body=body, **json.loads(path.read_text()))

    def append(self, request: Request) -> None:
        """Write a request to disk; returns when it is safe there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{request.seed:010d}.json"
        _write(path.with_suffix(".body"), request.body)
        names = ("method", "path", "query", "headers", "upload_id")
        head = {name: getattr(request, name) for name in names}
        _write(path, json.dumps(head).encode())

    def compact(self) -> None:
        """Forget what a later request overwrote, so that the journal does not grow with every run."""
        last: dict[str, int] = {}
        in_parts: set[str] = set()  # written by several requests; only playing all of them gives the same end
        for request in self.requests():
            if (replaced := request.replaces) is None or request.path in in_parts:
                in_parts.add(request.path)
                continue
            if replaced in last:
                self._remove(last[replaced])
            last[replaced] = request.seed
            if request.method == "DELETE":
                self._remove(request.seed)
                del last[replaced]

    def next_seed(self) -> int:
        """The number of the next request."""
        return max((int(path.stem) for path in self._folder.glob("*.json")), default=0) + 1

    def _remove(self, seed: int) -> None:
        path = self._folder / f"{seed:010d}.json"
        path.unlink(missing_ok=True)
        path.with_suffix(".body").unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(f"{path.suffix}.part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
