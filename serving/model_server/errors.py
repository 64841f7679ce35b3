"""What can go wrong, each with the HTTP status that means it, and only it.

ServerError
├── BundleError           the bundle is not what it should be; the server does not start
├── SettingsError         an option or an environment variable is wrong; the server does not start
└── RequestError          the client's request, with its status
    ├── MalformedError    400  cannot be parsed, or is not of a shape we know
    ├── DeniedError       401  no API key, or one that we do not know
    ├── AbsentError       404  no such route, model or version
    ├── UnacceptableError 406  the Accept header allows nothing we can make
    ├── TooLargeError     413  body, decompressed body or number of rows over the limit
    ├── UnsupportedError  415  a media type or an encoding we do not read
    ├── SchemaError       422  a value breaks the feature schema
    ├── TooManyError      429  over the key's rate
    ├── InternalError     500  our fault; the log has it
    └── NotReadyError     503  the model has not answered its golden rows
"""

from __future__ import annotations


class ServerError(Exception):
    """Base class."""


class BundleError(ServerError):
    """The bundle is incomplete, altered, or made for other library versions."""


class SettingsError(ServerError):
    """An option or an environment variable is wrong."""


class RequestError(ServerError):
    """A request that cannot be answered; the text goes to the client."""

    status = 400


class MalformedError(RequestError):
    """Cannot be parsed, or is not of a shape we know."""


class DeniedError(RequestError):
    """No API key, or one that we do not know."""

    status = 401


class AbsentError(RequestError):
    """No such route, model or version."""

    status = 404


class UnacceptableError(RequestError):
    """The Accept header allows nothing we can make."""

    status = 406


class TooLargeError(RequestError):
    """Body, decompressed body or number of rows over the limit."""

    status = 413


class UnsupportedError(RequestError):
    """A media type or an encoding we do not read."""

    status = 415


class SchemaError(RequestError):
    """A value that the feature schema does not allow."""

    status = 422


class TooManyError(RequestError):
    """Over the key's rate."""

    status = 429


class InternalError(RequestError):
    """Our fault; the client learns nothing of our inside."""

    status = 500

    def __init__(self) -> None:
        super().__init__("internal error; the server's log has the details")


class NotReadyError(RequestError):
    """The model has not answered its golden rows yet."""

    status = 503
