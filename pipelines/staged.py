"""Refuse what a commit should not hold: notebooks as running or looking at them left them, and large files.

python -m pipelines.staged FILE...   exits 1 and names each; a notebook is rewritten as it is stored, to be staged again

Whether stored outputs are those of a smoke run is for nbval to say. .pre-commit-config.yaml runs this on what is staged.
"""

import argparse
import sys
from pathlib import Path

import nbformat

from pipelines.runner.notebook_file import clean, read_notebook, write

LARGEST_MB = 2  # the longest notebook has 1.2, the largest file of .dvc/store 1.5


def refusal(path: Path) -> str:
    """Return which file should not be committed as it is, and why; nothing if it may be."""
    if not path.is_file():
        return f"{path} is no file, or leads to none"
    if (size := path.stat().st_size / 1e6) > LARGEST_MB:
        return f"{path} has {size:.1f} MB, git keeps at most {LARGEST_MB} a file here; results and data are DVC's"
    if path.suffix != ".ipynb":
        return ""
    try:
        return f"{path} held what only running adds; it is rewritten, git add it again" if normalise(path) else ""
    except ValueError as error:
        return str(error)


def normalise(path: Path) -> bool:
    """Write a notebook as it is stored; return whether that changed its bytes."""
    notebook = clean(read_notebook(path))
    changed = path.read_text() != nbformat.writes(notebook) + "\n"
    if changed:
        write(notebook, path)
    return changed


def main(argv: list[str] | None = None) -> int:
    """Look at every file, say what is wrong with which."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    refused = [why for path in parser.parse_args(argv).files if (why := refusal(path))]
    print("\n".join(refused), end="\n" * bool(refused))
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
