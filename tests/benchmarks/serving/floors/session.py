"""`session.py <model.onnx> <inputs.npz> <seconds>`: how many batches a second the bare runtime call reaches in this process.

Says `ready` when the session is warm, begins at the next line of its input, and prints the rate. Started twice, it tells
what the same two cores reach when nothing is received, parsed or sent.
"""

import sys
import time

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
with np.load(sys.argv[2]) as arrays:
    feed = {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in arrays.items()}
session.run(None, feed)
print("ready", flush=True)
sys.stdin.readline()
began, batches = time.perf_counter(), 0
while (passed := time.perf_counter() - began) < float(sys.argv[3]):
    session.run(None, feed)
    batches += 1
print(batches / passed, flush=True)
