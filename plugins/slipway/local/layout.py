"""Where the embedded profile keeps what: one folder, `.slipway/` in the repository unless SLIPWAY_HOME says otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Layout:
    """The folders of one embedded profile."""

    home: Path
    dags: Path = REPOSITORY / "dags"

    @classmethod
    def from_environment(cls) -> Layout:
        """The profile that SLIPWAY_HOME and SLIPWAY_DAGS name, by default the repository's own."""
        home = Path(os.environ.get("SLIPWAY_HOME") or REPOSITORY / ".slipway")
        return cls(home.absolute(), Path(os.environ.get("SLIPWAY_DAGS") or REPOSITORY / "dags").absolute())

    @property
    def airflow_home(self) -> Path:
        """Airflow's database, logs and passwords."""
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        """One log file per part."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Process records, ports and secrets."""
        return self.home / "run"

    @property
    def cloud(self) -> Path:
        """What the stand-in cloud holds."""
        return self.home / "cloud"

    @property
    def serving(self) -> Path:
        """One folder per served model."""
        return self.home / "serving"

    @property
    def api_key(self) -> Path:
        """The API key of the models served here."""
        return self.run / "api_key"

    @property
    def passwords(self) -> Path:
        """The generated log-in of Airflow's UI."""
        return self.airflow_home / "simple_auth_manager_passwords.json"
