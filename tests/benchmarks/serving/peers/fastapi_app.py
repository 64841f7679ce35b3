"""FastAPI with the fitted pipeline. The body is read with orjson: pydantic would look at every number of 10,000 rows."""

import orjson
from fastapi import FastAPI, Request, Response
from joblib_model import JoblibModel

app = FastAPI()
model = JoblibModel()


@app.post("/predict")
async def predict(request: Request) -> Response:
    features = orjson.loads(await request.body())["features"]
    return Response(orjson.dumps({"prediction": model.predict(features)}), media_type="application/json")
