"""`added_pins.py <pins> <more pins>`: the lines of the second file whose package the first does not have."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def name(line: str) -> str:
    """The package of a pin."""
    return re.split(r"[=;\[ ]", line)[0]


def main(known: Path, more: Path) -> None:
    """Print them."""
    names = {name(line) for line in known.read_text().splitlines()}
    sys.stdout.writelines(line for line in more.open() if name(line) not in names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
