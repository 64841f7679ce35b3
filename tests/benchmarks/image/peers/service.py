"""The forest as a BentoML service, in the smallest image that its own tool makes."""

from pathlib import Path

import bentoml

image = bentoml.images.Image(
    base_image="python:3.11-slim", distro="none", python_version="3.11", lock_python_packages=False
)
image.requirements_file("requirements.txt")


@bentoml.service(name="forest", image=image)
class Predictor:
    def __init__(self):
        import joblib

        self._pipeline = joblib.load(Path(__file__).with_name("model.joblib"))

    @bentoml.api(batchable=True)
    def predict(self, rows: list) -> list:
        return self._pipeline.predict(rows).tolist()
