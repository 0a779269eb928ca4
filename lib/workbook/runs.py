"""Parameters of stages, and the folders and small files that runs leave behind."""

import json
import re
import shutil
from itertools import count
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = Path(__file__).resolve().parents[2]
SCALES = ("smoke", "embedded", "paper")
UNDO = "mend it; `git checkout` brings it back if git keeps it, otherwise delete it, and what wrote it writes it again"
NAME = "[A-Za-z0-9_-]+"
PARTS = ("information", "koopman", "concepts", "discrete", "state", "machine", "search", "structure", "control")
PAPERS = "notebooks/*/*/params.yaml"
NAMED = ("data", "networks", "runs", "studies", "sweeps", "views")  # sections whose keys become names of stages


def read_yaml(path: Path) -> dict:
    """Read a mapping in YAML 1.2, the dialect in which DVC reads the same file (1e-3 is a number, yes a word).

    Errors: ValueError for what is no YAML or no mapping, or has keys that are no text.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise ValueError(f"{path} must hold `name: value` lines, got {content!r}")
    check_keys(content, str(path))
    return {} if content is None else content


def check_keys(content: object, where: str) -> None:
    """Refuse keys of mappings that are no text, wherever they stand: JSON would make them text without a word."""
    if isinstance(content, list | tuple):
        for item in content:
            check_keys(item, where)
    if isinstance(content, dict):
        for key, item in content.items():
            if not isinstance(key, str):
                raise ValueError(f"{where} has the key {key!r}, of type {type(key).__name__}; write it as text: '{key}'")
            check_keys(item, f"{where}: {key}")


def check_name(text: object, what: str) -> None:
    """Refuse a name that YAML, DVC, a shell or a path could take for more than a name."""
    if not isinstance(text, str) or not re.fullmatch(NAME, text):
        free = re.sub(r"[^A-Za-z0-9_-]+", "_", str(text)).strip("_") or "mine"
        raise ValueError(f"{what} is {text!r}; it may have letters a to z, digits, _ and - only, such as {free}")


def check_path(text: object, what: str, *, suffix: bool = False) -> None:
    """Refuse a path that is not made of names, one below the other; the last of a file has a suffix."""
    ending = r"(\.\w+)?" if suffix else ""
    if not isinstance(text, str) or not re.fullmatch(rf"({NAME}/)*{NAME}{ending}", text):
        raise ValueError(f"{what} is {text!r}; it must be a path below the repository of names in a-z, A-Z, 0-9, _ and -")


def _check_names(params: dict, where: str) -> None:
    """Refuse names in a file of parameters that could not stand in a stage's name, command and paths."""
    for kind in NAMED:
        entries = params.get(kind) or {}
        if not isinstance(entries, dict):
            raise ValueError(f"{kind} in {where} must hold `name: value` lines, got {entries!r}")
        for key, entry in entries.items():
            check_name(key, f"a name in {kind} of {where}")
            given = entry if isinstance(entry, dict) else {}
            for part in given.keys() & {"part", "paper", "data", "hero"}:
                check_name(given[part], f"{kind}.{key}.{part} in {where}")
            for part in given.keys() & {"notebook", "reads"}:
                check_path(given[part], f"{kind}.{key}.{part} in {where}", suffix=part == "reads")


def _check_home(params: dict, folder: Path, where: str) -> None:
    """Refuse an entry of a paper's file that says to belong to another paper: its stages would look there for it."""
    home = {"part": folder.parent.name, "paper": folder.name}
    for kind in ("networks", "runs", "studies"):
        for key, entry in (params.get(kind) or {}).items():
            given = {name: entry.get(name) for name in home} if isinstance(entry, dict) else None
            if given != home:
                raise ValueError(f"{kind}.{key} in {where} has {given}; in this folder it must have {home}")


def by_part(path: Path) -> tuple[int, Path]:
    """Return what sorts files of papers: by part in the order of PARTS, what belongs to none of these last."""
    part = path.parent.parent.name
    return PARTS.index(part) if part in PARTS else len(PARTS), path


def papers(root: Path = ROOT) -> list[Path]:
    """Return the files of parameters of all papers, part by part."""
    return sorted(root.glob(PAPERS), key=by_part)


def parameters(root: Path = ROOT, scale: str | None = None) -> dict:
    """Return params.yaml and the files of all papers as one, with what its scale changes laid over it.

    A scale may only change what is already named, in the same file, so a typo in it is an error.
    Errors: unknown scale; a name that a scale changes and the file lacks; a name that is more than a name, or is given twice.
    """
    params = read_yaml(root / "params.yaml")
    _check_names(params, "params.yaml")
    scale = scale or params.get("scale")
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r} in params.yaml; known: {', '.join(SCALES)}")
    params = _scaled(params, scale, "params.yaml")
    for path in papers(root):
        where = path.relative_to(root).as_posix()
        own = read_yaml(path)
        _check_names(own, where)
        _check_home(own, path.parent, where)
        for section, entries in _scaled(own, scale, where).items():
            if section not in NAMED:
                raise ValueError(f"{where} has the section {section}; a paper's file may have {', '.join(NAMED)} and scales")
            entries = entries or {}
            if twice := sorted(params.get(section, {}).keys() & entries.keys()):
                raise ValueError(f"{section}.{twice[0]} in {where} is given in another file too; give it a name of its own")
            params[section] = params.get(section, {}) | entries
    return params | {"scale": scale}


def _scaled(params: dict, scale: str, where: str) -> dict:
    """Return what a file of parameters says at a scale, less its section of scales."""
    own = {name: value for name, value in params.items() if name != "scales"}
    return overlay(own, ((params.get("scales") or {}).get(scale)) or {}, where=where)


def with_scale(text: str, scale: str) -> str:
    """Return the text of params.yaml with another scale. Errors: ValueError if it has no line for it."""
    changed, count = re.subn(r"^scale:[ \t]*[^\s#]+", f"scale: {scale}", text, count=1, flags=re.M)
    if not count:
        raise ValueError(f"params.yaml has no line `scale: {scale}`; `git diff params.yaml` shows what became of it")
    return changed


def overlay(base: dict, changes: dict, path: str = "", *, where: str = "params.yaml") -> dict:
    """Return base with the leaves that `changes` names replaced; refuse names that base lacks."""
    unknown = sorted(set(changes) - set(base))
    if unknown:
        raise ValueError(f"the scale changes {path}{unknown[0]}, which {where} lacks; it has {sorted(base)}")
    nested = {k: overlay(base[k], v, f"{path}{k}.", where=where) for k, v in changes.items() if isinstance(v, dict)}
    return base | changes | nested


def section(params: dict, path: str) -> dict:
    """Return the section at a dotted path such as "networks.tanh.train", or say which names there are."""
    for depth, name in enumerate(path.split(".")):
        if not isinstance(params, dict) or name not in params:
            here = ".".join(path.split(".")[:depth]) or "what params.yaml and the papers' files hold"
            known = ", ".join(map(str, params)) if isinstance(params, dict) else "nothing"
            raise ValueError(f"{here} has no {name!r}; it has: {known}")
        params = params[name]
    return params


def at(path: str) -> Path:
    """Return a path given relative to the repository, wherever the notebook was started."""
    return ROOT / path


def finished(folder: str, name: str) -> Path:
    """Return the folder of a run that is there, or say which runs are."""
    place = at(folder) / name
    if not place.is_dir():
        there = ", ".join(sorted(p.name for p in at(folder).glob("*") if p.is_dir())) or "none"
        raise ValueError(f"no run {name!r} in {folder}; there are: {there}")
    return place


def folder(path: str) -> Path:
    """Create a folder given relative to the repository, for a stage to write into."""
    made = at(path)
    made.mkdir(parents=True, exist_ok=True)
    return made


def numbered(path: str) -> str:
    """Create the folder PATH-N of the least N that nobody has taken, and return its path, relative to the repository as given.

    So two who ask at one time never write to one folder.
    """
    at(path).parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        own = f"{path}-{number}"
        if at(f"{own}.ipynb").exists():  # the notebook of one whose folder is gone
            continue
        try:
            at(own).mkdir()
        except FileExistsError:
            continue
        return own


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON that reads well in a diff and is the same bytes for the same content.

    Errors: ValueError for NaN, and for keys that are no text.
    """
    check_keys(content, path.name)
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> object:
    """Read JSON, or say which stage writes the file."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; `make repro` writes it")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}; {UNDO}") from error
