"""make doctor: what is missing, wrong or odd on this machine and in this folder, and what to do about each.

Needs no package, as it must speak where there are none. Exits 1 if something is wrong; what is only odd does not count.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

GB = 1 << 30
PATIENCE = 60  # seconds for a command to answer
ENVIRONMENT_GB, RUN_GB = 8, 2  # free disk that setting up and that a run want
LEAST_MEMORY_GB = 6
STORE = Path(".dvc/store/files/md5")
# Asked of the environment's own Python: which packages are not those of the lock, and whether the parameters can be read.
PACKAGES = """
import json, re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from packaging.requirements import Requirement
odd = []
for line in re.findall(r"^([A-Za-z0-9][^\\\\\\n]*?)\\s*\\\\?$", Path("requirements.lock").read_text(), re.M):
    asked = Requirement(line)
    if asked.marker and not asked.marker.evaluate():
        continue
    try:
        found = version(asked.name)
    except PackageNotFoundError:
        found = "missing"
    if found.partition("+")[0] not in asked.specifier:
        odd.append(f"{asked} (here: {found})")
print(json.dumps(odd))
"""
PARAMETERS = """
import sys
from lib.workbook import runs
try:
    runs.parameters()
except (OSError, ValueError) as error:
    sys.exit(" ".join(str(error).split()))
"""
GPU = "import torch; print(torch.cuda.is_available())"


class Finding(NamedTuple):
    """One thing that was looked at."""

    grade: str  # good, odd or wrong
    what: str
    cure: str = ""


def machine() -> Iterator[Finding]:
    """Look at cores, memory and disk."""
    # As lib.core.processes has it, which may not be imported here.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    whole = memory()
    yield Finding("good", f"{cores} cores, {instructions()}")
    enough = whole >= LEAST_MEMORY_GB * GB
    cure = f"a run takes up to {LEAST_MEMORY_GB} GB; where a stage's kernel dies, HOURGLASS_WORKERS=1 make repro takes less"
    yield Finding("good" if enough else "odd", f"{whole / GB:.1f} GB of memory", "" if enough else cure)
    free, wanted = shutil.disk_usage(".").free, RUN_GB if environment() else ENVIRONMENT_GB
    short = f"{wanted} GB are wanted: make room, or clone the workbook onto another disk"
    yield Finding(
        "good" if free > wanted * GB else "wrong", f"{free / GB:.0f} GB of disk are free", short if free <= wanted * GB else ""
    )


def memory() -> int:
    """Return the bytes of memory that this machine or container has."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(whole, int(text)) if text.isdigit() else whole


def instructions() -> str:
    """Return the processor's name and the widest vectors that it adds."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"^model name\s*: (.*)$", text, re.M)
    widest = next((f"{kind.upper()}" for kind in ("avx512f", "avx2", "avx", "sse2") if f" {kind}" in text), "no vectors known")
    told = name[1] if name else asked(["sysctl", "-n", "machdep.cpu.brand_string"])  # so on macOS
    return f"{told or 'a processor without a name'}, {widest}"


def environment() -> str:
    """Return the Python of the environment that make uses, nothing if it does not start."""
    place = os.environ.get("HOURGLASS_ENV") or ".venv"
    python = str(Path(place) / "bin/python")
    return python if asked([python, "-I", "-S", "-c", ""]) is not None else ""


def told(command: list[str]) -> tuple[bool, str]:
    """Return whether a command went well, and what it printed, or the last line of why it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    if done.returncode == 0:
        return True, done.stdout.strip()
    return False, (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]


def asked(command: list[str]) -> str | None:
    """Return what a command prints, none if it fails or is not there, which its caller takes for an answer."""
    good, text = told(command)
    return text if good else None


def packages() -> Iterator[Finding]:
    """Look at the environment and what is installed in it."""
    if not (python := environment()):
        yield Finding("wrong", "no environment is set up here", "`make setup`")
        return
    good, text = told([python, "-c", PACKAGES])
    if not good:
        yield Finding("wrong", f"the packages of {python} cannot be listed: {text}", "`make setup`")
        return
    if odd := json.loads(text):
        what = f"{len(odd)} packages are not those of requirements.lock: {', '.join(odd[:3])}"
        yield Finding("wrong", what, "`make setup` installs them; what you installed yourself it sets back")
    else:
        yield Finding("good", f"the packages of {python} are those of requirements.lock")
    good, text = told([python, "-c", PARAMETERS])
    if not good:
        yield Finding("wrong", text, "mend the file that it names; `git diff` shows what was changed there")
    there = shutil.which("nvidia-smi")
    good, driver = told(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]) if there else (True, "")
    if not good:
        yield Finding("odd", f"the driver of a GPU is there and does not answer: {driver}", "mend it, or run on cores alone")
    elif driver and asked([python, "-c", GPU]) != "True":
        yield Finding(
            "odd",
            f"PyTorch does not see the GPU ({driver.splitlines()[0]})",
            "a newer driver, or `make setup` without TORCH=cpu",
        )


def git() -> Iterator[Finding]:
    """Look at the working copy."""
    if not shutil.which("git"):
        yield Finding("wrong", "git is not installed", "install it (on Debian and Ubuntu: apt install git)")
        return
    english = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(["git", "rev-parse", "--show-toplevel"], env=english, capture_output=True, text=True)
    if "dubious ownership" in done.stderr:
        cure = f"git config --global --add safe.directory '{Path.cwd()}', or clone it as yourself"
        yield Finding("wrong", "this folder belongs to somebody else, so git does not read it", cure)
        return
    if done.returncode and "not a git repository" not in done.stderr:
        yield Finding("wrong", f"git does not read this folder: {done.stderr.strip()}", "do what git says")
        return
    if done.returncode or Path(done.stdout.strip()).resolve() != Path.cwd().resolve():
        yield Finding(
            "wrong", "this folder is no git repository of its own", "clone the workbook instead of unpacking it, or `git init`"
        )
        return
    commit = asked(["git", "rev-parse", "--short", "HEAD"])
    yield Finding("good", f"git is at commit {commit}" if commit else "git has no commit yet")
    if asked(["git", "rev-parse", "--is-shallow-repository"]) == "true":
        yield Finding("odd", "the clone is shallow: ages of recorded evidence are not known", "`git fetch --unshallow`")


def store() -> Iterator[Finding]:
    """Look at the data that ship with the repository."""
    if rotten := [
        path
        for path in STORE.glob("??/*")
        if path.is_file() and hashed(path) != path.parent.name + path.name.removesuffix(".dir")
    ]:
        what = f"{len(rotten)} stored files are not what their names say, first {rotten[0]}"
        yield Finding(
            "wrong", what, "`git checkout -- .dvc/store`; with core.autocrlf=true clone again, as .gitattributes now forbids it"
        )
        return
    yield Finding("good", "the stored data are whole")
    pinned = re.search(r"md5: (\w+\.dir)", Path("data.dvc").read_text()) if Path("data.dvc").exists() else None
    listing = STORE / pinned[1][:2] / pinned[1][2:] if pinned else None
    if listing is None or not listing.exists():
        return
    raw, wanted = Path("data/raw"), {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_text())}
    there = {str(path.relative_to(raw)): path for path in raw.rglob("*") if path.is_file()}
    places = [STORE / name[:2] / name[2:] for name in wanted.values()]
    if lost := [path for path in places if not path.is_file()]:
        what = f"{len(lost)} stored files are missing, first {lost[0]}"
        yield Finding("wrong", what, "`git checkout -- .dvc/store`, or clone again")
    elif raw.exists() and not raw.is_dir():
        yield Finding("wrong", f"{raw} is no folder", "move it elsewhere: `make repro` brings the folder")
    elif not there:
        yield Finding("good", "data/raw is not there yet; `make repro` brings it")
    elif foreign := sorted(there.keys() - wanted.keys()):
        cure = "move it elsewhere: data/raw holds exactly what data.dvc pins"
        yield Finding("wrong", f"data/raw/{foreign[0]} is not of this repository ({len(foreign)} such files)", cure)
    elif changed := sorted(name for name, path in there.items() if hashed(path) != wanted[name]):
        yield Finding(
            "wrong",
            f"data/raw/{changed[0]} was changed ({len(changed)} such files)",
            "move it elsewhere if you need it: `dvc checkout --force data.dvc` brings back what belongs there",
        )


def hashed(path: Path) -> str:
    """Return the md5 of a file."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def runs_here() -> Iterator[Finding]:
    """Look at runs that are under way, and at what earlier ones left."""
    if pid := holder(Path("build/repro.lock")):
        yield Finding("odd", f"a make repro (process {pid}) works here", "wait for it; another one would wait too")
    elif left := sorted(path.name for path in Path("build/partial").glob("*") if path.name != "notebooks"):
        yield Finding("odd", f"a run was killed while it made {left[0]}", "nothing: `make repro` goes on, and takes it away")
    if failed := sorted(Path("reports/failed").glob("*.ipynb")):
        yield Finding(
            "odd",
            f"{len(failed)} notebooks failed when they last ran, such as {failed[0]}",
            "its traceback says why: `make lab` opens it",
        )
    if (size := sum(path.stat().st_size for path in Path("build/scratch").rglob("*") if path.is_file())) > GB:
        yield Finding("odd", f"tries take {size / GB:.1f} GB in build/scratch", "`make clean` takes them away")
    before = Path.cwd() / "build/write_test"
    try:
        before.parent.mkdir(exist_ok=True)
        with before.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before.unlink()
    except OSError as error:
        yield Finding(
            "wrong", f"this folder cannot be written to or locked: {error}", "clone the workbook onto a disk that can"
        )
    try:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "x").write_text("x")
    except OSError as error:
        yield Finding(
            "wrong", f"no temporary file can be written: {error}", "make room there, or name another folder in TMPDIR"
        )


def holder(path: Path) -> str:
    """Return which process holds a lock file, nothing if none does."""
    if not path.exists():
        return ""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            return file.read().strip() or "of unknown number"
    return ""


def habits() -> Iterator[Finding]:
    """Look at what this person's own settings do."""
    place = Path(os.environ.get("IPYTHONDIR", Path.home() / ".ipython")) / "profile_default"
    own = [*place.glob("startup/*.*py"), *place.glob("ipython*_config.py")]
    own += [Path(value) for name in ("PYTHONSTARTUP",) if (value := os.environ.get(name))]
    if own:
        what = f"{own[0]} runs in notebooks that you open by hand, and in no stage"
        yield Finding("odd", what, "where a notebook by hand gives other values than its stage, move it away")
    shell = os.environ.get("SHELL", "/bin/sh")
    if not shutil.which(shell):
        yield Finding(
            "odd", f"SHELL names {shell}, which is not there", "`dvc repro` by hand wants SHELL=/bin/sh; make repro sets it"
        )
    if not shutil.which("chromium"):
        yield Finding("odd", "no chromium is there", "only tests want it, which skip without (on Debian: apt install chromium)")


CHECKS = (machine, packages, git, store, runs_here, habits)


def looked_at(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return what a check finds, with one more where it cannot go on: nothing may hide the other checks."""
    found = []
    try:
        found.extend(check())
    except Exception as error:  # whatever it is
        why = f"{type(error).__name__}: {error}"
        found.append(Finding("wrong", f"looking at {check.__name__.replace('_', ' ')} failed: {why}", "see to what it names"))
    return found


def main() -> int:
    """Look at everything; print a line for each finding, with its cure below."""
    found = [finding for check in CHECKS for finding in looked_at(check)]
    for grade, what, cure in found:
        print(f"{grade:<6} {what}")
        if cure:
            print(f"       -> {cure}")
    wrong = sum(finding.grade == "wrong" for finding in found)
    print(f"wrong: {wrong} of {len(found)}" if wrong else "nothing is wrong here")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
