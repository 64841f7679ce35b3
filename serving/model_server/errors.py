"""What can go wrong, each with the HTTP status that means it.

ServerError
├── BundleError       the bundle is not what it should be; the server does not start
└── RequestError      the client's request, with its status
    ├── MalformedError    400  not JSON, or not of a shape we know
    ├── UnsupportedError  415  not application/json
    └── SchemaError       422  a value breaks the feature schema
"""

from __future__ import annotations


class ServerError(Exception):
    """Base class."""


class BundleError(ServerError):
    """The bundle is incomplete, altered, or made for other library versions."""


class RequestError(ServerError):
    """A request that cannot be answered; the text goes to the client."""

    status = 400


class MalformedError(RequestError):
    """Not JSON, or not of a shape we know."""


class UnsupportedError(RequestError):
    """A body of another media type."""

    status = 415


class SchemaError(RequestError):
    """A value that the feature schema does not allow."""

    status = 422


class NotReadyError(RequestError):
    """The model has not answered its golden rows yet."""

    status = 503
