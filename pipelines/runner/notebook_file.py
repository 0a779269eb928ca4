"""Notebooks as files: what of them is source, which parameters they declare, what of a run is worth keeping."""

import json
import os
import warnings
from pathlib import Path

import nbformat
from nbformat.validator import normalize
from nbformat.warnings import MissingIDFieldWarning

from lib.workbook import parameters, runs

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Return a notebook. Errors: ValueError that names file and line, or cell, for what is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingIDFieldWarning)  # an older notebook's cells have none, and are given some
        _, content = normalize(parameters.content(path))
    try:
        nbformat.validate(content)
    except nbformat.ValidationError as error:
        where = ".".join(map(str, error.absolute_path))
        raise ValueError(f"{path} is no valid notebook: {where or 'it'}: {error.message[:200]}; {parameters.AGAIN}") from error
    return nbformat.reads(json.dumps(content), as_version=4)  # joins lines that are kept apart


def declared(notebook: nbformat.NotebookNode, name: str) -> dict:
    """Return {parameter: default} of the one cell tagged `parameters`; it may hold `NAME = literal` lines only."""
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"notebook {name} has {len(cells)} cells tagged 'parameters', it needs exactly one")
    return {key: default for key, (default, _) in parameters.literals(cells[0].source, name).items()}


def typed(known: dict, given: dict, name: str) -> dict:
    """Return the given values if each is declared and of its default's type (a whole number may stand for a float)."""
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"notebook {name} has no parameter {', '.join(unknown)}; it takes {', '.join(sorted(known))}")
    runs.check_keys(given, f"a parameter of notebook {name}")
    for key, value in given.items():
        want = type(known[key])
        if type(value) is int and want is float:
            continue
        if type(value) is not want:
            raise ValueError(f"parameter {key} of notebook {name} must be {want.__name__} like {known[key]!r}, got {value!r}")
    return given


def source(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without anything that running or looking at it adds."""
    cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", []) and c.source.strip()]
    return fresh(cells, run=False)


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return an executed notebook without what varies between equal runs: times, ids, stderr, widgets, chunking."""
    return fresh(notebook.cells, run=True)


def fresh(cells: list, *, run: bool) -> nbformat.NotebookNode:
    """Rebuild cells with numbered ids, tags alone as metadata, and outputs only if they come from a run."""
    made, count = [], 0
    for number, cell in enumerate(cells):
        tags = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        new = nbformat.from_dict({"cell_type": cell.cell_type, "id": f"cell-{number}", "metadata": tags, "source": cell.source})
        if cell.cell_type == "code":
            ran = run and cell.execution_count is not None
            count += ran
            new.execution_count = count if ran else None
            new.outputs = merged([o for o in cell.outputs if kept(o)], count) if run else []
        made.append(new)
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return nbformat.from_dict({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def kept(output: dict) -> bool:
    """Stderr (warnings, progress bars) is not a result."""
    return not (output.output_type == "stream" and output.name == "stderr")


def merged(outputs: list, count: int) -> list:
    """Join neighbouring streams, number results, drop widget views."""
    joined: list = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].output_type == "stream":
            joined[-1].text += output.text
            continue
        output = nbformat.from_dict(output)
        if "data" in output:
            if "application/vnd.jupyter.widget-view+json" in output.data:
                output.data = nbformat.from_dict({"text/plain": "a widget: run the notebook to use it"})
            output.metadata = nbformat.from_dict({})
        if output.output_type == "execute_result":
            output.execution_count = count
        joined.append(output)
    return joined


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a valid notebook under a temporary name, then put it in place."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(nbformat.writes(notebook) + "\n")
    os.replace(part, path)
