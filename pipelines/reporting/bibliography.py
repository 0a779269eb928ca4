"""What references.bib says of each work."""

import re
from pathlib import Path

ENTRY = re.compile(r"^@\w+\{([^,]+),(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*(?=^\s*\w+\s*=|\Z)", re.M | re.S)


def works(path: Path = Path("references.bib")) -> dict[str, dict[str, str]]:
    """Return key -> field -> text without braces, in one line."""
    entries = dict(ENTRY.findall(path.read_text()))
    return {key: {name.lower(): _plain(value) for name, value in FIELD.findall(body)} for key, body in entries.items()}


def _plain(value: str) -> str:
    return " ".join(re.sub(r"[{}]", "", value).split())
