"""Who ran what, where and when: facts that differ between equal runs and therefore stay out of tracked outputs."""

import hashlib
import platform
import subprocess
from datetime import datetime
from pathlib import Path

from lib import runs

LOG = Path("build/logs/stages.csv")  # stage, when, seconds

RECORDED = Path("reports/recorded")


def git(*arguments: str) -> str:
    """Return git's answer, or "unknown" outside a repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def processor() -> str:
    """Return the processor's name as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def machine() -> str:
    """Return processor and system in one line."""
    return f"{processor()}, {platform.system()} {platform.machine()}"


def age(path: Path) -> str:
    """Return how many commits have passed since a record was made."""
    count = git("rev-list", "--count", f"{runs.read_json(path)['commit']}..HEAD")
    return f"{count} commits old" if count.isdigit() else "of unknown age"


def facts(seconds: float) -> dict[str, str]:
    """Return commit, machine, Python, times."""
    commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    stages = LOG.read_text().splitlines() if LOG.exists() else []
    last = {line.split(",")[0]: line.split(",")[2] for line in stages}
    return {
        "commit": commit + (" with uncommitted changes" if changed else ""),
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
        "last make repro": f"{seconds:.0f} s",
        "machine": machine(),
        "Python": platform.python_version(),
        "dvc.lock": f"sha256 {hashlib.sha256(Path('dvc.lock').read_bytes()).hexdigest()}",
        "recorded evidence": ", ".join(f"{path.stem}: {age(path)}" for path in sorted(RECORDED.glob("*.json"))) or "none",
        "seconds a stage, when last run": ", ".join(f"{name} {value}" for name, value in last.items()),
    }


def stamp(seconds: float) -> None:
    """Write reports/provenance.html, which the report shows in a frame of its own."""
    from pipelines.report import write_provenance

    write_provenance(Path.cwd(), facts(seconds))
