"""Who ran what, where and when: facts that differ between equal runs and therefore stay out of tracked outputs."""

import hashlib
import platform
import subprocess
import time
from datetime import datetime
from pathlib import Path

from lib.workbook import runs, status
from pipelines.runner.outcome import StageError
from pipelines.setup.doctor import asked

LOG = Path("build/logs/stages.csv")  # executed notebook of a stage, when, seconds, scale
FACTS = Path("reports/provenance.json")  # of the last run that came to its end
RECORDED = Path("reports/recorded")


def log_stage(name: str, seconds: float) -> None:
    """Note how long the stage of an executed notebook took."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    scale = runs.parameters(Path.cwd())["scale"]
    with LOG.open("a") as log:
        log.write(f"{name},{time.strftime('%Y-%m-%dT%H:%M:%S')},{seconds:.1f},{scale}\n")


def logged(path: Path = LOG, scale: str | None = None) -> dict[str, tuple[str, float]]:
    """Return when each stage last ran and for how many seconds, by its executed notebook; scale=None: at any scale.

    A line of an older log, without its scale, belongs to none.
    """
    rows = status.logged(path)
    return {row["name"]: (row["when"], row["seconds"]) for row in rows if scale in (None, row["scale"])}


def git(*arguments: str) -> str:
    """Return git's answer. Errors: StageError with what git says where it has none."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    except OSError as error:
        raise StageError(f"git cannot be started: {error}; install it (make doctor)") from error
    if done.returncode:
        raise StageError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def commit(folder: Path = Path()) -> str:
    """Return the commit of a working copy and whether it has been changed since, or why that is not known."""
    try:
        name = git("-C", str(folder), "rev-parse", "HEAD")
        changed = git("-C", str(folder), "status", "--porcelain", "--untracked-files=no")
    except StageError as error:
        return f"unknown: {error}"
    return f"{name} with uncommitted changes" if changed else name


def processor() -> str:
    """Return the processor's name as Linux or macOS gives it, its family where neither does."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    told = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return told or asked(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.processor()


def machine() -> str:
    """Return processor and system in one line."""
    return f"{processor()}, {platform.system()} {platform.machine()}"


def age(path: Path) -> str:
    """Return how many commits have passed since a record was made."""
    made = runs.read_json(path)["commit"]
    try:
        return f"{git('rev-list', '--count', f'{made}..HEAD')} commits old"
    except StageError as error:  # a shallow clone, or no clone
        return f"of unknown age ({error})"


def facts(seconds: float) -> dict[str, str]:
    """Return commit, machine, Python, times."""
    return {
        "commit": commit(),
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
        "last make repro": f"{seconds:.0f} s",
        "machine": machine(),
        "Python": platform.python_version(),
        "dvc.lock": f"sha256 {hashlib.sha256(Path('dvc.lock').read_bytes()).hexdigest()}",
        "recorded evidence": ", ".join(f"{path.stem}: {age(path)}" for path in sorted(RECORDED.glob("*.json"))) or "none",
        "seconds a stage, when last run": ", ".join(f"{name} {value[1]:.1f}" for name, value in logged().items()),
    }


def stamp(seconds: float) -> None:
    """Write the facts, and reports/provenance.html, which the report shows in a frame of its own."""
    from pipelines.report import write_provenance

    found = facts(seconds)
    runs.write_json(FACTS, found)
    write_provenance(Path.cwd(), found)
