"""What DVC does not notice by itself: rotten objects in its cache, and results of stages that are gone."""

import hashlib
import os
import shutil
from pathlib import Path

from ruamel.yaml import YAML

from lib import runs

CACHE, STORE = Path(".dvc/cache"), Path(".dvc/store")


def rotten(place: Path) -> list[Path]:
    """Return the objects whose md5 is not their name; DVC trusts a read-only object without looking."""
    objects = sorted(p for p in place.glob("files/md5/??/*") if p.is_file())
    return [p for p in objects if hashlib.md5(p.read_bytes()).hexdigest() != p.parent.name + p.name.removesuffix(".dir")]


def faults() -> list[str]:
    """Return one message for each thing that must be mended by hand before a run."""
    cures = {CACHE: "delete it, and the stage that made it runs again", STORE: "restore it with `git checkout -- .dvc/store`"}
    return [
        f"corrupted file {path}: its content does not match its name; {cure}" for p, cure in cures.items() for path in rotten(p)
    ]


def expected_stages() -> set[str]:
    """Return the names of all stages that dvc.yaml and params.yaml make."""
    params, names = runs.read_yaml(Path("params.yaml")), set()
    for name, stage in runs.read_yaml(Path("dvc.yaml"))["stages"].items():
        items = stage.get("foreach")
        names |= {f"{name}@{key}" for key in runs.section(params, items.strip("${}"))} if items else {name}
    return names


def prune() -> list[str]:
    """Drop stages that no longer exist from dvc.lock, with what they had written; return their names."""
    path = Path("dvc.lock")
    if not path.exists():
        return []
    yaml = YAML()
    lock = yaml.load(path.read_text())
    gone = sorted(set(lock["stages"]) - expected_stages())
    for name in gone:
        for out in lock["stages"].pop(name).get("outs", []):
            target = Path(out["path"])
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        print(f"stage {name} is no longer in params.yaml: its results are removed")
    if gone:
        part = path.with_suffix(".part")
        with part.open("w") as file:
            yaml.dump(lock, file)
        os.replace(part, path)
    return gone
