"""make repro: check what is there, pull the data, run every stage that is out of date, print the claims.

python -m pipelines.repro [--scale smoke|embedded|paper] [--only STAGE] [--force]
"""

import argparse
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.processes import die_with_parent
from pipelines import doctor, ledger, provenance, warm
from pipelines.stage_environment import set_environment

LOCK = Path("build/repro.lock")


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run works in this folder, and say so."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            print(f"another make repro (process {lock.read().strip()}) works in this folder; waiting for it to end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def set_scale(scale: str) -> None:
    """Write the scale into params.yaml, where DVC and the notebooks read it."""
    path = Path("params.yaml")
    text = path.read_text()
    changed = re.sub(r"^scale: *\w+", f"scale: {scale}", text, count=1, flags=re.M)
    if changed != text:
        part = path.with_suffix(".part")
        part.write_text(changed)
        os.replace(part, path)


def dvc(*arguments: str) -> int:
    """Run one DVC command in this process, so that killing it ends the run."""
    from dvc.cli import main

    return main(list(arguments))


def reproduce(args: argparse.Namespace) -> int:
    """Run what is out of date; return DVC's exit status."""
    if args.scale:
        set_scale(args.scale)
    if faults := doctor.faults():
        print("\n".join(faults), file=sys.stderr)
        return 1
    doctor.prune()
    return dvc("pull", "--quiet", "data.dvc") or dvc("repro", *(["--force"] if args.force else []), *filter(None, [args.only]))


def main() -> int:
    """Reproduce, stamp who ran it when, and show where the report is and what the claims came to."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=("smoke", "embedded", "paper"))
    parser.add_argument("--only", help="one stage with what it needs")
    parser.add_argument("--force", action="store_true", help="run every stage again")
    args = parser.parse_args()
    set_environment()
    start = time.monotonic()
    with alone(), warm.kernels():
        if status := reproduce(args):
            print(
                "make repro stopped; nothing half-done counts as a result, run it again after mending the cause",
                file=sys.stderr,
            )
            return status
        provenance.stamp(seconds=time.monotonic() - start)
        if args.only in (None, "report"):
            ledger.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
