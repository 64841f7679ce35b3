"""`mlserver_model.py <model.joblib> <folder>`: MLServer's settings for the fitted pipeline.

Metrics, gzip and debugging are off, two worker processes predict. Without workers one process predicts in its event loop:
quicker at one connection, slower at many.
"""

import json
import sys
from pathlib import Path

folder = Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
server = {"debug": False, "parallel_workers": 2, "metrics_endpoint": None, "gzip_enabled": False, "host": "127.0.0.1"}
model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": sys.argv[1]}}
(folder / "settings.json").write_text(json.dumps(server))
(folder / "model-settings.json").write_text(json.dumps(model))
