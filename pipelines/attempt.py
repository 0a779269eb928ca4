"""Run a notebook once with parameters of one's own, as a try: it writes to build/scratch and is never a result.

python -m pipelines.attempt NOTEBOOK '{"name": value, ...}'   prints the numbers of the metrics.json that it leaves, if any

Every try has a folder of its own, build/scratch/NOTEBOOK-1, -2, ...; meanwhile its executed copy grows beside it, and a try
that fails leaves that there with its traceback. `make clean` takes them all away.
"""

import argparse
import json
import sys
from pathlib import Path

from lib.core.processes import die_with_parent
from pipelines.runner.stage_environment import compute_alone, inherit_only_listed, set_environment

set_environment()

from lib.workbook import runs  # noqa: E402
from pipelines.runner import outcome, terminal  # noqa: E402
from pipelines.runner.kernel import execute  # noqa: E402
from pipelines.runner.notebook_file import declared, typed  # noqa: E402
from pipelines.sweeping.point import numbers  # noqa: E402
from pipelines.sweeping.points import notebook  # noqa: E402

SCRATCH = "build/scratch"


def read(text: str) -> dict:
    """Return the parameters that a JSON text gives. Errors: ValueError for what is no JSON, or no mapping."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no JSON: {error}; write parameters as '{{\"name\": value}}'") from error
    if not isinstance(values, dict):
        raise ValueError(f"parameters must be given as '{{\"name\": value}}', got {text!r}")
    return values


def taken(place: Path) -> Path:
    """Return a folder that was made for this try. Errors: ValueError if it lies elsewhere, or something in it or beside it."""
    own = Path(SCRATCH).resolve() in place.resolve().parents and place.is_dir()
    if not own or any(place.iterdir()) or place.with_name(f"{place.name}.ipynb").exists():
        raise ValueError(f"--place {place} must be an empty folder in {SCRATCH}; leave it out, and the try makes one")
    return place


def attempt(args: argparse.Namespace) -> int:
    """Run the notebook with its outputs in a folder, its executed copy beside it; return the exit status.

    Where it does not end well say one thing, and where it was stopped leave nothing.
    """
    source = notebook(args.notebook)
    values = typed(declared(source, args.notebook), read(args.values), args.notebook)
    place = taken(args.place) if args.place else Path(runs.numbered(f"{SCRATCH}/{args.notebook}"))
    executed = place.with_name(f"{place.name}.ipynb")
    with terminal.drawn():
        found = outcome.observe(lambda: execute(source, values | {"out": str(place)}, executed))
    if found.word == "stopped":
        runs.remove(place), runs.remove(executed)
    if found.word == "done" and (place / "metrics.json").exists():
        print(json.dumps(numbers(place / "metrics.json")))
    where = f"its notebook: {executed}" if executed.exists() else ""
    outcome.say("; ".join(filter(None, [found.said, found.hint, where])))
    return found.status


def main(argv: list[str] | None = None) -> int:
    """Read the command line and try."""
    die_with_parent()
    outcome.stop_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook")
    parser.add_argument("values", nargs="?", default="{}")
    parser.add_argument("--place", type=Path, help="an empty folder to write to; without it, one of its own in build/scratch")
    args = parser.parse_args(argv)
    inherit_only_listed(), compute_alone()
    return outcome.main_of(lambda: attempt(args), "the try failed")


if __name__ == "__main__":
    sys.exit(main())
