"""The servers, as data: whose environment, which command, which protocol, which group they are compared in.

In commands and settings `{port}`, `{bin}` (of the server's environment), `{bundle}`, `{digest}`, `{given}` (the folder of
`bundles.ServedModel.given`), `{model}` and `{peers}` are filled in. Two worker processes on two cores, one thread for
numbers in each: more of either only makes them wait for each other. MLServer alone is quicker with none: see its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SERVING = ROOT / "serving"
OURS = "slipway"

OURS_GROUP, PEER, ONNX_PEER, FLASK_HELLO, WSGI_HELLO = "ours", "peer", "onnx_peer", "flask_hello", "wsgi_hello"

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Server:
    """One way to serve.

    Attributes:
        environment: name of the virtual environment, and of its requirements text in `peers/`.
        protocol: of its JSON requests, a key of `payloads.PROTOCOLS`.
        command: what is run.
        prepare: run once for each model before anything is measured.
        settings: environment variables.
        workers: processes that predict.
        predicts: the floors do not; they get no large requests.
        forms: the forms of a request that it speaks.
    """

    name: str
    group: str
    environment: str
    command: tuple[str, ...]
    protocol: str = "slipway"
    prepare: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    predicts: bool = True
    forms: tuple[str, ...] = ("json",)

    @property
    def requirements(self) -> Path:
        """The text its environment is made from."""
        return SERVING / "requirements.txt" if self.environment == OURS else HERE / "peers" / f"{self.environment}.txt"


def _gunicorn(application: str, worker: str, *more: str) -> tuple[str, ...]:
    bind = ("-w", "2", "-b", "127.0.0.1:{port}", "--no-control-socket")
    return ("{bin}/gunicorn", "-k", worker, *bind, *more, application)


def _floor(application: str) -> tuple[str, ...]:
    """The floors run on the worker that our server runs on."""
    return _gunicorn(application, "model_server.http_worker.HttpWorker")


def _uvicorn(application: str) -> tuple[str, ...]:
    quick = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
    return ("{bin}/uvicorn", application, "--host", "127.0.0.1", "--port", "{port}", "--workers", "2", *quick)


def _granian(application: str) -> tuple[str, ...]:
    quick = ("--loop", "uvloop", "--no-ws", "--http", "1", "--log-level", "warning")
    where = ("--host", "127.0.0.1", "--port", "{port}", "--workers", "2")
    return ("{bin}/granian", "--interface", "asgi", *where, *quick, application)


_PEERS = {"PYTHONPATH": "{peers}", "BENCH_MODEL": "{given}", "BENCH_PORT": "{port}"}
_FLOORS = {"PYTHONPATH": f"{SERVING}:{HERE / 'floors'}"}
_ADDRESS = ("--host", "127.0.0.1", "--port", "{port}")
_BUNDLE = ("--bundle", "{bundle}", "--digest", "{digest}")

SERVERS = (
    Server(
        name=OURS,
        group=OURS_GROUP,
        environment=OURS,
        command=(
            *("{bin}/python", "-m", "model_server", *_BUNDLE, *_ADDRESS, "--workers", "2"),
            *("--open", "--no-access-log"),  # as the peers are set
        ),
        settings={"PYTHONPATH": str(SERVING)},
        forms=("json", "arrow", "binary"),
    ),
    Server(
        name="mlserver",
        group=PEER,
        environment="mlserver",
        command=("{bin}/mlserver", "start", "{given}/mlserver"),
        protocol="mlserver",
        prepare=("{bin}/python", "{peers}/mlserver_model.py", "{given}/model.joblib", "{given}/mlserver"),
        settings={"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{second_port}"},
        workers=1,
    ),
    Server(
        name="bentoml",
        group=PEER,
        environment="bentoml",
        command=("{bin}/bentoml", "serve", "bentoml_app:Predictor", "--working-dir", "{peers}", *_ADDRESS, "-q"),
        protocol="bentoml",
        settings=_PEERS | {"BENTOML_DO_NOT_TRACK": "true"},
    ),
    Server(
        name="mlflow",
        group=PEER,
        environment="mlflow",
        command=(
            *("{bin}/mlflow", "models", "serve", "-m", "{given}/mlflow", "--env-manager", "local"),
            *("-h", "127.0.0.1", "-p", "{port}", "-w", "2"),
        ),
        protocol="mlflow",
        prepare=("{bin}/python", "{peers}/mlflow_model.py", "{given}/model.joblib", "{given}/mlflow"),
        settings={"PATH": "{bin}:/usr/bin:/bin", "MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    Server("fastapi", PEER, "fastapi", _uvicorn("fastapi_app:app"), settings=_PEERS),
    Server("flask-python", PEER, "flask", ("{bin}/python", "{peers}/flask_app.py"), settings=_PEERS, workers=1),
    Server("flask-gunicorn", PEER, "flask", _gunicorn("flask_app:app", "sync"), settings=_PEERS),
    Server("onnx-fastapi-uvicorn", ONNX_PEER, "fastapi_onnx", _uvicorn("fastapi_onnx_app:app"), settings=_PEERS),
    Server("onnx-fastapi-granian", ONNX_PEER, "fastapi_onnx", _granian("fastapi_onnx_app:app"), settings=_PEERS),
    Server("onnx-litestar-granian", ONNX_PEER, "litestar_onnx", _granian("litestar_onnx_app:app"), settings=_PEERS),
    Server("hello-flask", FLASK_HELLO, OURS, _floor("hello:route"), settings=_FLOORS, predicts=False),
    Server("hello-wsgi", WSGI_HELLO, OURS, _floor("hello:wsgi"), settings=_FLOORS, predicts=False),
)
