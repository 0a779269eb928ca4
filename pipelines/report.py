"""Build reports/index.html and its pages from what the studies left; equal inputs give equal bytes.

python -m pipelines.report
"""

import base64
import csv
import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lib.core.processes import die_with_parent
from lib.workbook import claims, runs
from pipelines.reporting.markdown import html, table
from pipelines.runner import outcome
from pipelines.runner.notebook_file import read_notebook

REPORTS, TEMPLATES = Path("reports"), Path(__file__).with_name("templates")
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "dvc", "papermill")


def templates() -> Environment:
    """Return the templates, in which every value is escaped and a missing one is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"style": Markup((TEMPLATES / "style.css").read_text()), "number": number}
    return environment


def number(row: dict) -> str:
    """Return measured value and spread for people."""
    if row["measured"] is None:
        return "none"
    return f"{row['measured']:.3g}" + ("" if row["spread"] is None else f" ± {row['spread']:.2g}")


def figures(folder: Path) -> list[dict]:
    """Return a study's figures with their SVG as a data URI."""
    told = runs.read_json(folder / "figures.json")
    for figure in told:
        content = base64.b64encode((folder / "figures" / figure["file"]).read_bytes()).decode()
        figure["uri"] = f"data:image/svg+xml;base64,{content}"
    return told


def told(path: Path) -> list[dict]:
    """Return what an executed notebook tells: prose, code, and outputs as text or tables; its images are figures already."""
    cells = []
    for number, cell in enumerate(read_notebook(path).cells):
        if cell.cell_type == "markdown":
            try:
                cells.append({"kind": "prose", "html": html(cell.source)})
            except ValueError as error:
                raise ValueError(f"{path}, cell {number}: {error}") from error
            continue
        cells.append({"kind": "code", "source": cell.source})
        for output in cell.outputs:
            data = output.get("data", {})
            if output.output_type == "stream":
                cells.append({"kind": "text", "text": output.text})
            elif "text/html" in data:
                cells.append({"kind": "table", "html": table(data["text/html"])})
            elif "text/plain" in data and not any(kind.startswith("image/") for kind in data):
                cells.append({"kind": "text", "text": data["text/plain"]})
    return cells


def page(path: Path) -> Markup:
    """Return a data card as HTML. Errors: ValueError that names the card."""
    try:
        return html(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def opening(name: str) -> tuple[str, str]:
    """Return the title of an executed notebook, and what its first cell says below it."""
    prose = [c.source for c in read_notebook(REPORTS / "notebooks" / f"{name}.ipynb").cells if c.cell_type == "markdown"]
    title, _, question = prose[0].removeprefix("# ").partition("\n")
    return title, question


def study(name: str, paper: str) -> dict:
    """Return all that the report shows of one study."""
    folder = REPORTS / "studies" / paper / name
    title, question = opening(f"study-{name}")
    return {
        "name": name,
        "folder": f"{paper}/{name}",
        "title": title,
        "question": html(question.strip().split("\n\n")[0]),
        "cells": told(REPORTS / "notebooks" / f"study-{name}.ipynb")[1:],
        "introduction": html(question),
        "figures": figures(folder),
        "claims": runs.read_json(folder / "claims.json"),
        "files": sorted(p.name for p in folder.glob("*.csv")),
    }


def view(name: str) -> dict:
    """Return what the report shows of one notebook with sliders: its question, its pictures as they first stand."""
    title, question = opening(f"view-{name}")
    question = html(question.strip().split("\n\n")[0])
    return {"name": name, "title": title, "question": question, "figures": figures(REPORTS / "views" / name)}


def recorded() -> list[dict]:
    """Return the evidence that was recorded elsewhere, as `make record` wrote it."""
    return [runs.read_json(path) for path in sorted((REPORTS / "recorded").glob("*.json"))]


def environment_facts() -> dict[str, str]:
    """Return what decides the bytes of results on one machine."""
    data = runs.read_yaml(Path("data.dvc"))["outs"][0]
    lock = hashlib.sha256(Path("requirements.lock").read_bytes()).hexdigest()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    content = f"md5 {data['md5']}, {data['nfiles']} files, {data['size']} bytes"
    return {"packages": packages, "requirements.lock": f"sha256 {lock}", "data/raw": content}


def write_csv(rows: list[dict], path: Path) -> None:
    """Write the ledger as a table for spreadsheets."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, claims.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def build() -> int:
    """Write all pages beside their place, then put each in place."""
    params = runs.parameters(Path.cwd())
    studies = [study(name, entry["paper"]) for name, entry in params["studies"].items()]
    rows = claims.check([row for s in studies for row in s["claims"]], "the report")
    places = [*sorted(Path("data/raw").glob("*/card.md")), *sorted(Path("runs").glob("*/*/*/card.md"))]
    cards = {path.parent.name: page(path) for path in places}
    facts = {"scale": params["scale"], "seeds": params["seeds"], "params": params, "studies": studies, "rows": rows}
    facts |= {"recorded": recorded(), "facts": environment_facts(), "cards": cards}
    facts |= {"summary": figures(REPORTS / "summary"), "views": [view(name) for name in params["views"]]}
    partial, pages = Path("build/partial/report"), templates()
    runs.remove(partial)
    (partial / "pages").mkdir(parents=True)
    (partial / "index.html").write_text(pages.get_template("index.html").render(facts))
    (partial / "pages/data.html").write_text(pages.get_template("data.html").render(facts))
    for one in studies:
        (partial / f"pages/{one['name']}.html").write_text(pages.get_template("study.html").render(facts | {"study": one}))
    write_csv(rows, partial / "pages/claims.csv")
    runs.write_json(partial / "claims.json", rows)
    runs.remove(REPORTS / "pages")
    for name in ("pages", "claims.json", "index.html"):
        (partial / name).replace(REPORTS / name)
    partial.rmdir()
    return 0


def write_provenance(root: Path, facts: dict[str, str]) -> None:
    """Write the page that tells of this very run: it varies between equal runs, so DVC does not track it."""
    page = templates().get_template("provenance.html").render(run=facts)
    (root / REPORTS / "provenance.html").write_text(page)


if __name__ == "__main__":
    die_with_parent()
    sys.exit(outcome.main_of(build, "the report"))
