"""The usual Flask app: `python flask_app.py` is Flask's own server, `gunicorn flask_app:app` the step after that."""

import os

from flask import Flask, jsonify, request
from joblib_model import JoblibModel

app = Flask(__name__)
model = JoblibModel()


@app.post("/predict")
def predict():
    return jsonify({"prediction": model.predict(request.get_json()["features"])})


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
