"""Run a notebook once with parameters of one's own, as a try: it writes to build/scratch and is never a result.

python -m pipelines.attempt NOTEBOOK '{"name": value, ...}'   prints the numbers of the metrics.json that it leaves, if any

Meanwhile its executed copy grows at build/scratch/NAME.ipynb; a try that fails leaves it there with its traceback.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from lib.processes import die_with_parent
from pipelines.stage_environment import compute_alone, inherit_only_listed, set_environment

set_environment()

from pipelines import outcome, terminal  # noqa: E402
from pipelines.kernel import execute  # noqa: E402
from pipelines.notebook_file import declared, typed  # noqa: E402
from pipelines.sweep_point import numbers  # noqa: E402
from pipelines.sweep_points import notebook  # noqa: E402

SCRATCH = Path("build/scratch")


def attempt(name: str, values: dict, place: Path) -> None:
    """Run the notebook with its outputs in the folder, its executed copy beside it."""
    source = notebook(name)
    chosen = typed(declared(source, name), values, name)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    execute(source, chosen | {"out": str(place)}, place.with_suffix(".ipynb"))


def main(argv: list[str] | None = None) -> int:
    """Run it; where it does not end well say one thing."""
    die_with_parent()
    outcome.stop_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook")
    parser.add_argument("values", type=json.loads, nargs="?", default={})
    args = parser.parse_args(argv)
    inherit_only_listed(), compute_alone()
    place = SCRATCH / args.notebook
    with terminal.drawn():
        found = outcome.observe(lambda: attempt(args.notebook, args.values, place))
    if found.word != "done":
        executed = place.with_suffix(".ipynb")
        where = f"its notebook: {executed}" if executed.exists() else ""
        outcome.say("; ".join(filter(None, [found.said, found.hint, where])))
    elif (place / "metrics.json").exists():
        print(json.dumps(numbers(place / "metrics.json")))
    return found.status


if __name__ == "__main__":
    sys.exit(main())
