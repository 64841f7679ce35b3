"""An import path of the model file, ``package.Class`` or ``module:function``: what it names, and its source."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.core.errors import ConfigurationError
from slipway.core.identity import sha256_hex

SEARCHED = "Airflow finds modules that lie in dags/ or plugins/, or that are installed beside it."


@dataclass(frozen=True)
class ImportPath:
    """`text` as it stands in the model file under `key`, e.g. ``train.estimator``."""

    key: str
    text: str

    @property
    def is_function(self) -> bool:
        """Whether it names a function to call, not a class."""
        return ":" in self.text

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return self.text.partition(":")[0] if self.is_function else self.text.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The class or function."""
        return self.text.rpartition(":" if self.is_function else ".")[2]

    def load(self) -> Any:
        """The class or function. Raises ConfigurationError: no such module or name, or the module fails to import."""
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            missing = error.name or self.module
            if self.module == missing or self.module.startswith(f"{missing}."):
                raise self.error(f"there is no module {missing!r}", SEARCHED) from error
            why = f"{self.module} imports {missing!r}, which is not installed"
            raise self.error(why, f"Install {missing} where Airflow's workers run.") from error
        except Exception as error:
            why = f"importing {self.module} raised {type(error).__name__}: {error}"
            raise self.error(why, "Correct that module.") from error
        if not hasattr(module, self.name):
            close = difflib.get_close_matches(
                self.name, [name for name in dir(module) if not name.startswith("_")], n=1
            )
            fix = f"Did you mean {close[0]}?" if close else "Correct the spelling."
            raise self.error(f"the module {self.module} has no {self.name!r}", fix)
        return getattr(module, self.name)

    def find_source_sha256(self) -> str | None:
        """SHA-256 of the module's source file, found without importing it; None when it is not a Python file.

        Raises:
            ConfigurationError: there is no such module.
        """
        try:
            spec = importlib.util.find_spec(self.module)
        except ModuleNotFoundError as error:
            raise self.error(f"there is no module {error.name!r}", SEARCHED) from error
        if spec is None:
            raise self.error(f"there is no module {self.module!r}", SEARCHED)
        if spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return sha256_hex(Path(spec.origin).read_bytes())

    def error(self, why: str, fix: str) -> ConfigurationError:
        """The error that names the key of the model file and what stands there."""
        return ConfigurationError(f"could not use {self.key}", on=self.text, why=why, fix=fix)
