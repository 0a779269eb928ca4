"""What DVC does not notice by itself: rotten objects in its cache, and results of stages that are gone."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from lib.workbook import runs
from pipelines.runner import tracked
from pipelines.runner.outcome import StageError

if TYPE_CHECKING:
    from dvc.repo import Repo

STORE = Path(".dvc/store/files/md5")


def rotten(objects: Path) -> list[Path]:
    """Return the objects whose md5 is not their name; DVC trusts a read-only object without looking."""
    return [path for path in sorted(objects.glob("??/*")) if path.is_file() and not _sound(path)]


def _sound(path: Path) -> bool:
    """Return whether an object is there whole."""
    name = path.parent.name + path.name.removesuffix(".dir")
    return path.is_file() and hashlib.md5(path.read_bytes()).hexdigest() == name


def faults() -> list[str]:
    """Return one message for each thing that must be mended by hand before a run."""
    with tracked.opened() as repo:
        cache = Path(os.path.relpath(repo.cache.local.path))  # where the configuration has it
    cures = {cache: "delete it, and the stage that made it runs again", STORE: "restore it with `git checkout -- .dvc/store`"}
    return [
        f"corrupted file {path}: its content does not match its name; {cure}" for p, cure in cures.items() for path in rotten(p)
    ]


def prune() -> list[str]:
    """Drop stages that no longer exist from dvc.lock, with what they had written where the cache has it; return their names.

    What a stage that exists writes, what lies outside the working copy or behind a link, and what was changed or added since
    stays, and is named. Errors: StageError with what DVC says if it cannot read its files; nothing is removed then.
    """
    path = Path("dvc.lock")
    if not path.exists():
        return []
    with tracked.opened() as repo:
        stages = repo.index.stages
        written = {Path(out.fs_path) for stage in stages for out in stage.outs if out.protocol == "local"}
        yaml = YAML()
        lock = yaml.load(path.read_text())
        ran, known = lock.get("stages", {}).keys(), {stage.addressing for stage in stages if stage.cmd}
        if ran and not known:
            raise StageError("dvc.yaml names no stage, and dvc.lock does; `git checkout -- dvc.yaml` brings it back")
        gone = sorted(ran - known)
        for name in gone:
            outs = lock["stages"].pop(name).get("outs", [])
            print("\n  ".join([f"stage {name} is no longer in dvc.yaml", *_removed(repo, outs, written)]))
    if gone:
        part = path.with_suffix(".part")
        with part.open("w") as file:
            yaml.dump(lock, file)
        os.replace(part, path)
    return gone


def _shared(place: Path, written: set[Path]) -> bool:
    """Return whether a stage that exists writes a result, something in it, or what it lies in."""
    return any(place == other or place in other.parents or other in place.parents for other in written)


def _removed(repo: "Repo", outs: list[dict], written: set[Path]) -> Iterator[str]:
    """Remove what entries of dvc.lock name; yield a line for each that goes or stays."""
    for out in outs:
        target = Path(out["path"])
        if not os.path.lexists(target):
            continue
        if _shared(target.absolute(), written):
            yield f"{target} is kept: a stage that exists writes there"
        elif why := _reason_to_keep(repo, target, out):
            yield f"{target} is kept, to be removed by hand: {why}"
        else:
            runs.remove(target)
            _drop_empty(target.parent)
            yield f"{target} is removed"


def _drop_empty(folder: Path) -> None:
    """Remove a folder that a result has left empty, and what is then empty above it."""
    while folder.parts and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _reason_to_keep(repo: "Repo", target: Path, out: dict) -> str:
    """Return why a result may not be removed, nothing if it may."""
    from dvc.fs import LocalFileSystem
    from dvc_data.hashfile.build import build

    root, place = Path(repo.root_dir).resolve(), target.absolute()
    if Path(os.path.normpath(place)) != place.resolve():
        return "it is a link, or lies behind one"
    if root not in place.resolve().parents:
        return f"it lies outside {root}"
    if any(path.is_symlink() for path in target.rglob("*")):
        return "it holds a link"
    cache = repo.cache.local
    _, _, found = build(cache, str(place), LocalFileSystem(), "md5", dry_run=True)
    if found.hash_info.value != out.get("md5"):
        return "it is not what the stage wrote"
    needed = [found.oid, *(entry.value for _, _, entry in (found if target.is_dir() else ()))]
    if not all(_sound(Path(cache.oid_to_path(oid))) for oid in needed):
        return "DVC's cache could not bring it back"
    return ""
