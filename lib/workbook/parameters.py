"""What a notebook's parameters cell says of each parameter: its default, and in a comment behind it, what it may be."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

from lib.workbook import runs

AGAIN = "save it again from JupyterLab, or `git checkout` it"
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"^({NUMBER}) to ({NUMBER})(, log)?(?=[;,.\s]|$)")


class Field(NamedTuple):
    """One parameter; low and high, or choices, only where a comment gives them."""

    name: str
    default: object
    low: float | None
    high: float | None
    log: bool
    choices: list
    note: str  # the comment whole


def fields(path: Path) -> list[Field]:
    """Return the parameters of a notebook's cell tagged `parameters`, in its order.

    A line is `NAME = literal  # LOW to HIGH`, `# LOW to HIGH, log`, or `# one of A, B, C`; what follows a semicolon, and
    any other comment, is for people. Errors: ValueError for no such cell, or a default that its own comment excludes.
    """
    cells = [cell for cell in content(path)["cells"] if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"notebook {path.name} has {len(cells)} cells tagged 'parameters', it needs exactly one")
    text = "".join(cells[0]["source"])
    found = literals(text, path.stem)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    notes = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    return [field(name, default, notes.get(line, "")) for name, (default, line) in found.items()]


def content(path: Path) -> dict:
    """Return a notebook's file as JSON has it; a byte order mark is read over.

    Errors: ValueError that names file and line for what is no notebook: no text, no JSON, a merge conflict, no cells.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file, or leads to none; a notebook is one")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{line} is not UTF-8 text ({error.reason}); {AGAIN}") from error
    lines = text.splitlines()
    if conflict := next((number for number, line in enumerate(lines, 1) if line.startswith("<<<<<<< ")), None):
        raise ValueError(
            f"{path}:{conflict} holds a merge conflict; resolve it, then run again (`git checkout -- {path}` undoes)"
        )
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"is no JSON ({error.msg})" if text.strip() else "is empty"
        raise ValueError(f"{path}:{error.lineno} {what}, as a notebook must be; {AGAIN}") from error
    book = found if isinstance(found, dict) else {}
    version, cells = book.get("nbformat"), book.get("cells")
    sound = isinstance(cells, list) and all(map(_is_cell, cells))
    if version != 4 or type(book.get("nbformat_minor")) is not int or not sound:
        raise ValueError(f"{path} is no notebook of format 4, with a list of sound cells (its format: {version}); {AGAIN}")
    return found


def _is_cell(cell: object) -> bool:
    """Return whether a cell has a kind, source that is text or lines of it, and tags, if any, that are a list."""
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata", {}), dict):
        return False
    source = cell.get("source")
    text = isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))
    return text and isinstance(cell.get("cell_type"), str) and isinstance(cell.get("metadata", {}).get("tags", []), list)


def literals(source: str, name: str) -> dict[str, tuple[object, int]]:
    """Return {parameter: (default, its last line)} of the source of a parameters cell: `NAME = literal` lines only.

    Papermill injects below that cell, so anything derived in it would silently keep the default's value.
    Errors: ValueError that names the notebook and shows the line.
    """
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        shown = (error.text or "").strip()
        raise ValueError(f"notebook {name}: line {error.lineno} of the parameters cell, {shown!r}: {error.msg}") from error
    found = {}
    for line in lines:
        target = line.targets[0] if isinstance(line, ast.Assign) and len(line.targets) == 1 else None
        try:
            value = ast.literal_eval(line.value)
            found[target.id] = value, line.end_lineno
        except (AttributeError, TypeError, ValueError) as error:  # the second for a list as a key
            shown = ast.get_source_segment(source, line)
            raise ValueError(
                f"notebook {name}: the parameters cell holds {shown!r}; only NAME = literal may stand there"
            ) from error
        runs.check_keys(value, f"notebook {name}: {target.id}")
        _check_kind(value, f"notebook {name}: {target.id}")
    return found


def _check_kind(value: object, where: str) -> None:
    """Refuse a value that JSON and YAML have no word for."""
    if isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            _check_kind(part, where)
    elif not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"{where} is {value!r}; a parameter is a number, a text, a list or a mapping of these, or None")


def field(name: str, default: object, note: str) -> Field:
    """Return one parameter by its default and its comment."""
    found = RANGE.match(note) if type(default) in (int, float) else None
    low, high = (float(found[1]), float(found[2])) if found else (None, None)
    listed = re.match(r"^one of ([^;]+)", note) if type(default) in (int, float, str) else None
    choices = [type(default)(word.strip()) for word in listed[1].split(",")] if listed else []
    made = Field(name, default, low, high, bool(found and found[3]), choices, note)
    if found and made.log and not low > 0:
        raise ValueError(f"{name} has a logarithmic range and needs a low end above 0, got {note!r}")
    return made._replace(default=allowed(made, default))


def allowed(asked: Field, value: object) -> object:
    """Return a value if the parameter may have it: of the default's type (a whole number may stand for a float), and in range.

    Errors: ValueError that names the parameter.
    """
    if type(value) is int and type(asked.default) is float:
        value = float(value)
    if type(value) is not type(asked.default):
        raise ValueError(f"{asked.name} must be {type(asked.default).__name__} like {asked.default!r}, got {value!r}")
    if asked.choices and value not in asked.choices:
        raise ValueError(f"{asked.name} must be one of {', '.join(map(str, asked.choices))}, got {value!r}")
    if asked.low is not None and not asked.low <= value <= asked.high:
        raise ValueError(f"{asked.name} must lie in {asked.low:g} to {asked.high:g}, got {value!r}")
    return value


def literal(asked: Field, text: str) -> object:
    """Return what a line of text says for a parameter that is a list or a mapping; nothing in it is run."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError) as error:
        raise ValueError(f"{asked.name} must be written like {asked.default!r}, got {text!r}") from error
    value = allowed(asked, value)
    runs.check_keys(value, asked.name)
    _check_kind(value, asked.name)
    return value
