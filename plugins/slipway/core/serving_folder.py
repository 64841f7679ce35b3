"""Where the serving artifact is: the folder that a server is started from, and an image is built of."""

from __future__ import annotations

import os
from pathlib import Path


def serving_folder() -> Path:
    """`serving/` beside `plugins/`, or where SLIPWAY_SERVING_DIR says."""
    return Path(os.environ.get("SLIPWAY_SERVING_DIR") or Path(__file__).parents[3] / "serving")
