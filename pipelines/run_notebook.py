"""Run one notebook as a stage.

python -m pipelines.run_notebook NOTEBOOK EXECUTED SECTION [name=path ...] out=FOLDER

NOTEBOOK  name of a clean notebook in build/notebooks
EXECUTED  where its executed copy goes
SECTION   dotted path into params.yaml whose entries become parameters; - for none
name=path paths of inputs, checked to exist; `out` is the folder the stage writes
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from lib.core.processes import die_with_parent
from pipelines.runner.stage_environment import compute_alone, inherit_only_listed, set_environment

set_environment()  # before anything imports numpy or nbformat

import nbformat  # noqa: E402

from lib.workbook import runs  # noqa: E402
from pipelines.reporting.provenance import log_stage  # noqa: E402
from pipelines.runner import outcome, terminal  # noqa: E402
from pipelines.runner.hashes import changed, hashes  # noqa: E402
from pipelines.runner.imports import Modules  # noqa: E402
from pipelines.runner.kernel import execute  # noqa: E402
from pipelines.runner.notebook_file import clean, declared, read_notebook, typed, write  # noqa: E402
from pipelines.runner.outcome import StageError  # noqa: E402

PARTIAL, FAILED = Path("build/partial"), Path("reports/failed")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook")
    parser.add_argument("executed", type=Path)
    parser.add_argument("section")
    parser.add_argument("paths", nargs="+", type=lambda text: text.split("=", 1))
    args = parser.parse_args(argv)
    args.paths = dict(args.paths)
    args.out = Path(args.paths.pop("out"))
    return args


def chosen(notebook: nbformat.NotebookNode, args: argparse.Namespace) -> dict:
    """Return the notebook's parameters, refusing unknown names, wrong types and missing inputs."""
    params = runs.parameters()
    known = declared(notebook, args.notebook)
    shared = {name: params[name] for name in ("seeds", "scale") if name in known}
    for name, path in args.paths.items():
        if not Path(path).exists():
            raise StageError(f"input {name}={path} does not exist; run `make repro`, which makes it or pulls it")
    place = str(PARTIAL / args.executed.stem)
    own = {} if args.section == "-" else dict(runs.section(params, args.section))
    return typed(known, shared | own | args.paths | {"out": place}, args.notebook)


def run(args: argparse.Namespace) -> None:
    """Execute, check that nothing moved meanwhile, then put results in place in one step each."""
    source = Path("build/notebooks") / f"{args.notebook}.ipynb"
    if not source.exists():
        raise StageError(f"no notebook {source}; known: {sorted(p.stem for p in source.parent.rglob('*.ipynb'))}")
    notebook = read_notebook(source)
    values = chosen(notebook, args)
    if runs.parameters()["scale"] == "smoke":
        compute_alone()
    code = runs.read_json(source.with_suffix(".imports"))  # by which DVC knows the code, as `strip` found it
    if moved := changed(code, Modules(Path()).of_notebook(notebook)):
        raise StageError(f"{', '.join(moved)} changed since this run began; run it again so that results match their code")
    watched = [source, *map(Path, args.paths.values())]
    before, partial = hashes(watched), Path(values["out"])
    runs.remove(partial)
    partial.mkdir(parents=True)
    executed = execute(notebook, values, partial.with_suffix(".ipynb"))
    moved = changed(before, hashes(watched)) + changed(code, Modules(Path()).of_notebook(notebook))
    if moved := moved or (["params.yaml"] if chosen(notebook, args) != values else []):
        raise StageError(f"{', '.join(moved)} changed while the stage ran; run it again so that results match their inputs")
    write(clean(executed), partial.with_suffix(".ipynb"))
    put(partial.with_suffix(".ipynb"), args.executed)
    put(partial, args.out)


def put(made: Path, place: Path) -> None:
    """Put a file or folder in its place, which may be on another disk; what is there goes when all of the new is beside it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.part")
    runs.remove(beside)
    shutil.move(made, beside)
    if place.is_dir():
        runs.remove(place)
    os.replace(beside, place)


def main(argv: list[str] | None = None) -> int:
    """Run the stage; where it does not end well say one thing, and leave nothing half-written."""
    die_with_parent()
    outcome.stop_on_signals()
    inherit_only_listed()
    args, start = arguments(argv), time.monotonic()
    name = args.executed.stem
    with terminal.drawn():
        found = outcome.observe(lambda: run(args))
    kept = outcome.put_away(PARTIAL / f"{name}.ipynb", FAILED / f"{name}.ipynb", found)
    shutil.rmtree(PARTIAL / name, ignore_errors=True)  # what stopped the stage is told, the next run takes away the rest
    if found.word == "done":
        try:
            log_stage(name, time.monotonic() - start)
        except OSError as error:  # the stage is done for all that
            outcome.say(f"how long stage {name} took could not be noted: {error}")
    else:
        said = found.said if found.word == "stopped" else f"stage {name} failed: {found.said}"
        outcome.say("\n  ".join(filter(None, [said, found.hint, kept])))
    return found.status


if __name__ == "__main__":
    sys.exit(main())
