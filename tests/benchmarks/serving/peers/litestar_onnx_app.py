"""Litestar with the ONNX graph. The body is read with orjson, and the answer is bytes already."""

import orjson
from litestar import Litestar, Request, Response, post
from onnx_model import OnnxModel

model = OnnxModel()


@post("/predict", status_code=200)
async def predict(request: Request) -> Response[bytes]:
    features = orjson.loads(await request.body())["features"]
    return Response(orjson.dumps({"prediction": model.predict(features)}), media_type="application/json")


app = Litestar([predict], openapi_config=None, request_max_body_size=None)
