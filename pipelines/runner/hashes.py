"""Files by what they hold."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Return path -> sha256 of every file at or under the paths; a path at which nothing is counts as missing."""
    files = {file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])}
    kept = sorted(file for file in files if not file.is_dir() and "__pycache__" not in file.parts)
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "missing" for file in kept}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the files whose hash is not what it was, or that came or went."""
    return sorted(name for name in before | after if before.get(name) != after.get(name))
