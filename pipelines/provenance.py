"""Who ran what, where and when: facts that differ between equal runs and therefore stay out of tracked outputs."""

import platform
import subprocess
from datetime import datetime
from pathlib import Path

from pipelines.run_notebook import LOG


def git(*arguments: str) -> str:
    """Return git's answer, or "unknown" outside a repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def processor() -> str:
    """Return the processor's name as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def facts(seconds: float) -> dict[str, str]:
    """Return commit, machine, times."""
    commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    stages = LOG.read_text().splitlines() if LOG.exists() else []
    last = {line.split(",")[0]: line.split(",")[2] for line in stages}
    return {
        "commit": commit + (" with uncommitted changes" if changed else ""),
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
        "last make repro": f"{seconds:.0f} s",
        "machine": f"{processor()}, {platform.system()} {platform.machine()}",
        "seconds a stage, when last run": ", ".join(f"{name} {value}" for name, value in last.items()),
    }


def stamp(seconds: float) -> None:
    """Write reports/provenance.html, which the report shows in a frame of its own."""
    from pipelines.report import write_provenance

    write_provenance(Path.cwd(), facts(seconds))
