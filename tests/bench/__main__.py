"""Hot paths against named peers, in one run on this machine: ratios, written to reports/benchmarks.json.

python -m tests.bench [GROUP ...]   groups: pairwise, layers, neighbours, training; all if none is named
"""

import sys
from pathlib import Path

from lib import checks
from lib.runs import write_json
from tests.bench import layers, neighbours, pairwise, training

GROUPS = {"pairwise": pairwise.rows, "layers": layers.rows, "neighbours": neighbours.rows, "training": training.rows}


def shown(row: dict) -> str:
    """Return a row as one line."""
    ratio = "no peer" if row["ratio"] is None else f"{row['ratio']:.2f}"
    return f"{row['name']:<18} {ratio:>8} (bar {row['bar']:g}) x {row['peer']}; {row['workload']}"


def main() -> None:
    """Run the groups; a whole run is kept, a part of one is only shown."""
    groups = [checks.known(name, GROUPS, "group of benchmarks") for name in sys.argv[1:]] or list(GROUPS.values())
    found = []
    for rows in groups:
        measured = rows()
        print("\n".join(map(shown, measured)), flush=True)
        found += measured
    if not sys.argv[1:]:
        Path("reports").mkdir(exist_ok=True)
        write_json(Path("reports/benchmarks.json"), found)


if __name__ == "__main__":
    main()
