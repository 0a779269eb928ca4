"""What a notebook's parameters cell says of each parameter: its default, and in a comment behind it, what it may be."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

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
    cells = [cell for cell in json.loads(path.read_text())["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"notebook {path.name} has {len(cells)} cells tagged 'parameters', it needs exactly one")
    text = "".join(cells[0]["source"])
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    notes = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    lines = ast.parse(text).body
    return [field(line.targets[0].id, ast.literal_eval(line.value), notes.get(line.end_lineno, "")) for line in lines]


def field(name: str, default: object, note: str) -> Field:
    """Return one parameter by its default and its comment."""
    found = RANGE.match(note)
    low, high = (float(found[1]), float(found[2])) if found else (None, None)
    listed = re.match(r"^one of ([^;]+)", note)
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
    except (ValueError, SyntaxError):
        raise ValueError(f"{asked.name} must be written like {asked.default!r}, got {text!r}") from None
    return allowed(asked, value)
