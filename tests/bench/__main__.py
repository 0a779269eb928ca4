"""Hot paths against named peers, in one run on this machine: reports/benchmarks.json, and reports/benchmarks.md to read.

python -m tests.bench [GROUP ...]   all groups if none is named; only a whole run is kept
"""

import platform
import sys
from importlib.metadata import version
from pathlib import Path

from lib.core import checks
from lib.workbook.runs import write_json
from tests.bench import concepts, dynamics, koopman, koopman_deep, large, layers, neighbours, pairwise, scenes, sweeps, training

GROUPS = {"pairwise": pairwise, "layers": layers, "neighbours": neighbours, "training": training, "large": large}
GROUPS |= {"dynamics": dynamics, "koopman": koopman, "koopman_deep": koopman_deep}
GROUPS |= {"concepts": concepts, "scenes": scenes, "sweeps": sweeps}
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "numba", "npeet_plus", "pykeops", "kooplearn", "pydmd", "papermill")
PACKAGES += ("open_clip_torch",)


def ratio(row: dict) -> str:
    """Return the ratio for people; a peer that is not there has none."""
    return "no peer" if row["ratio"] is None else f"{row['ratio']:.2f}"


def page(rows: list[dict], growth: list[dict]) -> str:
    """Return both tables as Markdown, with the machine and the versions that they come from."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. A ratio is the peer's CPU time over ours, both by turns in one run, medians, after their",
        "values agreed; where no time is compared the row says what is. A bar holds where the ratio reaches it.",
        "",
        f"{rows[0]['machine']}; Python {platform.python_version()}, {packages}. For a GPU see benchmarks_gpu.md.",
        "",
        "| name | workload | peer | ratio | bar | holds |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r['name']} | {r['workload']} | {r['peer']} | {ratio(r)} | {r['bar']:g} | {'yes' if r['holds'] else 'no'} |"
            for r in rows
        ),
        "",
        "## How cost grows with n",
        "",
        "| name | n | CPU seconds | exponent |",
        "|---|---|---|---|",
    ]
    for g in growth:
        seconds = ", ".join(f"{s:.3g}" for s in g["seconds"])
        lines.append(f"| {g['name']} | {', '.join(map(str, g['sizes']))} | {seconds} | {g['exponent']:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the groups and show each row as it comes; keep a whole run."""
    named = sys.argv[1:] or list(GROUPS)
    rows, growth = [], []
    for group in [checks.known(name, GROUPS, "group of benchmarks") for name in named]:
        measured = group.rows()
        for row in measured:
            print(f"{row['name']:<18} {ratio(row):>8} (bar {row['bar']:g}) {row['peer']}; {row['workload']}", flush=True)
        rows += measured
        growth += group.growth()
    if named == list(GROUPS):
        write_json(Path("reports/benchmarks.json"), rows)
        Path("reports/benchmarks.md").write_text(page(rows, growth))


if __name__ == "__main__":
    main()
