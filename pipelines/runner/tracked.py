"""DVC as runs use it: it brings the data, names and runs stages, tracks results, and says on failure what it knows.

python -m pipelines.runner.tracked   brings the data that ship with the repository
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.runner import outcome
from pipelines.setup import doctor

if TYPE_CHECKING:
    from dvc.repo import Repo

MEND = "stopped; nothing half-done counts as a result, run it again after mending the cause (make doctor helps to find it)"


@contextmanager
def opened() -> Iterator["Repo"]:
    """Yield what DVC knows of the working copy. Errors: StageError with what DVC says, cause by cause; Stopped."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise outcome.StageError(told(error)) from error


def told(error: BaseException | None) -> str:
    """Return what DVC says, cause by cause, in one line; a stage whose command was stopped, or said why it failed, ends all.

    Errors: Stopped if the stage was stopped.
    """
    said = []
    while error is not None:
        if found := re.search(r"exited with (-?\d+)$", str(error)):
            status = int(found[1])
            if outcome.was_stopped(status):
                raise outcome.Stopped(abs(status) % 128, said=True)
            killed = f"its process was killed by signal {-status}, as a machine does whose memory is full"
            return ": ".join([*said, killed if status < 0 else MEND])
        said.append(str(error))
        error = error.__cause__
    return ": ".join(said)


def pull() -> None:
    """Have DVC bring the data that ship with the repository.

    Errors: StageError if it cannot, with what the doctor finds in their place, or what DVC says if that is nothing.
    """
    try:
        with opened() as repo:
            repo.pull("data.dvc")
    except outcome.StageError as error:
        found = [f"{what}; {cure}" for grade, what, cure in doctor.store() if grade == "wrong"]
        why = "\n  ".join(found) or str(error)
        raise outcome.StageError(f"the data that ship with the repository could not be brought: {why}") from error


def dvc(*arguments: str) -> None:
    """Run one DVC command without its own messages. Errors: StageError with them if it fails."""
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise outcome.StageError(f"dvc {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def main() -> int:
    """Bring the data."""
    pull()
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make data"))
