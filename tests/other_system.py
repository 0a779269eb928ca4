"""Run a command as if on another system than Linux, and with it every Python that it starts.

python -m tests.other_system COMMAND...

The command gets an environment of its own, build/other_system, with the packages of this one. Whatever starts its Python, with
whichever variables, goes without what only Linux has, and sees nothing in /proc and /sys. Installed packages still do: they
have other ways on other systems, which cannot be taken here.
"""

import ctypes
import errno
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

PLACE = Path("build/other_system")
MODULE = "hourglass_other_system"  # this file's copy there
ABSENT = {  # module -> what it has on Linux only
    "os": (
        *("sched_getaffinity", "sched_setaffinity", "pidfd_open", "waitid", "memfd_create", "eventfd", "splice", "pipe2"),
        *("posix_fadvise", "posix_fallocate", "getrandom", "setns", "unshare", "O_TMPFILE", "O_PATH", "O_DIRECT"),
    ),
    "socket": ("SOCK_SEQPACKET", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "MSG_NOSIGNAL", "AF_NETLINK"),
    "signal": ("sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGPWR"),
    "select": ("epoll",),
    "resource": ("prlimit",),
    "time": ("CLOCK_BOOTTIME",),
}
FOLDERS = ("/proc", "/sys")
STANDARD = os.path.dirname(os.__file__) + "/"


def take_away() -> None:
    """Leave this process nothing that only Linux has."""
    for module, names in ABSENT.items():
        for name in names:
            vars(importlib.import_module(module)).pop(name, None)
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on; it calls what is gone
        os.process_cpu_count = os.cpu_count
    symbol = ctypes.CDLL.__getitem__

    def symbol_elsewhere(library: ctypes.CDLL, name: str) -> object:
        if name == "prctl":
            raise AttributeError(f"{library}: undefined symbol: {name}")
        return symbol(library, name)

    ctypes.CDLL.__getitem__ = symbol_elsewhere
    sys.addaudithook(_hide)
    os.stat, os.lstat = _blind(os.stat), _blind(os.lstat)  # of which no hook hears


def _hide(event: str, arguments: tuple) -> None:
    if event in ("open", "os.listdir", "os.scandir"):
        _look(arguments[0])


def _blind(look: Callable) -> Callable:
    def looked(path: object, **options: object) -> os.stat_result:
        _look(path)
        return look(path, **options)

    for kept in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if look in kept:
            kept.add(looked)
    return looked


def _look(path: object) -> None:
    """Refuse a path that only Linux has, if it is not an installed package that asks for it."""
    name = path if isinstance(path, str) else os.fsdecode(path) if isinstance(path, bytes | os.PathLike) else ""
    if name.startswith(FOLDERS) and "/".join(name.split("/")[:2]) in FOLDERS and not _installed(sys._getframe(2)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def _installed(frame: FrameType | None) -> bool:
    """Return whether whose call this is, beside Python's own library, is an installed package; that library alone may."""
    while frame:
        file = frame.f_code.co_filename
        if file != __file__ and "/site-packages/" in file:
            return True
        if file != __file__ and not file.startswith((STANDARD, "<frozen ")):
            return False
        frame = frame.f_back
    return True


def made(place: Path) -> Path:
    """Make the environment in which Python starts without it all; return its folder of programs.

    What others may be using meanwhile is made anew only for another Python, and its files are replaced whole.
    """
    import fcntl
    import sysconfig

    from pipelines.setup import setup_env

    place.parent.mkdir(exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.realpath(place / "bin/python") != os.path.realpath(sys.executable):
            setup_env.create(place, clear=True)
        packages = next((place / "lib").glob("python3*/site-packages"))
        own = f"import {MODULE}; {MODULE}.take_away()\nimport site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        for name, text in ((f"{MODULE}.py", Path(__file__).read_text()), (f"{MODULE}.pth", own)):
            part = packages / f"{name}.part"
            part.write_text(text)
            os.replace(part, packages / name)
    return place / "bin"


def main() -> int:
    """Become the command in that environment."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    programs = made(PLACE.absolute())
    own = {"PATH": f"{programs}:{os.environ['PATH']}", "VIRTUAL_ENV": str(programs.parent)}
    print("as on another system than Linux: without prctl, pidfd, affinity, /proc and /sys", flush=True)
    os.execvpe(command[0], command, os.environ | own)


if __name__ == "__main__":
    sys.exit(main())
