"""What there is to run and how it stands: stages by dvc.yaml and dvc.lock, sweeps by their folders; and rows of any table."""

import fcntl
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lib.workbook import runs

if TYPE_CHECKING:
    from dvc.repo.index import Index
    from dvc.stage import Stage

NAMED = re.compile(r"reports/notebooks/(\S+)\.ipynb")
LOGGED = re.compile(r"(?P<name>[^,]+),(?P<when>[\d-]+[T ][\d:]+),(?P<seconds>\d+(\.\d+)?)(,(?P<scale>\w+))?")
OPERATORS = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "!=": lambda a, b: a != b,
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


@contextmanager
def _index(root: Path) -> "Iterator[Index]":
    """What DVC makes of dvc.yaml. Errors: ValueError with what DVC says where it cannot read its files."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root), config={"core": {"no_scm": True}}) as repo:
            yield repo.index
    except DvcException as error:
        raise ValueError(causes(error)) from error


def commands(root: Path) -> dict[str, str]:
    """Return stage -> its command, for every stage that DVC makes of dvc.yaml, in its order.

    Errors: ValueError with what DVC says where it cannot read its files.
    """
    with _index(root) as index:
        return listed(index.stages)


def waits(root: Path) -> dict[str, set[str]]:
    """Return stage -> the stages whose outputs it reads. Errors: as of commands."""
    with _index(root) as index, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a library, in what DVC calls
        graph = index.graph
        return {stage.name: {*listed(graph.successors(stage))} for stage in graph if stage.cmd}


def causes(error: BaseException | None) -> str:
    """Return an error and what it came of, in one line."""
    found = []
    while error is not None:
        found.append(" ".join(str(error).split()))
        error = error.__cause__
    return ": ".join(found)


def listed(stages: "Iterable[Stage]") -> dict[str, str]:
    """Return stage -> its command, less what has none, as data.dvc."""
    return {stage.name: str(stage.cmd) for stage in stages if stage.cmd}


def notebooks(commands: dict[str, str]) -> dict[str, str]:
    """Return stage -> name of its executed notebook, for every stage whose command runs one."""
    return {stage: match[1] for stage, command in commands.items() if (match := NAMED.search(command))}


def stages(root: Path) -> dict[str, str]:
    """Return stage -> name of its executed notebook, for every stage of dvc.yaml that runs one, in its order."""
    return notebooks(commands(root))


def changed(root: Path) -> dict:
    """Return what `dvc status` says of the stages that are out of date. Errors: ValueError with its reason to say nothing."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"dvc status failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def standing(root: Path, changed: dict | None) -> pd.DataFrame:
    """Return stage, status, when it last ran and for how many seconds.

    changed: what `dvc status --json` prints, None where that is not known. Status is up to date, changed, unknown (one of
    these), not run, running, or failed, which is that of the last attempt; a stage runs where a lock is held and its notebook
    lies in build/partial.
    """
    path, lock = root / "build/logs/stages.csv", root / "dvc.lock"
    last = {row["name"]: (row["when"], row["seconds"]) for row in logged(path)}
    ran = runs.read_yaml(lock).get("stages", {}) if lock.exists() else {}
    busy = locked(root / ".dvc/tmp/rwlock.lock") or locked(root / "build/repro.lock") or locked(root / ".dvc/tmp/lock")
    rows = []
    for stage, name in stages(root).items():
        status = "unknown" if changed is None else "changed" if stage in changed else "up to date"
        status = "not run" if stage not in ran else status
        status = "failed" if (root / f"reports/failed/{name}.ipynb").exists() else status
        status = "running" if busy and (root / f"build/partial/{name}.ipynb").exists() else status
        rows.append(
            {"stage": stage, "status": status} | dict(zip(("when", "seconds"), last.get(name, ("", None)), strict=True))
        )
    return pd.DataFrame(rows)


def logged(path: Path) -> list[dict]:
    """Return name, when, seconds and scale ("" in an older log) of each stage in a log; a line that was cut short is none."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    rows = [match.groupdict() for line in lines if (match := LOGGED.fullmatch(line))]
    for row in rows:
        row |= {"when": row["when"].replace("T", " "), "seconds": float(row["seconds"]), "scale": row["scale"] or ""}
    return rows


def locked(path: Path) -> bool:
    """Return whether a process holds a lock file."""
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def begun(root: Path, name: str) -> bool:
    """Return whether a sweep was ever begun."""
    return (root / "build/sweeps" / name / "points.json").exists()


def points(root: Path, name: str) -> tuple[pd.DataFrame, int]:
    """Return a row for each point of a sweep that has come, in the order of the sweep, and how many there will be.

    Columns: parameters, numbers, status, error, seconds. Errors: ValueError for a sweep that was never begun.
    """
    folder = root / "build/sweeps" / name
    if not begun(root, name):
        raise ValueError(f"sweep {name} was never begun; `make sweep NAME={name}` runs it")
    asked, found = runs.read_json(folder / "points.json"), []
    for key, values in asked.items():
        if (place := folder / "rows" / f"{key}.json").exists():
            row = runs.read_json(place)
            found.append(values | row["result"] | {part: row[part] for part in ("status", "error", "seconds")})
    if not found and (folder / "table.parquet").exists():  # a stage keeps its table alone
        return pd.read_parquet(folder / "table.parquet").drop(columns=["key", "started"], errors="ignore"), len(asked)
    return pd.DataFrame(found), len(asked)


def sweeps(root: Path) -> pd.DataFrame:
    """Return sweep, status (running or not), points asked for, finished and failed, of every sweep that was begun."""
    rows = []
    for folder in sorted(path.parent for path in (root / "build/sweeps").glob("*/points.json")):
        table, asked = points(root, folder.name)
        status = "running" if locked(folder / "lock") else "stands"
        counts = {
            "points": asked,
            "finished": len(table),
            "failed": int((table["status"] == "failed").sum()) if len(table) else 0,
        }
        rows.append({"sweep": folder.name, "status": status} | counts)
    return pd.DataFrame(rows, columns=["sweep", "status", "points", "finished", "failed"])


def picked(table: pd.DataFrame, *, where: str = "", by: str | None = None, falling: bool = False) -> pd.DataFrame:
    """Return the rows that meet every condition, sorted by a column; equal ones stay as they were, missing values come last.

    where: conditions with commas between them: COLUMN = VALUE, also with != < <= > >=, or a word that some cell must hold.
    Errors: ValueError for an unknown column, or an order asked of a column of words against a number that is none.
    """
    rows = table
    for condition in filter(None, (part.strip() for part in where.split(","))):
        rows = rows[meets(condition, rows)]
    if by is None:
        return rows
    return rows.sort_values(by, ascending=not falling, kind="stable", na_position="last")


def meets(condition: str, rows: pd.DataFrame) -> pd.Series:
    """Return which rows meet one condition."""
    match = re.fullmatch(r"(.+?)\s*(<=|>=|!=|=|<|>)\s*(.*)", condition)
    if not match:
        return rows.astype(str).apply(lambda column: column.str.contains(condition, regex=False)).any(axis=1)
    name, sign, text = match.groups()
    if name not in rows:
        raise ValueError(f"there is no column {name!r}; there are: {', '.join(map(str, rows.columns))}")
    compare: Callable = OPERATORS[sign]
    if not pd.api.types.is_numeric_dtype(rows[name]):
        return compare(rows[name].astype(str), text)
    try:
        return compare(rows[name], float(text))
    except ValueError:
        raise ValueError(f"column {name} holds numbers, got {text!r}; write {name} {sign} 0.1") from None
