"""What a protocol is, and how one is run."""

from __future__ import annotations

import logging
from typing import Protocol as Interface

import orjson

from model_server.errors import DeniedError, InternalError, RequestError
from model_server.message import Reply, Request

log = logging.getLogger(__name__)


class Protocol(Interface):
    """One way to ask."""

    name: str

    def answer(self, request: Request) -> Reply:
        """The reply; raises RequestError."""

    def refuse(self, error: RequestError) -> Reply:
        """The error in this protocol's form."""


class JsonErrors:
    """Errors as ``{"error": text}``, the form that `/predict`, the V2 protocol and Vertex AI share."""

    def refuse(self, error: RequestError) -> Reply:
        """Status and text; 401 says how to log in."""
        headers: tuple[tuple[str, str], ...] = ()
        if isinstance(error, DeniedError):
            headers = (("WWW-Authenticate", 'Bearer realm="model", Basic realm="model"'),)
        return Reply(error.status, orjson.dumps({"error": str(error)}), headers=headers)


def respond(protocol: Protocol, request: Request) -> Reply:
    """Run a protocol; whatever happens, there is a reply."""
    try:
        return protocol.answer(request)
    except RequestError as error:
        return protocol.refuse(error)
    except Exception:
        log.exception("could not answer by %s", protocol.name)
        return protocol.refuse(InternalError())
