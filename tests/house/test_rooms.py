"""The house keeps its shape: imports go down, papers stay apart, tests mirror modules, names lead to something."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import nbformat
import pytest

import lib
from lib.workbook import claims, runs
from pipelines.reporting import papers
from pipelines.reporting.bibliography import works
from pipelines.runner.imports import Modules
from tests import ROOT

MODULES = Modules(ROOT)
NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
MIRRORED = [p for top in ("lib", "pipelines") for p in sorted((ROOT / top).rglob("*.py")) if p.name != "__init__.py"]


def room(module: str) -> str:
    """The folder of lib that a module lies in: its level, as imports between rooms go one way."""
    return module.split(".")[1]


def arrows(modules: Modules) -> dict[str, set[str]]:
    """Room -> the rooms that its modules import."""
    found = {}
    for module in modules.files:
        if "." in module:
            others = {room(other) for other in modules.direct(module) if "." in other}
            found.setdefault(room(module), set()).update(others - {room(module)})
    return found


def test_lib_is_this_repository():
    assert Path(lib.__file__) == ROOT / "lib/__init__.py"


def test_imports_between_rooms_go_one_way():
    try:
        order = list(TopologicalSorter(arrows(MODULES)).static_order())
    except CycleError as error:
        pytest.fail(f"rooms of lib import each other in a circle: {' <- '.join(error.args[1])}")
    assert set(order) == {p.name for p in (ROOT / "lib").iterdir() if (p / "__init__.py").exists()}


def test_a_circle_is_seen(tmp_path):
    for name, text in {"a/x.py": "from lib.b import y\n", "b/y.py": "", "b/z.py": "import lib.a.x\n"}.items():
        (tmp_path / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / name).write_text(text)
    for folder in ("lib", "lib/a", "lib/b"):
        (tmp_path / folder / "__init__.py").write_text("")
    with pytest.raises(CycleError):
        list(TopologicalSorter(arrows(Modules(tmp_path))).static_order())


def test_no_module_stands_in_the_street():
    assert [p.name for p in (ROOT / "lib").glob("*.py")] == ["__init__.py"]


def test_nothing_imports_experiments_and_papers_stay_apart():
    for module in MODULES.files:
        others = {other for other in MODULES.direct(module) if other.startswith("lib.experiments.")}
        if room(f"{module}.") != "experiments":
            assert not others, f"{module} imports {others}; what others need is no experiment's own"
            continue
        paper = module.split(".")[2:3]
        apart = {other for other in others if other.split(".")[2:3] not in (paper, ["tables"])}
        assert not apart, f"{module} imports {apart}, of another paper; put what both need into its family"


def reaching_up(source: str) -> list[str]:
    """The modules of pipelines or tests that a source imports, wherever it does."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [getattr(node, "module", None) or alias.name for node in nodes for alias in node.names]
    return [name for name in names if name.split(".")[0] in ("pipelines", "tests")]


@pytest.mark.parametrize("module", MODULES.files)
def test_lib_reaches_up_into_nothing(module):
    assert reaching_up(MODULES.files[module].read_text()) == [], "what lib imports there is no stage's dependency"


@pytest.mark.parametrize("line", ["from pipelines.runner import outcome", "import pipelines", "def f():\n    import tests.toy"])
def test_what_reaches_up_is_seen(line):
    assert reaching_up(line)


def test_importing_lib_is_light():
    assert MODULES.direct("lib") == {"lib", "lib.core", "lib.core.working_copy"}
    places = {"lib/__init__.py": ["lib.core"], "lib/core/__init__.py": [], "lib/core/working_copy.py": ["os", "sys"]}
    for path, names in places.items():
        found = [n for n in ast.parse((ROOT / path).read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
        assert [getattr(n, "module", None) or n.names[0].name for n in found] == names


STAGES = runs.read_yaml(ROOT / "dvc.yaml")["stages"]


def commands(stage: dict) -> list[str]:
    given = stage.get("do", stage)["cmd"]
    return given if isinstance(given, list) else [given]


def notebooks_of(stage: dict) -> list[str]:
    """Names of the notebooks that a stage, or each stage of its foreach, runs."""
    match = re.search(r"pipelines\.run_notebook (\S+)", " ".join(commands(stage)))
    if not match:
        return []
    entries = runs.section(runs.parameters(ROOT), stage["foreach"].strip("${}")) if "foreach" in stage else {"": {}}
    named = set()
    for key, entry in entries.items():
        given = {"${key}": key} | {f"${{item.{name}}}": value for name, value in entry.items() if isinstance(value, str)}
        named.add(re.sub(r"\$\{[\w.]+\}", lambda m, given=given: given[m[0]], match[1]))
    return sorted(named)


@pytest.mark.parametrize("name", STAGES)
def test_no_shell_stands_between_dvc_and_a_stage(name):
    for command in commands(STAGES[name]):
        assert command.startswith("exec python -m pipelines.")


@pytest.mark.parametrize("name", [name for name in STAGES if notebooks_of(STAGES[name])])
def test_a_stage_depends_on_its_notebook_and_on_what_that_imports(name):
    deps = STAGES[name].get("do", STAGES[name])["deps"]
    books = [dep.removesuffix(".ipynb") for dep in deps if dep.startswith("build/notebooks/") and dep.endswith(".ipynb")]
    assert len(books) == 1 and f"{books[0]}.imports" in deps
    assert f"run_notebook {books[0].removeprefix('build/notebooks/')} " in " ".join(commands(STAGES[name]))


def test_names_are_checked_whenever_a_file_that_may_hold_them_changes():
    assert {"params.yaml", "notebooks"} <= set(STAGES["strip"]["deps"]), "strip refuses names before a shell sees them"


def test_no_stage_lists_files_of_lib():
    listed = [dep for stage in STAGES.values() for dep in stage.get("do", stage).get("deps", []) if dep.startswith("lib")]
    assert listed == ["lib"], "strip alone reads lib, and derives what each notebook imports"


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
    assert len(code) <= 30, f"{len(code)} cells of code; a notebook answers one question, so split it by question"
    assert sum(c.cell_type == "markdown" for c in book.cells) >= 3
    assert any(re.search(r"^ *assert ", source, re.M) for source in code), "it checks nothing of what it shows"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_figure_is_shown(notebook):
    for cell in nbformat.read(notebook, 4).cells:
        if cell.cell_type == "code" and re.search(r"^with plot\.style", cell.source, re.M):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), f"no figure below:\n{cell.source}"


def test_sources_are_in_the_bibliography():
    named = {key: path.name for path in MODULES.files.values() for key in papers.cited(path.read_text())}
    assert named, "no docstring names its source"
    missing = {key: where for key, where in named.items() if key not in works(ROOT / "references.bib")}
    assert not missing, f"references.bib lacks {missing}"


def test_names_in_params_lead_somewhere():
    from lib.bottlenecks import BOTTLENECKS
    from lib.data import DATASETS

    params = runs.parameters(ROOT)
    assert {entry["source"] for entry in params["data"].values()} <= set(DATASETS)
    for network in params["networks"].values():
        assert network["data"] in params["data"]
        for label, method in network["train"]["methods"].items():
            assert method.get("objective", label) in BOTTLENECKS
    made = {f"runs/{entry['paper']}/{key}" for kind in ("networks", "runs") for key, entry in params[kind].items()}
    made |= {f"runs/sweeps/{name}" for name in params["sweeps"]}
    for kind in ("runs", "studies", "views"):
        for key, entry in params[kind].items():
            found = {place for place in made if f"{place}/".startswith(f"{entry['reads']}/")}
            assert found or entry["reads"].startswith("data/raw"), f"nothing that {kind}.{key} reads is made"
    for name, sweep in params["sweeps"].items():
        assert runs.read_yaml(ROOT / f"pipelines/sweeps/{name}.yaml")["notebook"] == sweep["notebook"]


@pytest.mark.parametrize("scale", runs.SCALES)
def test_every_scale_fits_params(scale):
    assert runs.parameters(ROOT, scale)["scale"] == scale


PAPERS = runs.papers(ROOT)


def test_dvc_reads_the_parameters_of_every_paper():
    read = runs.read_yaml(ROOT / "dvc.yaml")["vars"]
    assert read == [path.relative_to(ROOT).as_posix() for path in PAPERS]
    assert {path.parent for path in ROOT.glob("notebooks/*/*/*.ipynb")} == {path.parent for path in PAPERS}


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *PAPERS], ids=lambda p: p.parent.name)
def test_a_file_of_parameters_has_every_scale(path):
    assert set(runs.read_yaml(path)["scales"]) == set(runs.SCALES), "dvc.yaml names the section of the scale that it runs"


@pytest.mark.parametrize("path", PAPERS, ids=lambda p: p.parent.name)
def test_the_notebooks_of_a_paper_are_those_that_it_names(path):
    told = runs.read_yaml(path)
    named = {run["notebook"] for run in told.get("runs", {}).values()} | set(told.get("studies", {}))
    sweeps = {entry["notebook"].rpartition("/")[2] for entry in runs.parameters(ROOT)["sweeps"].values()}
    there = {book.stem for book in path.parent.glob("*.ipynb")}
    assert there - sweeps == named and all(run["notebook"].endswith("_run") for run in told.get("runs", {}).values())


@pytest.mark.parametrize("path", [path for path in PAPERS if runs.read_yaml(path).get("studies")], ids=lambda p: p.parent.name)
def test_every_study_has_its_claims_of_works_that_are_known(path):
    told, keys = path.with_name("claims.yaml"), works(ROOT / "references.bib").keys()
    assert list(runs.read_yaml(told)) == list(runs.read_yaml(path)["studies"])
    found = [claim for study in runs.read_yaml(told) for claim in claims.read(told, study).claims.values()]
    assert {claim.source for claim in found} <= keys
    leaning = [c.says for c in found if re.match(r"(.*: )?(and|but|so|because|they|it)\b", c.says)]
    assert not leaning, "a sentence is read by itself, or beside others than those that stand around it here"
    assert len({claim.id for claim in found}) == len(found)


@pytest.mark.parametrize("module", MIRRORED, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_has_its_tests(module):
    top, *folders, name = module.relative_to(ROOT).parts
    place = ROOT.joinpath("tests", *(["pipelines"] if top == "pipelines" else []), *folders, f"test_{name}")
    assert place.exists(), f"{place.relative_to(ROOT)} is missing; it tests {module.relative_to(ROOT)}"
    assert re.search(r"^ *def test_", place.read_text(), re.M), f"{place.relative_to(ROOT)} tests nothing"
