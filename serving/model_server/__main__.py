"""`python -m model_server --bundle DIR --digest sha256:...`: serve one bundle; `--help` lists the options."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Serve until ended."""
    # ONNX Runtime reports usage to its maker by default; a server reports to nobody.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # Before NumPy is loaded: each worker is one of several, and a pool of threads in each would only compete with the others.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Arrow's own allocator keeps what a large body took; malloc gives it back (see heap.py).
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from model_server.processes import serve

    return serve(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
