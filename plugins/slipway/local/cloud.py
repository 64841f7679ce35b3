"""The stand-in cloud as a process: `python -m slipway.local.cloud --port 5555 --folder .slipway/cloud`.

moto's own server application (S3 and EC2 over HTTP), on loopback unless told otherwise, with a journal that makes it
survive stop and crash.
"""

from __future__ import annotations

import argparse
import io
import logging
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from moto.backends import get_backend  # noqa: TID253  this module is the process itself
from moto.core import DEFAULT_ACCOUNT_ID  # noqa: TID253
from moto.moto_api._internal import mock_random  # noqa: TID253
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: TID253
from werkzeug.serving import make_server
from werkzeug.test import Client

from slipway.local.cloud_journal import CloudJournal, Request

_CHANGING = {"PUT", "POST", "DELETE", "PATCH"}
# Conditions held when the request was first answered; the requests they were about may be compacted away since.
_CONDITIONS = {"if-match", "if-none-match"}


class JournaledCloud:
    """A WSGI application around moto: a request that changes something is on disk before its answer leaves.

    Changing requests run one at a time, because moto draws identifiers from one random source, and a
    replay must draw them alike.
    """

    def __init__(self, moto: Callable[..., Iterable[bytes]], journal: CloudJournal) -> None:
        self._moto, self._journal = moto, journal
        self._lock = threading.Lock()
        self._seed = 0
        self._regions: set[str] = set()

    def replay(self) -> int:
        """Compact the journal, play it, and return how many requests that took."""
        self._journal.compact()
        client, count = Client(self._moto), 0
        uploads: dict[str, str] = {}
        for request in self._journal.requests():
            self._prepare_region(request.headers.get("Authorization", ""))
            mock_random.seed(request.seed)
            headers = {name: text for name, text in request.headers.items() if name.lower() not in _CONDITIONS}
            query = _with_new_upload_id(request.query, uploads)
            answer = client.open(
                request.path, method=request.method, query_string=query, headers=headers, data=request.body
            )
            if request.upload_id:
                uploads[request.upload_id] = _upload_id(answer.data) or ""
            count += 1
        self._seed = self._journal.next_seed()
        return count

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        self._prepare_region(environ.get("HTTP_AUTHORIZATION", ""))
        if environ["REQUEST_METHOD"] not in _CHANGING:
            return self._moto(environ, start_response)
        chunked = environ.get("wsgi.input_terminated")
        body = (
            environ["wsgi.input"].read()
            if chunked
            else environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        )
        environ["wsgi.input"] = io.BytesIO(body)
        with self._lock:
            return self._change(environ, body, start_response)

    def _prepare_region(self, authorization: str) -> None:
        """Make a region's EC2 before its first request, whichever that is: its default network gets random names too."""
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/ec2/", authorization)
        if scope and scope[1] not in self._regions:
            with self._lock:
                mock_random.seed(scope[1])
                get_backend("ec2")[DEFAULT_ACCOUNT_ID][scope[1]]
                self._regions.add(scope[1])

    def _change(self, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]) -> Iterable[bytes]:
        status: list[str] = []

        def remember(code: str, headers: Any, *rest: Any) -> Any:
            status.append(code)
            return start_response(code, headers, *rest)

        request = _request(self._seed, environ, body)  # before moto sees it: some of its handlers edit the environ
        mock_random.seed(self._seed)
        answer = list(self._moto(environ, remember))
        if status[0].startswith("2") and not _only_reads(request):
            self._journal.append(replace(request, upload_id=_upload_id(b"".join(answer))))
            self._seed += 1
        return answer


def _request(seed: int, environ: dict[str, Any], body: bytes) -> Request:
    headers = {name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {"Content-Type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
    path = environ["RAW_URI"].split("?")[0]  # still quoted: keys may hold any character
    return Request(seed, environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, body)


def _upload_id(answer: bytes) -> str | None:
    """The id that S3's answer to CreateMultipartUpload names."""
    found = re.search(rb"<InitiateMultipartUploadResult.*<UploadId>([^<]+)</UploadId>", answer, re.DOTALL)
    return found[1].decode() if found else None


def _with_new_upload_id(query: str, uploads: dict[str, str]) -> str:
    """`query` with the id that the upload has in this replay."""
    for old, new in uploads.items():
        query = query.replace(old, new)
    return query


def _only_reads(request: Request) -> bool:
    """EC2's API is POST throughout; its Describe actions change nothing."""
    return request.method == "POST" and request.body.startswith((b"Action=Describe", b"Action=Get"))


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container whose network is its fence")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    cloud = JournaledCloud(DomainDispatcherApplication(create_backend_app), CloudJournal(arguments.folder))
    logging.info("played %d requests of earlier starts", cloud.replay())
    server = make_server(arguments.host, arguments.port, cloud, threaded=True)
    logging.info("stand-in cloud on port %d", arguments.port)
    server.serve_forever()


if __name__ == "__main__":
    main()
