"""`GET /`: the model's card and a form that predicts; `GET /docs`: the API. Plain HTML of our own, no outside assets."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, make_response, render_template

from model_server.openapi import STATUS_TEXTS, describe

page = Blueprint("page", __name__)

# Nothing from elsewhere may run or be loaded; the pages' own style and script stand in them.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@page.get("/")
def card() -> Response:
    """The card."""
    model = current_app.extensions["model"]
    return _html(
        "page.html", model=model, metadata=model.bundle.metadata, example=_example(), golden=model.bundle.golden
    )


@page.get("/docs")
def docs() -> Response:
    """The API as a page."""
    extensions = current_app.extensions
    return _html("docs.html", api=describe(extensions["model"], extensions["settings"]), statuses=STATUS_TEXTS)


def _example() -> dict[str, object]:
    golden = current_app.extensions["model"].bundle.golden
    return dict(zip(golden["features"], golden["rows"][0], strict=True)) if golden["rows"] else {}


def _html(template: str, **values: object) -> Response:
    response = make_response(render_template(template, **values))
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
