"""Training: from a stored dataset to a bundle that can be served, measured on rows the model has not seen.

`training.py` fits, `evaluation.py` measures and completes the bundle, `comparison.py` measures against the champion.
Belongs here: everything that knows scikit-learn or ONNX. Does not: whether a model may be deployed (`release/`), and how
it is served.
"""
