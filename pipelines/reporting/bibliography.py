"""What references.bib says of each work."""

import re
from pathlib import Path

ENTRY = re.compile(r"^@\w+\{([^,]+),(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*$", re.M)


def works(path: Path = Path("references.bib")) -> dict[str, dict[str, str]]:
    """Return key -> field -> text without braces."""
    entries = dict(ENTRY.findall(path.read_text()))
    return {
        key: {name.lower(): re.sub(r"[{}]", "", value) for name, value in FIELD.findall(body)} for key, body in entries.items()
    }
