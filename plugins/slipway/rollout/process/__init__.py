"""The target `process`: a supervised server on the worker's machine."""
