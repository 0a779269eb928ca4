"""How long a run will still take: by the seconds of its stages when they last ran here, or usually do elsewhere."""

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.core.progress import Report
from lib.workbook import runs, status
from pipelines.reporting import provenance

USUAL = Path(__file__).with_name("usual_seconds.csv")  # scale, stage, seconds, as measured on two cores
UNKNOWN = 2.0  # seconds of a stage that nobody has measured
AROUND = 3.5  # seconds that DVC and a new process take around each, which no log of a stage holds
ENOUGH = 5.0  # seconds of stages that have run from which on their pace says something about the rest


def usual(root: Path, commands: dict[str, str]) -> dict[str, float]:
    """Return the seconds of every stage at the scale of params.yaml, and around it: its last run here, or its usual time.

    commands: of every stage, as board.commands gives them.
    """
    scale = runs.parameters(root)["scale"]
    with USUAL.open() as file:
        known = {row["stage"]: float(row["seconds"]) for row in csv.DictReader(file) if row["scale"] == scale}
    here = provenance.logged(root / provenance.LOG, scale)
    known |= {stage: here[name][1] for stage, name in status.notebooks(commands).items() if name in here}
    return {stage: known.get(stage, UNKNOWN) + AROUND for stage in commands}


def to_go(expected: dict[str, float], taken: dict[str, float], seen: set[str]) -> float:
    """Return the seconds that the stages not yet seen will take, at the pace of those that ran.

    expected: of every stage; taken: of those that ran in this run; seen: those that ran, or had nothing to do.
    """
    left = sum(seconds for stage, seconds in expected.items() if stage not in seen)
    hoped = sum(expected.get(stage, UNKNOWN) for stage in taken)
    pace = sum(taken.values()) / hoped if hoped >= ENOUGH else 1.0
    return left * pace


class Progress:
    """The one bar of a run: stages done of all, time gone, time to go; a context."""

    def __init__(self, root: Path, commands: dict[str, str]) -> None:
        self.expected, self.taken, self.seen = usual(root, commands), {}, set()

    def __enter__(self) -> "Progress":
        self.report = Report("make repro", len(self.expected), left=to_go(self.expected, {}, set()), doing="")
        return self

    def __exit__(self, *_: object) -> None:
        self.report.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count one stage, which runs meanwhile or has nothing to do."""
        if name not in self.expected:  # data.dvc, which is no stage of dvc.yaml
            yield
            return
        self.report.update(0, doing=name, left=to_go(self.expected, self.taken, self.seen))
        start = time.monotonic()
        yield
        seconds = time.monotonic() - start
        self.seen.add(name)
        if seconds > 1:  # less is a look at hashes
            self.taken[name] = seconds
        self.report.update(1, doing="", left=to_go(self.expected, self.taken, self.seen))
