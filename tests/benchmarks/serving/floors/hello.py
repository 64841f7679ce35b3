"""The two floors: what the web server alone, and Flask alone, cost. Both read the body and answer a constant."""

from flask import Flask, Response, request

ANSWER = b'{"prediction":"setosa"}\n'

route = Flask(__name__)


@route.post("/predict")
def predict():
    request.get_data()
    return Response(ANSWER, content_type="application/json")


def wsgi(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]
