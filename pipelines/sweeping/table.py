"""The table that a sweep leaves: a row a point, written whole each time, tracked by DVC when it is complete."""

import os
from pathlib import Path

import pandas as pd

from lib.workbook import runs
from pipelines.runner import tracked
from pipelines.sweeping.points import Sweep, canonical


def table(sweep: Sweep, keys: list[str], rows: dict[str, dict], *, times: bool) -> pd.DataFrame:
    """Return a row for each finished point, in the order of the sweep: key, parameters, numbers, status, error, and times."""
    found = []
    for key, point in zip(keys, sweep.points, strict=True):
        if key in rows:
            row = rows[key]
            own = {name: canonical(v) if isinstance(v, list | dict) else v for name, v in point.items()}
            told = {"key": key} | own | row["result"] | {name: row[name] for name in ("status", "error")}
            found.append(told | ({name: row[name] for name in ("started", "seconds")} if times else {}))
    return pd.DataFrame(found, columns=list(dict.fromkeys(name for row in found for name in row)))


def publish(found: pd.DataFrame, path: Path) -> None:
    """Write a table in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    found.to_parquet(part, index=False)
    os.replace(part, path)


def live(sweep: Sweep, keys: list[str], rows: dict[str, dict], state: Path) -> None:
    """Write what has come so far, with times, in the sweep's folder."""
    publish(table(sweep, keys, rows, times=True), state / "table.parquet")


def place(sweep: Sweep, found: pd.DataFrame, *, by_dvc: bool) -> None:
    """Put the finished table with what it is of in place, and have DVC track it where there is DVC."""
    known = sweep.name in (runs.parameters(Path.cwd()).get("sweeps") or {})
    folder = Path("runs") / ("sweeps" if known else "other_sweeps") / sweep.name
    folder.mkdir(parents=True, exist_ok=True)
    publish(found, folder / "table.parquet")
    facts = {"notebook": sweep.notebook, "varied": sweep.varied, "values": sweep.values, "points": sweep.points}
    runs.write_json(folder / "sweep.json", facts)
    if by_dvc and Path(".dvc").exists():
        if known:
            tracked.dvc("repro", "strip")  # writes the notebook without outputs, which the stage reads
            tracked.dvc("commit", "--force", f"sweep@{sweep.name}")
        else:
            tracked.dvc("add", str(folder))
    print(f"{len(found)} points, {int((found.status == 'failed').sum())} failed: {folder}/table.parquet")
