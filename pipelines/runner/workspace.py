"""A second working copy at smoke scale, in which tests and `make notebooks` run without touching this one's results."""

import atexit
import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from lib.workbook import runs
from pipelines.runner import outcome, private
from pipelines.runner.stage_environment import set_environment
from pipelines.runner.working import alone

SMOKE, HELD = Path("build/smoke"), "HOURGLASS_SMOKE_HELD"


def tracked() -> list[Path]:
    """Return every file of the working copy that git tracks or would track."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True, text=True)
    return [Path(name) for name in listed.stdout.split("\0") if name and Path(name).is_file()]


def refresh(target: Path = SMOKE) -> Path:
    """Bring the copy up to date, keeping its results and its lock, and set it to smoke scale."""
    files = [path for path in tracked() if path != Path("dvc.lock")]
    for path in files:
        copy = target / path
        if path != Path("params.yaml") and not (copy.exists() and filecmp.cmp(path, copy, shallow=False)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
    (target / "params.yaml").write_text(runs.with_scale(Path("params.yaml").read_text(), "smoke"))
    remove_others(target, set(files))
    if not (target / ".git").exists():
        subprocess.run(["git", "init", "--quiet", str(target)], check=True)
    return target


@contextmanager
def smoke() -> Iterator[Path]:
    """Yield the copy at smoke scale, brought up to date; meanwhile only what this process starts works in it too."""
    with ExitStack() as stack:
        if HELD not in os.environ:
            stack.enter_context(alone(SMOKE.with_suffix(".lock"), "process"))
            os.environ[HELD] = "1"
            stack.callback(os.environ.pop, HELD)
        yield refresh()


def remove_others(target: Path, files: set[Path]) -> None:
    """Delete source files of the copy that the working copy no longer has."""
    for top in ("lib", "pipelines", "notebooks", "tests"):
        for copy in [p for p in (target / top).rglob("*") if p.is_file() and "__pycache__" not in p.parts]:
            if copy.relative_to(target) not in files:
                copy.unlink()


def environment() -> dict[str, str]:
    """Return the variables with which processes work in the copy."""
    set_environment()
    kept = {k: v for k, v in os.environ.items() if k not in ("MATPLOTLIBRC", "MPLCONFIGDIR")}
    return kept | {"PATH": f"{python().parent}:{kept['PATH']}"}


@cache
def python() -> Path:
    """Return this Python by a path that PATH can hold the folder of: one without a colon, gone with this process if need be."""
    own = Path(sys.executable)
    if ":" not in str(own):
        return own
    held = ExitStack()
    atexit.register(held.close)
    link = Path(held.enter_context(private.folder("/tmp"))) / "environment"
    link.symlink_to(own.parents[1])
    return link / "bin" / own.name


def run(target: Path, *command: str, **options: object) -> subprocess.CompletedProcess:
    """Run `python -m ...` in the copy, which then imports the copy's own code. Errors: Stopped if it was stopped."""
    return outcome.follow([python(), "-m", *command], cwd=target, env=environment(), **options)
