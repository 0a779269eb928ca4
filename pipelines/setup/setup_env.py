"""Make the environment, or complete what is not ready, and say why. Needs no package, so that any Python can run it.

python -I pipelines/setup/setup_env.py ENVIRONMENT GIVEN   GIVEN is what ENV said, empty where it said nothing

Only .venv of this folder is ever made, or made anew; an environment that ENV names is given the packages of requirements.lock,
no more. The stamp in the environment says what it was made of; pipelines/setup/check_env.sh compares it.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UV = "0.13.9"
INDEX = "https://download.pytorch.org/whl/cpu"
FOR_GPUS = r"triton|nvidia-[\w-]+|cuda-[\w-]+"  # what PyTorch's builds for CPUs do without
BEGUN = Path("build/environment_begun")  # lies here while .venv is being made, which then holds nothing of anybody's
OWN = ("requirements.lock", "lib/core/working_copy.py")
LOADED = (
    "numpy torch pandas scipy.stats scipy.signal sklearn.datasets numba torchvision matplotlib.pyplot seaborn lightning_fabric "
    "ipykernel.kernelapp ipykernel.debugger papermill dvc.repo dvc.cli distributed jupyterlab.labapp pytest"
)
UTF8 = {"encoding": "utf-8", "errors": "surrogateescape"}  # a path may hold any bytes


class SetupError(Exception):
    """One clear message for an environment that cannot be had."""


class Environment:
    """The environment in a folder: what its stamp says, what its Python is."""

    def __init__(self, place: Path) -> None:
        self.place, self.python, self.stamp = place, str(place / "bin/python"), place / "hourglass.stamp"

    def facts(self, torch: str) -> str:
        """Return the text of the stamp of an environment that is ready; pipelines/setup/check_env.sh builds the same."""
        hashes = "".join(f"{hashlib.sha256(Path(name).read_bytes()).hexdigest()}  {name}\n" for name in OWN)
        return f"ready\n{hashes}place {self.place}\npython {os.path.realpath(self.python)}\ntorch {torch}\n"

    def sign(self, torch: str, *, ready: bool) -> None:
        """Write the stamp in one step, so that it is whole or not there."""
        part = self.stamp.with_suffix(".part")
        part.write_text(self.facts(torch) if ready else self.facts(torch).replace("ready", "begun", 1), **UTF8)
        os.replace(part, self.stamp)

    def said(self) -> dict[str, str]:
        """Return what the stamp says: state, lock, place, python, torch; nothing where there is none."""
        lines = self.stamp.read_text(**UTF8).splitlines() if self.stamp.is_file() else []
        if len(lines) < 6:
            return {}
        return {"state": lines[0], "lock": lines[1]} | dict(line.partition(" ")[::2] for line in lines[3:])

    def version(self) -> tuple[int, ...]:
        """Return the version of its Python, () if that does not start."""
        try:
            done = subprocess.run([self.python, "-I", "-S", "--version"], capture_output=True, text=True)
        except OSError:
            return ()
        return tuple(map(int, re.findall(r"\d+", done.stdout)[:3])) if done.returncode == 0 else ()

    def run(self, *arguments: str, **options: object) -> bool:
        """Run its Python; return whether that went well."""
        return subprocess.run([self.python, *arguments], **options).returncode == 0

    def told(self, *arguments: str) -> str:
        """Return what its Python says when it fails, nothing if that went well."""
        done = subprocess.run([self.python, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **UTF8)
        return done.stdout.strip() or f"exit status {done.returncode}" if done.returncode else ""

    def uv(self, act: str, *arguments: str, **options: object) -> bool:
        """Run one act of `uv pip` on it; return whether that went well."""
        return self.run("-m", "uv", "pip", act, "--python", self.python, *arguments, **options)


def suits(version: tuple[int, ...]) -> bool:
    """Return whether the lock is for this version of Python."""
    return (3, 11) <= version[:2] <= (3, 13)


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))


def refuse(env: Environment, given: str) -> None:
    """Refuse an environment that ENV names if it cannot be used, without changing anything in it."""
    advice = "name another, or leave ENV out, and make uses .venv here"
    if ":" in str(env.place):
        raise SetupError(f"ENV={given} has a colon in its path, which no PATH can hold; {advice}")
    if not ((env.place / "pyvenv.cfg").is_file() or (env.place / "conda-meta").is_dir()):
        raise SetupError(f"ENV={given} is no environment (`python3 -m venv FOLDER` makes one); {advice}")
    if not env.version():
        raise SetupError(f"ENV={given} has no Python that starts; {advice}")
    if not suits(env.version()):
        raise SetupError(f"ENV={given} has Python {dotted(env.version())}, wanted is 3.11 to 3.13; {advice}")


def origin(env: Environment) -> str:
    """Return where an environment was made, as its stamp or venv says, or where it is if neither does."""
    config = env.place / "pyvenv.cfg"
    made = re.search(r"^command = .* -m venv .*?(/.*)$", config.read_text(**UTF8), re.M) if config.is_file() else None
    return env.said().get("place") or (made[1] if made else str(env.place))


def spoilt(env: Environment) -> str:
    """Return why .venv must be made anew, nothing if it need not."""
    if not os.path.lexists(env.place):
        return "there is none yet"
    if BEGUN.exists():
        return "making it was broken off"
    if not env.version():
        return "its Python is gone or does not start"
    if not suits(env.version()):
        return f"its Python is {dotted(env.version())}, wanted is 3.11 to 3.13"
    if os.path.realpath(origin(env)) != os.path.realpath(env.place):
        return f"it was made as {origin(env)}, and an environment cannot be moved"
    now = os.path.realpath(env.python)
    if (before := env.said().get("python", now)) != now:
        return f"it was made with {before}, its Python is now {now}"
    return ""


def lacking(env: Environment, torch: str) -> str:
    """Return why an environment that works must be completed, nothing if it is ready."""
    said = env.said()
    if not said:
        return "make has not set it up before"
    if said["state"] != "ready":
        return "setting it up was broken off"
    if said["torch"] != torch:
        return f"it has PyTorch's {said['torch']} build, {torch} is asked for"
    if said["lock"] not in env.facts(torch):
        return "requirements.lock is not what it was set up by"
    if said["place"] != str(env.place):
        return f"it was set up as {said['place']}"
    return "" if env.stamp.read_text(**UTF8) == env.facts(torch) else "the code that goes into it has changed"


def make(env: Environment, torch: str) -> None:
    """Make .venv, clearing nothing but an environment or what an attempt to make one has left."""
    if os.path.lexists(env.place) and not (env.place / "pyvenv.cfg").is_file() and not BEGUN.exists():
        raise SetupError(f"{env.place} is no environment, and is left as it is; move it away and run make again")
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            f"{sys.executable} has no ensurepip, which makes environments; install it (on Debian and Ubuntu: "
            "apt install python3-venv) or another Python from 3.11 to 3.13, and run make again"
        )
    BEGUN.write_text(torch)
    try:
        create(env.place, clear=True, with_pip=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise SetupError(f"{sys.executable} could not make {env.place}: {error}") from None
    BEGUN.unlink()


def create(place: Path, **options: bool) -> None:
    """Make an environment, also where venv refuses: a colon in a path is what only its activate scripts cannot do with."""
    os.pathsep = "\n"
    try:
        venv.create(place, symlinks=True, **options)
    finally:
        os.pathsep = ":"


def install(env: Environment, torch: str, *, moved: bool) -> None:
    """Install the packages of the lock, and what puts the working copy of a process first on its path."""
    install_uv(env)
    lock = Path("requirements.lock").read_text()
    if torch == "cpu":
        install_for_cpus(env, lock)
    env.sign(torch, ready=False)
    options = ["--require-hashes"] + ["--no-deps"] * (torch == "cpu") + ["--reinstall"] * moved
    source = without_torch(lock) if torch == "cpu" else "requirements.lock"
    if not env.uv("install", *options, "--requirement", str(source)):
        raise SetupError("the packages of requirements.lock could not be installed; the cause stands above")
    surplus = ["hourglass"]  # once installed as a link to one working copy
    if torch == "cpu":
        surplus += re.findall(rf"^({FOR_GPUS})(?===)", lock, re.M)
    if why := env.told("-m", "uv", "pip", "uninstall", "--python", env.python, *surplus):
        raise SetupError(f"what is too much in {env.place} could not be taken out: {why}")
    finish(env)
    env.sign(torch, ready=True)


def install_uv(env: Environment) -> None:
    """Install the installer, where the environment has not that version, by pip, which is put there too if it is missing."""
    if not env.told("-I", "-c", f"from importlib.metadata import version; assert version('uv') == {UV!r}"):
        return
    if (pip := env.told("-I", "-m", "pip", "--version")) and (why := env.told("-I", "-m", "ensurepip")):
        raise SetupError(f"{env.place} has no pip ({pip.splitlines()[-1]}), and none could be put there: {why}")
    if not env.run("-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"uv=={UV}"):
        raise SetupError(f"uv {UV} could not be installed into {env.place}; the cause stands above")


def finish(env: Environment) -> None:
    """Have its Python put the working copy of a process first, and compile what most processes load by loading it."""
    ask = "import os, sys, sysconfig; sys.stdout.buffer.write(os.fsencode(sysconfig.get_path('purelib')))"
    packages = Path(os.fsdecode(subprocess.run([env.python, "-I", "-c", ask], stdout=subprocess.PIPE, check=True).stdout))
    shutil.copyfile("lib/core/working_copy.py", packages / "hourglass_working_copy.py")
    (packages / "hourglass.pth").write_text("import hourglass_working_copy; hourglass_working_copy.put_first()\n")
    load = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    if why := env.told("-I", "-c", load, *LOADED.split()):
        print(f"  what was installed does not load, so runs will fail: {why.splitlines()[-1]}", file=sys.stderr)


def install_for_cpus(env: Environment, lock: str) -> None:
    """Install PyTorch's builds for CPUs, of which the lock has no hashes; if they cannot be had nothing has changed."""
    pins = [f"{re.search(rf'^{name}==[^ ;]+', lock, re.M)[0]}+cpu" for name in ("torch", "torchvision")]
    before = env.stamp.read_bytes() if env.stamp.exists() else b""
    env.sign(env.said().get("torch", "default"), ready=False)
    if not env.uv("install", "--no-deps", "--default-index", INDEX, *pins):
        env.stamp.write_bytes(before)
        raise SetupError(
            f"TORCH=cpu takes {' and '.join(pins)} from {INDEX}, which did not give them; plain `make setup` works without"
        )


def without_torch(lock: str) -> Path:
    """Write the lock without PyTorch and what only its builds for GPUs need; return where."""
    entries = re.split(r"^(?=\S)", lock, flags=re.M)
    path = Path("build/without_torch.lock")
    path.write_text("".join(entry for entry in entries if not re.match(rf"(torch|torchvision|{FOR_GPUS})==", entry)))
    return path


@contextmanager
def alone(own: bool, env: Environment) -> Iterator[None]:
    """Wait until no other make sets the same environment up."""
    with (Path("build/environment.lock") if own else env.stamp.with_suffix(".lock")).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(env: Environment, given: str, asked: str) -> None:
    """Make it, complete it or refuse it; asked is cpu, or empty for what it has."""
    if asked not in ("", "cpu"):
        raise SetupError(f"TORCH={asked} is not known; TORCH=cpu takes PyTorch's builds for CPUs, no TORCH those of PyPI")
    own = env.place == Path.cwd() / ".venv"
    if not own:
        refuse(env, given)
    BEGUN.parent.mkdir(exist_ok=True)
    with alone(own, env):
        begun = BEGUN.read_text() if BEGUN.exists() else ""
        torch = asked or env.said().get("torch") or begun or "default"
        if why := own and spoilt(env):
            print(f"  {why}; it is made now, with the packages of requirements.lock", file=sys.stderr)
            make(env, torch)
        elif why := lacking(env, torch):
            print(f"  {why}; the packages of requirements.lock are installed into it", file=sys.stderr)
        if why:
            moved = not own and os.path.realpath(origin(env)) != os.path.realpath(env.place)
            install(env, torch, moved=moved)


def main() -> int:
    """Set up; say one thing on failure."""
    try:
        set_up(Environment(Path(sys.argv[1])), sys.argv[2], os.environ.get("HOURGLASS_TORCH", ""))
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        print(f"environment: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
