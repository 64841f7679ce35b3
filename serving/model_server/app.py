"""The Flask application: routes of a few lines, one handler for all errors."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from model_server.errors import MalformedError, NotReadyError, RequestError, UnsupportedError
from model_server.model import Model
from model_server.settings import Settings


def create_app(settings: Settings, model: Model) -> Flask:
    """The application around one model.

    Args:
        settings: limits.
        model: loaded; inference answers 503 until it is warmed up.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["model"] = model
    app.extensions["settings"] = settings
    app.add_url_rule("/predict", view_func=predict, methods=["POST"])
    app.add_url_rule("/v2/health/live", view_func=live)
    app.add_url_rule("/v2/health/ready", view_func=ready)
    app.register_error_handler(RequestError, refuse)
    app.register_error_handler(HTTPException, refuse_by_flask)
    app.register_error_handler(Exception, fail)
    app.after_request(name_the_bundle)
    return app


def predict() -> Response:
    """POST /predict: one row or many, by position or by name."""
    model = _ready_model()
    features = _json_body().get("features")
    rows, single = model.schema.rows_of(features)
    if len(rows) > (limit := current_app.extensions["settings"].max_rows):
        raise MalformedError(f"{len(rows)} rows in one request, allowed: {limit}")
    answer = model.predict(rows, probabilities=_wants_probabilities())
    body: dict[str, Any] = {"prediction": answer.predictions[0] if single else answer.predictions}
    if answer.probabilities is not None:
        body["probabilities"] = answer.probabilities[0] if single else answer.probabilities
    return jsonify(body)


def live() -> Response:
    """GET /v2/health/live: the process answers; touches nothing."""
    return jsonify(live=True)


def ready() -> Response:
    """GET /v2/health/ready: 200 once the golden rows were answered as in training."""
    _ready_model()
    return jsonify(ready=True)


def name_the_bundle(response: Response) -> Response:
    """Every answer says which bundle gave it, so that a client can tell versions apart during a rollout."""
    response.headers["Slipway-Bundle"] = current_app.extensions["model"].bundle.digest
    return response


def refuse(error: RequestError) -> tuple[Response, int]:
    """Our own errors, with their text."""
    return jsonify(error=str(error)), error.status


def refuse_by_flask(error: HTTPException) -> tuple[Response, int]:
    """Flask's: unknown route, wrong method, too large a body."""
    return jsonify(error=f"{error.name.lower()}: {request.method} {request.path}"), error.code or 500


def fail(error: Exception) -> tuple[Response, int]:
    """Anything else is our fault: the log has it, the client learns nothing of our inside."""
    current_app.logger.exception("could not answer %s %s", request.method, request.path, exc_info=error)
    return jsonify(error="internal error; the server's log has the details"), 500


def _ready_model() -> Model:
    model: Model = current_app.extensions["model"]
    if not model.ready:
        raise NotReadyError("the model is not ready yet; try again in a moment")
    return model


def _json_body() -> dict[str, Any]:
    if request.mimetype != "application/json":
        raise UnsupportedError(f"Content-Type {request.mimetype or '(none)'}, allowed: application/json")
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or "features" not in body:
        raise MalformedError('the body must be JSON like {"features": [..]}')
    return body


def _wants_probabilities() -> bool:
    return request.args.get("probabilities", "").lower() in {"1", "true", "yes"}
