"""The house keeps its shape: imports go down, families stay apart, stages say what they read, names lead to something."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

import lib
from lib.workbook import runs
from tests import ROOT

LEVELS = [
    {"types", "checks", "kernels_triton", "progress", "checkpoint", "processes", "working_copy", "precision", "digits"},
    {"kernels", "nets", "convolutions", "plan", "swag", "correlation", "episodes"},
    {"data", "estimators"},
    {"bottlenecks", "concepts", "forecast", "koopman", "trial", "generalisation", "curves", "stochastic", "spread"},
    {"train", "plane", "attacks", "classifiers", "spectra", "contests"},
    {"rollouts", "logistic"},
    {"claims", "plot", "charts", "runs", "trained", "explore", "notebook", "activations", "inference"}
    | {"tradeoff", "gaps", "protocol", "koopman_views", "concept_panels", "sweeps", "board", "launch", "fields"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
MODULES = sorted(p for p in (ROOT / "lib").rglob("*.py") if p != ROOT / "lib/__init__.py")
NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def family(module: Path) -> str:
    return module.relative_to(ROOT / "lib").parts[0].removesuffix(".py")


def imported(text: str) -> set[str]:
    """Names of lib's top-level modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "lib":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("lib.")}
    return found


def test_lib_is_this_repository():
    assert Path(lib.__file__) == ROOT / "lib/__init__.py"


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_and_families_stay_apart(module):
    here = family(module)
    assert here in LEVEL, f"{module} has no level; add it to LEVELS and to lib/__init__.py"
    above = {
        name for name in imported(module.read_text()) if name != here and LEVEL[name] >= LEVEL[here] and here not in LEVELS[-1]
    }
    assert not above, f"{here} may not import {above}"
    assert "pipelines" not in module.read_text().split(), f"{module} reaches up into pipelines"


def test_importing_lib_is_light():
    assert imported((ROOT / "lib/__init__.py").read_text()) == {"working_copy"}
    for path, names in {"lib/__init__.py": ["lib"], "lib/core/working_copy.py": ["os", "sys"]}.items():
        found = [n for n in ast.parse((ROOT / path).read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
        assert [getattr(n, "module", None) or n.names[0].name for n in found] == names


def cells(notebook: Path) -> str:
    return "\n".join(c.source for c in nbformat.read(notebook, 4).cells if c.cell_type == "code")


def needed(names: set[str]) -> set[str]:
    """Close a set of lib's modules under import."""
    todo, done = list(names), set()
    while todo:
        name = todo.pop()
        if name not in done:
            done.add(name)
            place = ROOT / "lib" / name
            files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
            todo += [other for f in files for other in imported(f.read_text())]
    return done


STAGES = runs.read_yaml(ROOT / "dvc.yaml")["stages"]


def notebooks_of(stage: dict) -> list[str]:
    """Names of the notebooks that a stage, or each stage of its foreach, runs."""
    body = stage.get("do", stage)
    command = " ".join(body["cmd"]) if isinstance(body["cmd"], list) else body["cmd"]
    match = re.search(r"pipelines\.run_notebook (\S+)", command)
    if not match:
        return []
    entries = runs.section(runs.parameters(ROOT), stage["foreach"].strip("${}")) if "foreach" in stage else {"": {}}
    named = [match[1].replace("${key}", key).replace("${item.notebook}", i.get("notebook", "")) for key, i in entries.items()]
    return sorted(set(named))


@pytest.mark.parametrize("name", STAGES)
def test_no_shell_stands_between_dvc_and_a_stage(name):
    commands = STAGES[name].get("do", STAGES[name])["cmd"]
    for command in commands if isinstance(commands, list) else [commands]:
        assert command.startswith("exec python -m pipelines.")


@pytest.mark.parametrize("name", [name for name in STAGES if notebooks_of(STAGES[name])])
def test_a_stage_depends_on_all_that_its_notebook_imports(name):
    deps = STAGES[name].get("do", STAGES[name])["deps"]
    for book in notebooks_of(STAGES[name]):
        named = {f"build/notebooks/{Path(book).parent}/${{{word}}}.ipynb" for word in ("key", "item.notebook")}
        assert ({f"build/notebooks/{book}.ipynb"} | named) & set(deps)
        listed = {Path(dep).parts[1].removesuffix(".py") for dep in deps if dep.startswith("lib/")}
        missing = set() if "lib" in deps else needed(imported(cells(ROOT / f"notebooks/{book}.ipynb"))) - listed
        assert not missing, f"stage {name} does not list lib/{', lib/'.join(sorted(missing))}"


def test_every_notebook_is_a_stage_or_says_that_it_is_for_reading():
    used = {book for stage in STAGES.values() for book in notebooks_of(stage)}
    used |= {sweep["notebook"] for sweep in runs.parameters(ROOT)["sweeps"].values()}
    for notebook in NOTEBOOKS:
        name = str(notebook.relative_to(ROOT / "notebooks")).removesuffix(".ipynb")
        assert name in used or name in {"start_here", "launch"}, f"{name} is in no stage of dvc.yaml"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_argue_in_short_cells(notebook):
    book = nbformat.read(notebook, 4)
    code = [c.source for c in book.cells if c.cell_type == "code"]
    long = [source for source in code if sum(bool(line.strip()) for line in source.splitlines()) > 15]
    assert not long, f"a cell of more than 15 lines:\n{long[0]}"
    assert sum(c.cell_type == "markdown" for c in book.cells) >= 3
    assert "assert " in "\n".join(code) or "def " not in "\n".join(code)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_figure_is_shown(notebook):
    for cell in nbformat.read(notebook, 4).cells:
        if cell.cell_type == "code" and re.search(r"^with plot\.style", cell.source, re.M):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), f"no figure below:\n{cell.source}"


def test_sources_are_in_the_bibliography():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "references.bib").read_text(), re.M))
    cited = {}
    for path in MODULES:
        for group in re.findall(r"Source: ((?:\[[a-z0-9]+\][^\n\[]*)+)", path.read_text()):
            cited |= dict.fromkeys(re.findall(r"\[([a-z0-9]+)\]", group), path.name)
    assert cited, "no docstring names its source"
    missing = {key: where for key, where in cited.items() if key not in keys}
    assert not missing, f"references.bib lacks {missing}"


def test_names_in_params_lead_somewhere():
    from lib.bottlenecks import BOTTLENECKS
    from lib.data import DATASETS

    params = runs.parameters(ROOT)
    assert {entry["source"] for entry in params["data"].values()} <= set(DATASETS)
    for run in params["runs"].values():
        assert run["data"] in params["data"]
        for label, method in run["train"]["methods"].items():
            assert method.get("objective", label) in BOTTLENECKS
    for study in params["studies"].values():
        assert study["family"] in {made["family"] for kind in ("runs", "trials") for made in params[kind].values()} | {"sweeps"}
    for name, sweep in params["sweeps"].items():
        assert runs.read_yaml(ROOT / f"pipelines/sweeps/{name}.yaml")["notebook"] == sweep["notebook"]
    for trial in params["trials"].values():
        assert (ROOT / f"notebooks/trials/{trial['notebook']}.ipynb").exists()


@pytest.mark.parametrize("scale", runs.SCALES)
def test_every_scale_fits_params(scale):
    assert runs.parameters(ROOT, scale)["scale"] == scale
