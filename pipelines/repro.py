"""make repro: check what is there, pull the data, run every stage that is out of date, print the claims.

python -m pipelines.repro [--scale smoke|embedded|paper] [--only STAGE] [--force] [--no-run-cache] [--quiet]
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lib.core.processes import die_with_parent
from lib.workbook import runs, status
from pipelines import ledger
from pipelines.reporting import provenance
from pipelines.runner import outcome, stage_times, terminal, tracked, upkeep, warm
from pipelines.runner.stage_environment import inherit_only_listed, set_environment
from pipelines.runner.working import alone

if TYPE_CHECKING:
    from dvc.stage import Stage

LOCK = Path("build/repro.lock")


def set_scale(scale: str) -> None:
    """Write the scale into params.yaml, where DVC and the notebooks read it."""
    path = Path("params.yaml")
    text = path.read_text()
    changed = runs.with_scale(text, scale)
    if changed != text:
        part = path.with_suffix(".part")
        part.write_text(changed)
        os.replace(part, path)


def run_stages(only: str | None, *, force: bool, run_cache: bool) -> None:
    """Run what is out of date, in this process, so that killing it ends the run; count the stages on a bar.

    Errors: StageError with what DVC says; Stopped.
    """
    from dvc.repo.reproduce import _reproduce_stage

    def reproduce(stage: "Stage", **options: object) -> "Stage | None":
        with progress.stage(stage.addressing):
            return _reproduce_stage(stage, **options)

    with tracked.opened() as repo, stage_times.Progress(Path.cwd(), status.listed(repo.index.stages)) as progress:
        repo.reproduce(only, force=force, run_cache=run_cache, repro_fn=reproduce)


def reproduce(args: argparse.Namespace) -> int:
    """Reproduce, stamp who ran it when, and show where the report is and what the claims came to."""
    start = time.monotonic()
    with terminal.drawn(), alone(LOCK, "make repro"), warm.kernels():
        if args.scale:
            set_scale(args.scale)
        runs.parameters(Path.cwd())  # what is wrong there is said before anything is done
        if faults := upkeep.faults():
            raise outcome.StageError("\n".join(faults))
        upkeep.prune()
        if Path("data.dvc").exists():
            tracked.pull()
        run_stages(args.only, force=args.force, run_cache=args.run_cache)
        provenance.stamp(seconds=time.monotonic() - start)
    if args.only in (None, "report") and not args.quiet:
        ledger.main()
    return 0


def main() -> int:
    """Run; say in one message what stopped it."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=("smoke", "embedded", "paper"))
    parser.add_argument("--only", help="one stage with what it needs")
    parser.add_argument("--force", action="store_true", help="run every stage again")
    parser.add_argument("--no-run-cache", dest="run_cache", action="store_false", help="whatever a cache may hold")
    parser.add_argument("--quiet", action="store_true", help="print no claims at the end")
    args = parser.parse_args()
    set_environment()
    inherit_only_listed()
    outcome.pass_signals_on()
    return outcome.main_of(lambda: reproduce(args), "make repro")


if __name__ == "__main__":
    sys.exit(main())
