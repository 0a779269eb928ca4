"""Run a notebook at many points, spread over workers, and gather one table.

python -m pipelines.sweep pipelines/sweeps/NAME.yaml [--cluster local|ADDRESS|FILE.yaml] [--workers N] [--isolated]
                          [--no-resume] [--retry] [--point N] [--script]

A point that has finished, well or with an error, is never run again unless its parameters, notebook, lib or data change;
--retry runs those again that failed. build/sweeps/NAME holds the state, with table.parquet as rows come; when all points are
there, their table without times goes to runs/sweeps/NAME (a stage of dvc.yaml) or runs/other_sweeps/NAME, tracked by DVC.
"""

import argparse
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.core.processes import die_with_parent, worker_count
from pipelines.runner.stage_environment import inherit_only_listed, set_environment

set_environment()

from distributed import CancelledError, KilledWorker, as_completed  # noqa: E402
from distributed.comm import CommClosedError  # noqa: E402

from lib.core.progress import Report  # noqa: E402
from lib.workbook import runs  # noqa: E402
from pipelines.runner import outcome, terminal, tracked  # noqa: E402
from pipelines.runner.kernel import execute  # noqa: E402
from pipelines.runner.notebook_file import write  # noqa: E402
from pipelines.runner.working import alone  # noqa: E402
from pipelines.sweeping import cluster, points, table  # noqa: E402
from pipelines.sweeping.point import Task, keep, numbers, run_point, stored  # noqa: E402

FOLDER, STATE = Path("pipelines/sweeps"), Path("build/sweeps")
EVERY = 2.0  # seconds between two tables, as Parquet is written whole
GONE = "their scheduler is gone"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--cluster", default="local")
    parser.add_argument("--workers")
    parser.add_argument("--isolated", action="store_true", help="a kernel that imports everything itself for every point")
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True, help="keep finished points")
    parser.add_argument("--retry", action="store_true", help="run failed points again")
    parser.add_argument("--stage", action="store_true", help="as a stage of dvc.yaml, which tracks the table itself")
    parser.add_argument("--point", type=int, help="run only this one, counted from 0, in a fresh kernel, and print its numbers")
    parser.add_argument("--script", action="store_true", help="print the job script of the cluster and run nothing")
    return parser.parse_args(argv)


def fetch(sweep: points.Sweep) -> None:
    """Have DVC bring the embedded data if something that the sweep reads is not there.

    Errors: StageError if it cannot; ValueError if something is still not there.
    """
    if Path("data.dvc").exists() and not all(Path(name).exists() for name in sweep.reads):
        tracked.pull()
    if missing := [name for name in sweep.reads if not Path(name).exists()]:
        raise ValueError(f"it reads {missing[0]}, which does not exist; name files and folders of this repository in `reads`")


def come(client: cluster.Client, tasks: dict[str, Task]) -> Iterator[tuple[str, dict | str]]:
    """Yield each point's row as it comes, or why it has none."""
    futures = {client.submit(run_point, task, key=key, pure=False): key for key, task in tasks.items()}
    for future in as_completed(futures):
        try:
            yield futures[future], future.result()
        except KilledWorker as error:  # the point itself kills whoever runs it
            row = {"key": futures[future], "status": "failed", "error": f"KilledWorker: {error}", "result": {}}
            row |= {"started": time.time(), "seconds": 0.0}
            keep(Path(tasks[row["key"]].state) / "rows" / f"{row['key']}.json", row)
            yield row["key"], row
        except (CancelledError, CommClosedError):
            yield futures[future], GONE
        except Exception as error:  # of any kind, as it comes from the worker, which could not run the point or keep its row
            yield futures[future], f"{type(error).__name__}: {error}"


def run(args: argparse.Namespace, sweep: points.Sweep, state: Path) -> list[str]:
    """Run what has not finished, keeping the live table; return why points are left unfinished, a reason for each."""
    keys, count = points.keys(sweep), worker_count(args.workers) if args.workers else None
    clean = state / "notebook.ipynb"
    write(points.notebook(sweep.notebook), clean)
    keep(state / "points.json", dict(zip(keys, sweep.points, strict=True)))
    tasks = {
        key: Task(str(state), str(clean), key, values, sweep.result) for key, values in zip(keys, sweep.values, strict=True)
    }
    rows = {key: row for key, task in tasks.items() if (row := stored(task))}
    for key in [key for key, row in rows.items() if not args.resume or (args.retry and row["status"] == "failed")]:
        (state / "rows" / f"{key}.json").unlink()
        del rows[key]
    todo = {key: task for key, task in tasks.items() if key not in rows}
    told = Report(f"sweep {sweep.name}", len(keys))
    told.update(len(rows))
    lost: dict[str, str] = {}
    try:
        if todo:
            with cluster.opened(args.cluster, workers=count, isolated=args.isolated) as client:
                lost = gather(client, todo, rows, told, lambda: table.live(sweep, keys, rows, state))
    finally:
        told.close()
        shutil.rmtree(state / "partial", ignore_errors=True)  # a kernel may still be ending there
        rows |= {key: row for key, task in todo.items() if (row := stored(task))}  # finished while nobody listened
        table.live(sweep, keys, rows, state)
    if points.keys(points.read(args.sweep)) != keys:
        raise ValueError(
            f"{args.sweep}, its notebook, code or its data changed meanwhile; run it again, points that are the same are kept"
        )
    if len(rows) == len(keys):
        table.place(sweep, table.table(sweep, keys, rows, times=False), by_dvc=not args.stage)
        if args.stage:
            shutil.rmtree(state / "rows")  # asked for again, a stage computes again
    return [lost.get(key, GONE) for key in keys if key not in rows]


def gather(client: cluster.Client, todo: dict[str, Task], rows: dict, told: Report, save: Callable[[], None]) -> dict[str, str]:
    """Take rows as they come, show each, and save the live table now and then; return why the other points have none."""
    saved, lost = 0.0, {}
    for key, row in come(client, todo):
        if isinstance(row, str):
            lost[key] = row
            continue
        rows[key] = row
        said = "  ".join(f"{name}={value:.4g}" for name, value in row["result"].items())
        why = " ".join(filter(None, [row["error"], row.get("hint")]))
        print(f"{key[:8]}  {row['status']:<6}  {row['seconds']:6.1f} s  {said}{why}", flush=True)
        told.update()
        if time.monotonic() - saved > EVERY:
            save()
            saved = time.monotonic()
    return lost


def again(sweep: points.Sweep, number: int) -> int:
    """Run one point anew, apart from the sweep; print its numbers and where its notebook is."""
    if not 0 <= number < len(sweep.values):
        raise ValueError(f"there is no point {number}; the sweep has points 0 to {len(sweep.values) - 1}")
    state = Path(runs.numbered(f"build/scratch/{sweep.name}-{number}"))
    (state / "out").mkdir(parents=True)
    values = sweep.values[number] | {"out": str(state / "out")}
    executed = state / "notebook.ipynb"
    found = outcome.observe(lambda: execute(points.notebook(sweep.notebook), values, executed))
    if found.word == "stopped":
        runs.remove(state)
    if found.word != "done":
        where = f"its notebook: {executed}" if executed.exists() else ""
        outcome.say("; ".join(filter(None, [found.said, found.hint, where])))
        return found.status
    for name, value in (sweep.points[number] | numbers(state / "out" / sweep.result)).items():
        print(f"{name} = {value}")
    print(f"its notebook: {executed}")
    return 0


def asked(args: argparse.Namespace) -> int:
    """Do what the command line asks; return the exit status."""
    name = args.sweep.stem
    if args.script:
        print(cluster.script(Path(args.cluster)))
        return 0
    if args.sweep.resolve().parent != FOLDER.resolve():
        raise ValueError(f"{args.sweep} is not in {FOLDER}, whose files name the sweeps; move it there")
    fetch(sweep := points.read(args.sweep))
    if args.point is not None:
        return again(sweep, args.point)
    with alone(STATE / name / "lock", f"sweep {name}", wait=False):
        left = run(args, sweep, STATE / name)
    if left:
        reasons = "".join(f"\n  {count} of them: {why}" for why, count in Counter(left).items())
        outcome.say(f"sweep {name}: {len(left)} points are left; when the cause is mended the same command runs them{reasons}")
    return int(bool(left))


def main(argv: list[str] | None = None) -> int:
    """Run the sweep; say in one line what is left if it could not finish."""
    die_with_parent()
    outcome.stop_on_signals()
    args = arguments(argv)
    inherit_only_listed()
    with terminal.drawn():
        return outcome.main_of(lambda: asked(args), f"sweep {args.sweep.stem} failed")


if __name__ == "__main__":
    sys.exit(main())
