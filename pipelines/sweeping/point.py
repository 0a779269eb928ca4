"""One point of a sweep, as a worker runs it: a notebook executed in a kernel of its own, and a row of what came out."""

import json
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from pipelines.runner.stage_environment import compute_alone, set_environment

set_environment()  # before anything imports numpy or nbformat


from lib.workbook import runs  # noqa: E402
from pipelines.runner import outcome  # noqa: E402
from pipelines.runner.kernel import execute  # noqa: E402
from pipelines.runner.notebook_file import clean, read_notebook, write  # noqa: E402

FAILED = Path("reports/failed")


class Task(NamedTuple):
    """What a worker needs to know; paths are relative to the repository, which all machines must share."""

    state: str  # the sweep's folder
    notebook: str  # file of the clean notebook
    key: str
    values: dict
    result: str


def run_point(task: Task) -> dict:
    """Run one point, store its row, and return it; whoever dies earlier leaves no row.

    An attempt writes to a folder of its own, so that a kernel that outlives its worker for a moment disturbs nobody.
    """
    compute_alone()
    row = stored(task)
    if row is None:
        started, attempt = time.time(), Path(task.state) / "partial" / f"{task.key}-{uuid.uuid4().hex[:8]}"
        attempt.mkdir(parents=True)
        row = {"key": task.key, "started": started} | attempted(task, attempt)
        row["seconds"] = time.time() - started
        keep(Path(task.state) / "rows" / f"{task.key}.json", row)
        shutil.rmtree(attempt, ignore_errors=True)  # the sweep takes away what is left
    return row


def stored(task: Task) -> dict | None:
    """Return the row of a point that has finished: after a worker is lost, what it had finished may be asked for again."""
    path = Path(task.state) / "rows" / f"{task.key}.json"
    return runs.read_json(path) if path.exists() else None


def attempted(task: Task, attempt: Path, *, again: bool = True) -> dict:
    """Return status, error and result of one attempt; the notebook of one that failed is kept with its traceback.

    A kernel that died is tried once more: it may have been killed together with this worker, whose end is then near, and the
    point is not to blame.
    """
    book = read_notebook(Path(task.notebook))
    executed, result, trouble = attempt.with_suffix(".ipynb"), {}, []

    def work() -> None:
        try:
            execute(book, task.values | {"out": str(attempt)}, executed)
        except OSError as error:
            trouble.append(error)
            raise
        result.update(numbers(attempt / task.result))

    found = outcome.observe(work)
    if trouble:  # a full disk, a folder that is gone: nothing of the point, which is left to be run
        raise trouble[0]
    if found.word == "died" and again:
        shutil.rmtree(attempt)
        attempt.mkdir()
        return attempted(task, attempt, again=False)
    if executed.exists() and found.word == "failed":
        write(clean(read_notebook(executed)), executed)
    kept = outcome.put_away(executed, FAILED / f"sweep-{Path(task.state).name}-{task.key}.ipynb", found)
    hint = "; ".join(filter(None, [found.hint, kept]))
    return {"status": "done" if found.word == "done" else "failed", "error": found.said, "hint": hint, "result": result}


def numbers(path: Path) -> dict[str, float]:
    """Return the numbers of a JSON file, nested names joined by dots, or the means of a Parquet table's numeric columns."""
    if not path.exists():
        raise ValueError(
            f"no {path.name} was written; name in `result` the JSON or Parquet file that the notebook leaves in `out`"
        )
    if path.suffix == ".parquet":
        import pandas as pd

        return {name: float(value) for name, value in pd.read_parquet(path).mean(numeric_only=True).items()}
    content = runs.read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} must hold names with numbers, got {content!r}")
    return flat(content)


def flat(content: dict, prefix: str = "") -> dict[str, float]:
    """Return a nested mapping's numbers under dotted names."""
    found = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
    return found


def keep(path: Path, content: dict) -> None:
    """Write JSON under a name of its own and put it in place in one step."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(json.dumps(content))
    os.replace(part, path)
