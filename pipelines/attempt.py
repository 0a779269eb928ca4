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
from pipelines.stage_environment import compute_alone, set_environment

set_environment()

from papermill.exceptions import PapermillExecutionError  # noqa: E402

from pipelines.kernel import execute  # noqa: E402
from pipelines.notebook_file import declared, typed  # noqa: E402
from pipelines.sweep_point import numbers  # noqa: E402
from pipelines.sweep_points import notebook  # noqa: E402

SCRATCH = Path("build/scratch")


def main(argv: list[str] | None = None) -> int:
    """Run it; on failure say one thing and return 1."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook")
    parser.add_argument("values", type=json.loads, nargs="?", default={})
    args = parser.parse_args(argv)
    compute_alone()
    place = SCRATCH / args.notebook
    try:
        source = notebook(args.notebook)
        values = typed(declared(source, args.notebook), args.values, args.notebook)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        execute(source, values | {"out": str(place)}, place.with_suffix(".ipynb"))
    except PapermillExecutionError as error:
        print(f"{error.ename}: {error.evalue}; its notebook: {place.with_suffix('.ipynb')}", file=sys.stderr)
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    if (place / "metrics.json").exists():
        print(json.dumps(numbers(place / "metrics.json")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
