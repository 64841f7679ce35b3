"""What the Open Inference Protocol tells about the server and the one model it serves."""

from __future__ import annotations

from typing import Any

from model_server import __version__
from model_server.errors import AbsentError
from model_server.message import Request
from model_server.model import Model

OUTPUTS = ("predict", "predict_proba")
DATATYPES = {"category": "BYTES", "boolean": "BOOL", "integer": "INT64", "number": "FP32"}


class ModelCard:
    """What the protocol tells about the one model that is served."""

    def __init__(self, model: Model) -> None:
        self._model = model
        classes = model.labels.classes
        kinds = {str: "BYTES", bool: "BOOL", int: "INT64", float: "FP64"}
        self.label_datatype = kinds[type(classes[0])] if classes else "FP32"

    def check(self, request: Request) -> None:
        """Raises AbsentError unless the route names this model, and this version if it names one."""
        name, wanted = request.path_arguments.get("model"), request.path_arguments.get("version")
        if name not in {None, self._model.name}:
            raise AbsentError(f"there is no model {name!r:.60}; this server has {self._model.name}")
        if wanted not in {None, self._model.version}:
            raise AbsentError(f"there is no version {wanted!r:.60}; this server has {self._model.version}")

    def server(self) -> dict[str, Any]:
        """GET /v2."""
        return {"name": "slipway", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}

    def metadata(self) -> dict[str, Any]:
        """GET /v2/models/<model>."""
        model = self._model
        return {
            "name": model.name,
            "versions": [model.version],
            "platform": f"slipway_{model.bundle.metadata['runtime']}",
            "inputs": self._inputs(),
            "outputs": self._outputs(),
        }

    def index(self) -> list[dict[str, Any]]:
        """POST /v2/repository/index."""
        state = "READY" if self._model.ready else "UNAVAILABLE"
        return [{"name": self._model.name, "version": self._model.version, "state": state, "reason": ""}]

    def _inputs(self) -> list[dict[str, Any]]:
        schema = self._model.schema
        if not schema.text:
            return [{"name": "input", "datatype": "FP32", "shape": [-1, len(schema.names)]}]
        return [{"name": f["name"], "datatype": DATATYPES[f["type"]], "shape": [-1, 1]} for f in schema.features]

    def _outputs(self) -> list[dict[str, Any]]:
        outputs = [{"name": OUTPUTS[0], "datatype": self.label_datatype, "shape": [-1, 1]}]
        if self._model.has_probabilities:
            classes = len(self._model.labels.names)
            outputs.append({"name": OUTPUTS[1], "datatype": "FP32", "shape": [-1, classes]})
        return outputs
