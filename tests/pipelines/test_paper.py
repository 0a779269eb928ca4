"""An empty paper runs, passes its tests and keeps the rules of the house; what is refused or fails leaves nothing behind."""

import shutil
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from lib.workbook import claims, runs
from pipelines import costs, paper
from pipelines.runner import workspace
from pipelines.runner.notebook_file import clean, read_notebook, source, write
from tests import ROOT

pytestmark = pytest.mark.programs

NAME, FOLDER = "coin_toss", Path("notebooks/discrete/coin_toss")
LAID = {*paper.files(NAME, "discrete").values()}


def done(copy, *command):
    """Run a module in the copy to its good end, and return what it prints."""
    found = workspace.run(copy, *command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


def tree(root):
    """Return what is in the folders and the file that a paper is laid into: path -> content, None for a folder."""
    found = [path for top in ("lib", "notebooks", "pipelines", "tests") for path in (root / top).rglob("*")]
    found = [path for path in [*found, root / "dvc.yaml"] if "__pycache__" not in path.parts]
    return {path.relative_to(root): path.read_bytes() if path.is_file() else None for path in found}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A copy of the workbook at smoke scale, in which no paper is laid."""
    return workspace.refresh(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """A copy in which one is laid, what was there before, and what was said."""
    copy = workspace.refresh(tmp_path_factory.mktemp("laid"))
    before = tree(copy)
    return copy, before, done(copy, "pipelines.paper", NAME, "discrete")


def test_a_paper_is_its_files_and_one_line_of_dvc_yaml(laid):
    copy, before, said = laid
    after = tree(copy)
    assert after.keys() - before.keys() == LAID | {FOLDER, FOLDER.parent}
    assert {path for path in before if after.get(path) != before[path]} == {Path("dvc.yaml")}
    lines, added = after[Path("dvc.yaml")].decode().splitlines(), f"  - {FOLDER}/params.yaml"
    assert [line for line in lines if line != added] == before[Path("dvc.yaml")].decode().splitlines()
    assert all(f"  {path}\n" in said for path in LAID) and "make repro" in said and "references.bib" in said
    assert not [path for path in LAID if b"PAPER" in after[path] or b"PART" in after[path]]
    assert not list((copy / "build/partial").glob("*"))


def test_its_cost_at_the_papers_size_can_be_told(laid):
    small, large = (runs.parameters(laid[0], scale)["runs"][NAME] for scale in ("embedded", "paper"))
    assert costs.factor(costs.leaves(small, large), large["grows"]) == pytest.approx(11110 / 1110)


def test_it_keeps_the_rules_of_the_house(laid):
    copy, _, _ = laid
    done(copy, "pytest", f"tests/experiments/test_{NAME}.py", "tests/house/test_rooms.py", "-p", "no:cacheprovider")
    done(copy, "pytest", "tests/pipelines/test_where.py", "-k", NAME, "-p", "no:cacheprovider")
    files = [str(path) for path in LAID if path.suffix != ".yaml"]
    done(copy, "ruff", "check", "--no-cache", *files)
    done(copy, "ruff", "format", "--no-cache", "--check", *files)
    for path in (FOLDER / f"{NAME}.ipynb", FOLDER / f"{NAME}_run.ipynb"):
        book = read_notebook(copy / path)
        assert (copy / path).read_text() == nbformat.writes(clean(book)) + "\n", "not as notebooks are stored"
        assert "**Question.**" in book.cells[0].source and "## Checks" in [cell.source for cell in book.cells]


def test_its_stages_run_and_show_what_was_stored(laid):
    copy, _, _ = laid
    done(copy, "pipelines.runner.tracked")
    done(copy, "dvc", "repro", "--quiet", f"study@{NAME}")
    assert runs.read_json(copy / f"reports/studies/{NAME}/{NAME}/claims.json") == []
    assert (copy / f"runs/{NAME}/{NAME}/errors.parquet").exists()
    for kind, name in (("run", f"{NAME}_run"), ("study", NAME)):
        stored, again = copy / FOLDER / f"{name}.ipynb", copy / "build/partial/again.ipynb"
        write(source(read_notebook(stored)), again)
        done(copy, "pipelines.runner.kernel", str(again.relative_to(copy)))
        assert clean(read_notebook(again)) == read_notebook(stored), "make notebooks would rewrite it"
        assert (copy / f"reports/notebooks/{kind}-{NAME}.ipynb").exists()
    assert "up to date" in done(copy, "dvc", "status", f"study@{NAME}")


def test_nothing_is_overwritten(laid, monkeypatch):
    copy, _, _ = laid
    monkeypatch.chdir(copy)
    before = tree(copy)
    with pytest.raises(ValueError, match="is there already, and nothing is overwritten; take another name"):
        paper.lay(NAME, "state")
    assert tree(copy) == before


@pytest.mark.parametrize(
    ("name", "part", "why"),
    [
        ("coin_toss", "magic", "no part 'magic'; there are: information, .*, control"),
        ("coin_toss", "", "no part ''; there are: information"),
        ("", "discrete", "the paper's name is ''; it may have letters"),
        ("../coin", "discrete", "the paper's name is '../coin'; it may have .* such as coin"),
        ("coin toss", "discrete", "such as coin_toss"),
        ("Coin", "discrete", "the paper's name is 'Coin'; as it names a module too, it must be of a to z"),
        ("coin-toss", "discrete", "the paper's name is 'coin-toss'; as it names a module too"),
        ("2coins", "discrete", "the paper's name is '2coins'; .* begin with a letter"),
        ("_coin", "discrete", "the paper's name is '_coin'"),
        ("lambda", "discrete", "the paper's name is 'lambda'; .* no word of Python or YAML"),
        ("null", "discrete", "the paper's name is 'null'; .* no word of Python or YAML"),
        ("c" * 41, "discrete", "at most 40 characters"),
        ("cs_ib", "discrete", "notebooks/information/cs_ib is there already"),
        ("tables", "discrete", "lib/experiments/tables.py is there already"),
        ("laws_of_none", "discrete", "tests/experiments/test_laws_of_none is there already"),
        ("spectra", "discrete", "the name 'spectra' is taken by a stage"),
        ("sweep_review", "discrete", "the name 'sweep_review' is taken by a stage"),
        ("sweeps", "discrete", "the name 'sweeps' is taken by a stage or folder"),
    ],
)
def test_what_cannot_be_laid_is_refused(bare, monkeypatch, name, part, why):
    monkeypatch.chdir(bare)
    (bare / "tests/experiments/test_laws_of_none").mkdir(exist_ok=True)
    before = tree(bare)
    with pytest.raises(ValueError, match=why):
        paper.lay(name, part)
    assert tree(bare) == before


def test_a_refusal_is_one_line(bare):
    found = workspace.run(bare, "pipelines.paper", "lambda", "discrete", capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("make paper: the paper's name is 'lambda'") and found.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("no kernel"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", ["execute", "_replace"])
def test_what_fails_or_is_stopped_leaves_nothing(bare, monkeypatch, error, at):
    def fail(*_):
        assert all((bare / path).exists() for path in LAID), "it has begun"
        raise error

    monkeypatch.chdir(bare)
    monkeypatch.setattr(paper, "execute", lambda book, places, path: book)
    monkeypatch.setattr(paper, at, fail)
    before = tree(bare)
    with pytest.raises(type(error)):
        paper.lay(NAME, "discrete")
    assert tree(bare) == before and not (bare / f"build/partial/paper-{NAME}").exists()


@pytest.mark.parametrize("name", ["a", "m" * 40])
def test_templates_stay_in_form_whatever_the_name(tmp_path, name):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))  # which imports are ours
    for kind, path in paper.files(name, "structure").items():
        text = paper.filled(kind, name, "structure")
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(nbformat.writes(paper.notebook(text)) if path.suffix == ".ipynb" else text)
    for command in (["check"], ["format", "--check"]):
        done(tmp_path, "ruff", *command, "--no-cache", ".")


@pytest.mark.parametrize("part", claims.PARTS)
def test_a_line_of_dvc_yaml_comes_in_order_and_changes_no_other(part):
    text, params = (ROOT / "dvc.yaml").read_text(), Path("notebooks", part, "coin_toss/params.yaml")
    changed = paper.with_paper(text, params)
    assert changed.replace(f"  - {params}\n", "") == text
    listed = [Path(line) for line in YAML(typ="safe").load(changed)["vars"]]
    assert listed == sorted(listed, key=runs.by_part) and params in listed


def test_a_line_of_dvc_yaml_leaves_comments_where_they_are():
    papers = ["  # the first", "  - notebooks/b/b/params.yaml  # b", "  - notebooks/d/d/params.yaml"]
    text = "\n".join(["# top", "vars:  # papers", *papers, "", "stages: {}", ""])
    for name, after in (("a", "  # the first\n"), ("c", "  # b\n"), ("e", "d/d/params.yaml\n")):
        line = f"  - notebooks/{name}/{name}/params.yaml\n"
        changed = paper.with_paper(text, Path(f"notebooks/{name}/{name}/params.yaml"))
        assert f"{after}{line}" in changed and changed.replace(line, "") == text
    with pytest.raises(ValueError, match=r"dvc\.yaml has no list `vars:`"):
        paper.with_paper("stages: {}\n", Path("notebooks/a/a/params.yaml"))


def test_a_notebook_is_its_prose_and_its_blocks_of_code():
    text = "# T\n\nsays `x`\n\n```python\nx = 1\n\ny = 2\n```\n\n```python parameters\nout = 3\n```\n\n## U\n"
    book = paper.notebook(text)
    told = [(cell.cell_type, cell.source, cell.metadata.get("tags")) for cell in book.cells]
    assert told == [
        ("markdown", "# T\n\nsays `x`", None),
        ("code", "x = 1\n\ny = 2", None),
        ("code", "out = 3", ["parameters"]),
        ("markdown", "## U", None),
    ]
