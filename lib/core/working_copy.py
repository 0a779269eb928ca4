"""Which working copy a process works in: its packages are taken, whatever else is installed or on the path.

`make setup` copies this file into the environment, where every start of Python calls put_first. So an environment belongs
to no working copy, several may share one, notebooks find `lib` from any folder, and a path may hold a colon, which
PYTHONPATH may not.
"""

import os
import sys

MARKS = ("lib/core/working_copy.py", "pipelines/run_notebook.py")
PACKAGES = ("lib", "pipelines", "tests")
SITE = ".dvc/tmp/site"


def root() -> str | None:
    """Return the nearest folder at or above the current one that is a working copy, or None."""
    try:
        place = os.path.realpath(os.getcwd())
    except OSError:  # the folder is gone
        return None
    while not all(os.path.isfile(os.path.join(place, mark)) for mark in MARKS):
        place, below = os.path.dirname(place), place
        if place == below:
            return None
    return place


class Finder:
    """Finds the packages of the working copy that a process works in when it asks for them."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        """Return what Python's import asks of a finder, None for what is not the working copy's."""
        if name not in PACKAGES or not (place := root()):
            return None
        from importlib.machinery import PathFinder  # rarely needed, and not by every start of Python

        return PathFinder.find_spec(name, [place])


def put_first() -> None:
    """Have this process import the working copy's packages from there, unless it was started to take none from its folder.

    What DVC keeps for itself lies there too, and is nobody else's: it reads pickles from it, and would take them from
    /var/tmp/dvc, where anybody may write.
    """
    if not sys.flags.isolated and not sys.flags.safe_path:
        sys.meta_path.insert(0, Finder)
    given = os.environ.get("DVC_SITE_CACHE_DIR", SITE)  # a user's own, none, or that of the copy which started this process
    if given.endswith(SITE) and (place := root()) and os.path.isdir(os.path.join(place, ".dvc")):
        os.environ["DVC_SITE_CACHE_DIR"] = _own_folder(os.path.join(place, SITE))


def _own_folder(path: str) -> str:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o700)
    except OSError:
        return path  # where nothing can be written DVC says so when it wants to
    return path


def check(package: str) -> None:
    """Refuse a package of another working copy than the one that this process works in, by an ImportError that names both."""
    came = os.path.dirname(os.path.realpath(os.path.dirname(package)))
    wanted = root()
    if wanted and not os.path.samefile(os.path.dirname(package), os.path.join(wanted, "lib")):  # it may be a link
        raise ImportError(
            f"lib came from {came}, while this process works in {wanted}, a working copy of its own; start it by make in "
            f"{wanted}, or take {came} off the path (PYTHONPATH, or a package installed as a link to it)"
        )
