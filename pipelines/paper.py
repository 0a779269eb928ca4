"""Lay an empty paper that runs and passes its tests: notebooks, parameters, experiment, test, and its line in dvc.yaml.

python -m pipelines.paper NAME PART

What it computes is an example; it makes no claims and names no works. Nothing that is there is overwritten, and what fails or
is stopped leaves nothing behind.
"""

import argparse
import keyword
import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path

from lib.core.processes import die_with_parent
from pipelines.runner.stage_environment import compute_alone, set_environment

set_environment()  # before anything imports numpy or nbformat

import nbformat  # noqa: E402

from lib.workbook import claims, runs  # noqa: E402
from pipelines.runner import outcome  # noqa: E402
from pipelines.runner.kernel import execute  # noqa: E402
from pipelines.runner.notebook_file import clean, source, write  # noqa: E402

TEMPLATES, STAGES, PARTIAL = Path(__file__).with_name("templates") / "paper", Path("dvc.yaml"), Path("build/partial")
CODE = {"lib/experiments": "", "tests/experiments": "test_"}  # folder -> how the names of its modules begin
LONGEST = 40  # of a name, which stands in lines that must not grow too long
WORDS = ("true", "false", "null")  # are no text in YAML
OTHERS = ("sweeps", "other_sweeps")  # folders of runs/ that are no paper's
NEXT = """next:
  1. the experiment in place of the example: {experiment} and {test}
  2. its settings, then what is run and argued: {folder}
  3. its claims, each with its work in references.bib and its rule, in {claims}; {study} gives their values
  4. `make repro`; look at what came out; `make notebooks`; `make accept`; `python -m pipelines.costs`
CONTRIBUTING.md has the rest; `make where PAPER={name}` prints what belongs to it."""


def files(name: str, part: str) -> dict[str, Path]:
    """Return what is laid for a paper, and where."""
    folder = Path("notebooks", part, name)
    return {
        "experiment": Path("lib/experiments", f"{name}.py"),
        "test": Path("tests/experiments", f"test_{name}.py"),
        "params": folder / "params.yaml",
        "claims": folder / "claims.yaml",
        "run": folder / f"{name}_run.ipynb",
        "study": folder / f"{name}.ipynb",
    }


def check(name: str, part: str) -> None:
    """Refuse a part that is none, a name that cannot name a module and stages, and one that is taken."""
    if part not in claims.PARTS:
        raise ValueError(f"no part {part!r}; there are: {', '.join(claims.PARTS)} (PARTS in lib/workbook/runs.py)")
    runs.check_name(name, "the paper's name")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name in WORDS or len(name) > LONGEST:
        raise ValueError(
            f"the paper's name is {name!r}; as it names a module too, it must be of a to z, 0 to 9 and _, begin with a letter, "
            f"have at most {LONGEST} characters and be no word of Python or YAML; such as lossy_compression"
        )
    made = [Path(folder, begin + name + end) for folder, begin in CODE.items() for end in ("", ".py")]
    if taken := [path for path in [*Path().glob(f"notebooks/*/{name}"), *made] if path.exists()]:
        raise ValueError(f"{taken[0]} is there already, and nothing is overwritten; take another name")
    params = runs.parameters(Path())
    if name in OTHERS or name in params["runs"] or name in params["studies"]:
        raise ValueError(f"the name {name!r} is taken by a stage or folder of results of others; take another name")


def lay(name: str, part: str) -> list[Path]:
    """Lay a paper, run its notebooks once for their outputs, and return its files. Errors: ValueError for what is refused."""
    check(name, part)
    stages = with_paper(STAGES.read_text(encoding="utf-8"), files(name, part)["params"])
    with ExitStack() as undo:
        for kind, path in (made := files(name, part)).items():
            _claim(path, undo)
            path.write_text(filled(kind, name, part), encoding="utf-8")
        for scale in runs.SCALES:
            runs.parameters(Path(), scale)
        work = PARTIAL / f"paper-{name}"
        undo.callback(runs.remove, work)
        _run(made["run"], {"out": str(work / "runs" / name)}, work)
        _run(made["study"], {"reads": str(work / "runs"), "out": str(work / "study")}, work)
        _replace(STAGES, stages)
        undo.pop_all()
    runs.remove(work)
    return [*made.values(), STAGES]


def _claim(path: Path, undo: ExitStack) -> None:
    """Create an empty file and the folders that it lies in, which are undone from the last to the first."""
    for folder in reversed([folder for folder in path.parents if not folder.exists()]):
        folder.mkdir()
        undo.callback(runs.remove, folder)
    path.open("x").close()
    undo.callback(runs.remove, path)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def filled(kind: str, name: str, part: str) -> str:
    """Return a template with the paper's name for PAPER and its part for PART."""
    place = next(TEMPLATES.glob(f"{kind}.*"))
    return re.sub(r"PAPER|PART", lambda match: {"PAPER": name, "PART": part}[match[0]], place.read_text(encoding="utf-8"))


def notebook(text: str) -> nbformat.NotebookNode:
    """Return the notebook of a Markdown text: a cell for each block of ```python and for the prose between two of them.

    A block of ```python parameters is the one that stages give their parameters.
    """
    prose, *rest = re.split(r"^```python(| parameters)\n(.*?)^```$", text, flags=re.M | re.S)
    cells = [nbformat.v4.new_markdown_cell(prose.strip())]
    for tag, code, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        tags = {"tags": [tag.strip()]} if tag else {}
        cells += [nbformat.v4.new_code_cell(code.strip(), metadata=tags), nbformat.v4.new_markdown_cell(after.strip())]
    return source(nbformat.v4.new_notebook(cells=cells))


def _run(path: Path, places: dict[str, str], work: Path) -> None:
    """Store a notebook with the outputs of its own parameters, run with other places to read from and to write to."""
    work.mkdir(parents=True, exist_ok=True)
    done = execute(notebook(path.read_text(encoding="utf-8")), places, work / path.name)
    done.cells = [cell for cell in done.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    write(clean(done), path)


def with_paper(text: str, params: Path) -> str:
    """Return the text of dvc.yaml with a paper's parameters in their place among its `vars`; all else stays to the letter."""
    block = re.search(r"^vars:.*\n((?:  - .*\n|[ \t]*#.*\n)+)", text, re.M)
    if not block:
        raise ValueError(f"{STAGES} has no list `vars:` with a line `  - notebooks/...` a paper; `git diff {STAGES}` shows why")
    lines = block[1].splitlines(keepends=True)
    listed = {number: Path(line[4:].split()[0]) for number, line in enumerate(lines) if line.startswith("  - ")}
    place = next((n for n, path in listed.items() if runs.by_part(path) > runs.by_part(params)), max(listed) + 1)
    lines.insert(place, f"  - {params.as_posix()}\n")
    return text[: block.start(1)] + "".join(lines) + text[block.end(1) :]


def main(argv: list[str] | None = None) -> int:
    """Lay it, and say what comes next."""
    die_with_parent()
    outcome.stop_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("part", help=", ".join(claims.PARTS))
    args = parser.parse_args(argv)
    compute_alone()
    laid = lay(args.name, args.part)
    places = {kind: path.as_posix() for kind, path in files(args.name, args.part).items()}
    print("\n  ".join(["laid:", *map(str, laid)]))
    print(NEXT.format(name=args.name, folder=Path(places["params"]).parent, **places))
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make paper"))
