# SPDX-License-Identifier: Apache-2.0
"""One measured figure, and how a list of them is kept. Used by every module of this folder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

OUTPUT_DIR = Path("build/bench")


@dataclass(frozen=True)
class Figure:
    """A measured value beside its peer's.

    `how` says in one line how both were measured. `peer` and `peer_value` stay None where no peer exists; `ratio` is
    value / peer_value then.
    """

    name: str
    value: float
    unit: str
    how: str
    peer: str | None = None
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over peer value, None without a peer."""
        return round(self.value / self.peer_value, 3) if self.peer_value else None


def write(name: str, figures: list[Figure]) -> Path:
    """Write figures to build/bench/NAME.json and return that path."""
    OUTPUT_DIR.mkdir(parents=True, exist_ok=True)
    path = OUTPUT_DIR / f"{name}.json"
    rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return path
