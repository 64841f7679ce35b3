"""FastAPI with the ONNX graph, on uvicorn or granian. The body is read with orjson, and the answer is bytes already."""

import orjson
from fastapi import FastAPI, Request, Response
from onnx_model import OnnxModel

app = FastAPI()
model = OnnxModel()


@app.post("/predict")
async def predict(request: Request) -> Response:
    features = orjson.loads(await request.body())["features"]
    return Response(orjson.dumps({"prediction": model.predict(features)}), media_type="application/json")
