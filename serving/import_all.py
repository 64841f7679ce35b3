"""Imports whatever the server may import, while its image is built, and compiles it.

A package that lacks something after `trim_packages` fails there, not at a request; and the server, which may write nothing,
finds the bytecode of every module, those of the standard library too.
"""

import importlib
import os
import pkgutil
import py_compile
import sys
from importlib.util import find_spec

REQUIRED = ("numpy.linalg", "numpy.random", "onnxruntime", "pyarrow.compute", "pyarrow.ipc", "pyarrow.parquet")
JOBLIB = ("joblib", "pandas", "sklearn.compose", "sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline")

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
server = importlib.import_module("model_server")
modules = [each.name for each in pkgutil.walk_packages(server.__path__, "model_server.")]
for name in (*modules, *REQUIRED, *(JOBLIB if find_spec("sklearn") else ())):
    importlib.import_module(name)

# Bytecode that belongs to a source by its content: times differ between a layer and another build's layer with the same files.
# The packages never change in an image; somebody may mount a changed server.
CHECKED, UNCHECKED = py_compile.PycInvalidationMode.CHECKED_HASH, py_compile.PycInvalidationMode.UNCHECKED_HASH
for name, module in sorted(sys.modules.items()):
    source = getattr(module, "__file__", None) or ""
    if source.endswith(".py") and name != "__main__":
        mode = CHECKED if name.startswith("model_server") else UNCHECKED
        py_compile.compile(source, doraise=True, invalidation_mode=mode)
