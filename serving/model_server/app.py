"""The Flask application: every route, one handler for all errors.

What a route answers is decided in `protocols/`; the views here only translate. A POST to a fixed path usually does not come
this far: `gateway.py` takes it to the same protocol without Flask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from model_server.bundle import Bundle
from model_server.errors import NotReadyError, RequestError
from model_server.labels import Labels
from model_server.message import Reply, Request
from model_server.metrics import Metrics
from model_server.model import Model
from model_server.openapi import describe
from model_server.page import page
from model_server.protocols.invocations import Invocations
from model_server.protocols.model_card import ModelCard
from model_server.protocols.open_inference import OpenInference
from model_server.protocols.predict import Predict
from model_server.protocols.protocol import JsonErrors, Protocol, respond
from model_server.protocols.vertex import Vertex
from model_server.settings import Settings


def protocols_of(model: Model, settings: Settings) -> dict[str, Protocol]:
    """The protocol of each fixed path that takes a POST."""
    found: dict[str, Protocol] = {
        "/predict": Predict(model, settings),
        "/invocations": Invocations(model, settings),
        f"/v2/models/{model.name}/infer": OpenInference(model, settings),
    }
    if settings.predict_route:
        found[settings.predict_route] = Vertex(model, settings)
    return found


def health_paths(settings: Settings) -> set[str]:
    """Paths that need no API key: they tell whether, not what."""
    return {"/v2/health/live", "/v2/health/ready", "/ping", *([settings.health_route] if settings.health_route else [])}


def create_app(settings: Settings, model: Model, metrics: Metrics | None = None) -> Flask:
    """The application around one model.

    Args:
        settings: limits.
        model: loaded; inference answers 503 until it is warmed up.
        metrics: what `/metrics` shows; without, its own.
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # or it would redirect, to whatever host the client names
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions |= {
        "model": model,
        "settings": settings,
        "metrics": metrics or metrics_of(model.bundle, settings, workers=1),
    }
    model.observe = app.extensions["metrics"].count_predictions
    _add_inference(app, model, settings)
    _add_model_routes(app, ModelCard(model))
    for path in sorted(health_paths(settings) - {"/v2/health/live"}):
        app.add_url_rule(path, f"ready {path}", view_func=ready)
    app.add_url_rule("/v2/health/live", "live", view_func=live)
    app.add_url_rule("/metrics", "metrics", view_func=show_metrics)
    app.add_url_rule("/openapi.json", "openapi", view_func=lambda: jsonify(describe(model, settings)))
    app.register_blueprint(page)
    app.register_error_handler(RequestError, refuse)
    app.register_error_handler(HTTPException, refuse_by_flask)
    app.register_error_handler(Exception, fail)
    app.before_request(name_the_route)
    app.after_request(name_the_bundle)
    return app


def metrics_of(bundle: Bundle, settings: Settings, *, workers: int) -> Metrics:
    """Counters for this bundle's routes and classes."""
    routes = [Predict.name, Invocations.name, OpenInference.name, *([Vertex.name] if settings.predict_route else [])]
    info = {name: str(bundle.metadata[name]) for name in ("model", "model_id", "dataset_id", "runtime")}
    classes = Labels(bundle.metadata["classes"]).names
    return Metrics(workers, [*routes, "page", "metrics", "other"], classes, info | {"digest": bundle.digest})


def live() -> Response:
    """GET /v2/health/live: the process answers; touches nothing."""
    return jsonify(live=True)


def ready() -> Response:
    """200 once the golden rows were answered as in training."""
    if not current_app.extensions["model"].ready:
        raise NotReadyError("the model is not ready yet; try again in a moment")
    return jsonify(ready=True)


def show_metrics() -> Response:
    """GET /metrics, for Prometheus."""
    return Response(current_app.extensions["metrics"].render(), content_type="text/plain; version=0.0.4; charset=utf-8")


def name_the_route() -> None:
    """For the metrics; see gateway.py."""
    endpoint = request.endpoint or "other"
    named = {"page": "page", "infer": OpenInference.name}
    request.environ["slipway.route"] = named.get(endpoint.replace(".", " ").partition(" ")[0], endpoint)


def name_the_bundle(response: Response) -> Response:
    """Every answer says which bundle gave it, so that a client can tell versions apart during a rollout."""
    response.headers["Slipway-Bundle"] = current_app.extensions["model"].bundle.digest
    return response


def refuse(error: RequestError) -> Response:
    """Our own errors outside the protocols, with their text."""
    return _response(JsonErrors().refuse(error))


def refuse_by_flask(error: HTTPException) -> Response:
    """Flask's: unknown route, wrong method, too large a body."""
    response = make_response(
        jsonify(error=f"{error.name.lower()}: {request.method} {request.path[:200]}"), error.code or 500
    )
    if error.response is not None or error.code == 405:
        response.headers.extend(error.get_headers() if error.response is None else error.response.headers)
        response.headers["Content-Type"] = "application/json"
    return response


def fail(error: Exception) -> tuple[Response, int]:
    """Anything else is our fault: the log has it, the client learns nothing of our inside."""
    current_app.logger.exception("could not answer %s %s", request.method, request.path, exc_info=error)
    return jsonify(error="internal error; the server's log has the details"), 500


def _add_inference(app: Flask, model: Model, settings: Settings) -> None:
    protocols = protocols_of(model, settings)
    for path, protocol in protocols.items():
        app.add_url_rule(path, protocol.name, view_func=_view(protocol), methods=["POST"])
    infer = _view(protocols[f"/v2/models/{model.name}/infer"])
    for rule in ("/v2/models/<model>/infer", "/v2/models/<model>/versions/<version>/infer"):
        app.add_url_rule(rule, f"infer {rule}", view_func=infer, methods=["POST"])


def _add_model_routes(app: Flask, card: ModelCard) -> None:
    """The metadata of the Open Inference Protocol."""

    def checked(answer: Callable[[], Any]) -> Callable[..., Response]:
        def view(**arguments: str) -> Response:
            card.check(Request({}, b"", arguments))
            return jsonify(answer()) if answer is not ready else ready()

        return view

    app.add_url_rule("/v2", "v2", view_func=checked(card.server))
    for tail in ("", "/versions/<version>"):
        app.add_url_rule(f"/v2/models/<model>{tail}", f"model{tail}", view_func=checked(card.metadata))
        app.add_url_rule(f"/v2/models/<model>{tail}/ready", f"model{tail} ready", view_func=checked(ready))
    app.add_url_rule("/v2/repository/index", "index", view_func=checked(card.index), methods=["POST"])


def _view(protocol: Protocol) -> Callable[..., Response]:
    def view(**arguments: str) -> Response:
        return _response(respond(protocol, Request(request.environ, request.get_data(), arguments)))

    return view


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, [*reply.headers], content_type=reply.content_type)
