"""What belongs to a paper is found by its name and its works: nothing is missed, nothing made up."""

import json

import nbformat
import pytest

from lib.workbook import claims, runs
from pipelines.reporting import papers
from pipelines.reporting.bibliography import works
from tests import ROOT
from tests.pipelines.test_ledger import verdicts
from tests.workbook.test_claims import CLAIM

PAPERS = papers.folders(ROOT)
WORK = "@article{%s,\n  title = {On %s},\n  year = {2020},\n}\n"
LIB = {
    "estimators/plain.py": '"""Sums. Source: [b2020]."""\n',
    "estimators/fine.py": (
        'def one(x):\n    """One.\n\n    Source: [a2020], [b2020].\n    """\n\n\n'
        'class Two:\n    """Two."""\n\n    def go(self):\n        """Go. Source: [a2020], after [c2020]."""\n\n\n'
        'three = one\nthree.__doc__ = """Three. Source: [c2020]."""\n# Source: [a2020], in a comment\n'
    ),
    "experiments/toy.py": '"""Source: [a2020]."""\n',
}


CLAIMS = """
toy:
  - source: a2020
    where: Fig. 1
    published: 1
    rule: {above: 0, of: way}
    claims:
      toy_one: {says: toys move, data: toys}
      toy_two: {says: and roll, data: toys}
  - source: c2020
    where: Fig. 2
    published: 1
    rule: {above: 0, of: way}
    data: {red: red toys, blue: blue toys}
    claims:
      "{data}_moves": {says: "{title} move"}
"""


def book(question: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(question)])


@pytest.fixture
def toy(tmp_path):
    """A workbook of one paper, `toy`, with a study that makes claims of two works, one of them on two sets of data."""
    place = tmp_path / "notebooks/discrete/toy"
    place.mkdir(parents=True)
    (place / "params.yaml").write_text("runs: {toy: {}}\nstudies: {toy: {}}\n")
    (place / "claims.yaml").write_text(CLAIMS)
    asks = "# Toys\n\n**Question.** Toys (Lee et al. 2020) move. Do they roll | run? And why?\n\n**What theory predicts.** No?"
    nbformat.write(book(asks), place / "toy.ipynb")
    nbformat.write(book("# Toys"), place / "toy_run.ipynb")
    for name, text in LIB.items():
        (tmp_path / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / name).write_text(text)
    (tmp_path / "references.bib").write_text("".join(WORK % (key, key) for key in ("a2020", "b2020", "c2020")))
    (tmp_path / "reports").mkdir()
    accepted = {"embedded": {"claims": {"toy_one": {"verdict": "holds"}, "red_moves": {"verdict": "fails"}}}}
    (tmp_path / "reports/reference.json").write_text(json.dumps(accepted))
    return tmp_path


def test_works_are_those_of_the_claims(toy):
    assert papers.sources("toy", toy) == ["a2020", "c2020"]


def test_verdicts_are_the_last_runs_or_else_those_accepted(toy):
    where, found = papers.verdicts("toy", toy)
    wanted = {"toy_one": "holds", "toy_two": "not accepted yet", "red_moves": "fails"}
    assert (where, found) == ("as accepted at the scale embedded", wanted)
    assert papers.counted(found) == "3: 1 holds, 1 fails, 1 not accepted yet" and papers.counted({}) == "none"
    row = claims.judge(CLAIM, [0.0] * 5, scale="paper")
    (toy / "reports/studies/toy/toy").mkdir(parents=True)
    claims.write(toy / "reports/studies/toy/toy", [row])
    assert papers.verdicts("toy", toy) == ("as the last run found, scale paper", {"a_claim": "fails"})


def test_methods_are_what_names_the_work_as_its_source(toy):
    found = {path.as_posix(): names for path, names in papers.methods(["a2020"], toy).items()}
    assert found == {"lib/estimators/fine.py": ["one", "go"]}
    found = {path.as_posix(): names for path, names in papers.methods(["b2020", "c2020"], toy).items()}
    assert found == {"lib/estimators/fine.py": ["one", "three", "go"], "lib/estimators/plain.py": ["the module"]}
    assert papers.methods([], toy) == {}


def test_a_paper_asks_by_its_title_or_else_by_its_questions(toy):
    assert papers.question("toy", toy) == "Toys. Do they roll | run? And why?"
    assert papers.question("koopman_spectra", ROOT) == "Which eigenvalues does the system have?"


def test_the_table_has_papers_that_make_claims(toy):
    books = "[toy](../notebooks/discrete/toy/toy.ipynb), [toy_run](../notebooks/discrete/toy/toy_run.ipynb)"
    row = f"| `toy` | Toys. Do they roll &#124; run? And why? | [a2020](#a2020), [c2020](#c2020) | {books} |"
    assert papers.table(toy)[2:] == [row]
    (toy / "notebooks/discrete/toy/claims.yaml").write_text("toy: []\n")
    assert papers.table(toy)[2:] == []


def test_every_claim_and_every_work_of_the_workbook_belongs_to_a_paper():
    accepted = runs.read_json(ROOT / "reports/reference.json")["embedded"]["claims"]
    wanted = {name: claim["verdict"] for name, claim in accepted.items()}
    if not list(ROOT.glob("reports/studies/*/*/claims.json")):
        found = [papers.verdicts(paper, ROOT)[1] for paper in PAPERS]
        assert sum(map(len, found)) == len(wanted) and {k: v for one in found for k, v in one.items()} == wanted
    named = {key for paper in PAPERS for key in papers.sources(paper, ROOT)}
    assert named == set(verdicts()) and named <= set(works(ROOT / "references.bib"))


def test_readme_has_the_papers_that_make_claims(toy):
    (toy / "params.yaml").write_text("scale: smoke\n")
    assert papers.by_part(toy)[2:] == ["| discrete | [toy](notebooks/discrete/toy) |"]
    text = papers.with_papers(f"a\n{papers.START}\nold\n{papers.END}\nb\n", toy)
    assert text == "\n".join(["a", papers.START, *papers.by_part(toy), papers.END, "b", ""])
    with pytest.raises(ValueError, match=r"README\.md has no lines <!-- papers, as"):
        papers.with_papers("a\n", toy)
    own = (ROOT / "README.md").read_text()
    assert papers.with_papers(own, ROOT) == own, "`make accept` writes the table of papers"
