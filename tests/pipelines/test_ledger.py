"""The verdicts that people are told are those that were accepted, and one that differs is named."""

import re
from pathlib import Path

import pytest

from lib.workbook import claims, runs
from pipelines import accept, ledger
from pipelines.reporting import papers
from tests import ROOT


def verdicts():
    """Claims and their verdicts by the work that made them, as reports/verdicts.md has them."""
    page = (ROOT / "reports/verdicts.md").read_text()
    sections = re.split(r"^## (\w+)$", page, flags=re.M)[1:]
    found = [re.findall(r"^\| `(\w+)`.*\| ([\w ]+) \|$", text, re.M) for text in sections[1::2]]
    return dict(zip(sections[::2], map(dict, found), strict=True))


def test_the_verdicts_that_are_told_are_those_accepted():
    accepted = runs.read_json(ROOT / ledger.REFERENCE)["embedded"]["claims"]
    told = {name: verdict for rows in verdicts().values() for name, verdict in rows.items()}
    assert told == {name: claim["verdict"] for name, claim in accepted.items()}


def test_the_page_is_as_accepting_the_verdicts_writes_it(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "reports/verdicts.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| ([\w ]+) \|$", text, re.M)
    of = {name: source for source, rows in verdicts().items() for name in rows}
    rows = [{"id": i, "source": of[i], "says": says, "data": data, "verdict": v} for i, says, data, v in told if i in of]
    asked = re.compile(r"^(\| `\w+` \| ).*?( \| \[\w+\]\(#\w+\).*)$", re.M)  # it may be put better before the next run
    assert asked.sub(r"\1\2", ledger.page(rows)) == asked.sub(r"\1\2", text), "after make repro: make accept"


def test_the_page_counts_the_verdicts_of_every_work():
    text = (ROOT / "reports/verdicts.md").read_text()
    counted = re.findall(r"^\| .*\(#(\w+)\) \(\d{4}\) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M)
    told = {source: tuple(map(int, numbers)) for source, *numbers in counted}
    of = lambda rows: tuple(list(rows.values()).count(verdict) for verdict in claims.VERDICTS)  # noqa: E731
    assert told == {source: of(rows) for source, rows in verdicts().items()}


ROWS = [
    {"id": "a", "source": "x", "says": "|p| grows", "data": "toy", "scale": "embedded", "verdict": "holds"},
    {"id": "b", "source": "x", "says": "it is so", "data": "toy", "scale": "embedded", "verdict": "fails"},
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder after a run of two claims, one of which a study draws; what was accepted is stored."""
    monkeypatch.chdir(tmp_path)
    Path("reports/studies/q/own/figures").mkdir(parents=True)
    Path("params.yaml").write_text("scale: embedded\nstudies: {own: {paper: q, hero: drawn}, other: {paper: q}}\n")
    Path("references.bib").write_text("@article{x,\n  title = {On {X}},\n  year = {2020}\n}\n")
    Path("README.md").write_text(f"{papers.START}\n{papers.END}\n")
    Path("reports/studies/q/own/figures/drawn.svg").write_text("<svg/>")
    runs.write_json(ledger.CLAIMS, ROWS)
    accepted = {"claims": {name: {"verdict": "holds"} for name in "ab"}}
    runs.write_json(ledger.REFERENCE, {"smoke": {"claims": {"a": {"verdict": "not at this scale"}}}, "embedded": accepted})
    return tmp_path


def test_a_verdict_that_is_not_the_accepted_one_of_its_scale_is_named(run):
    assert ledger.flips(ROWS) == ["b: expected 'holds', now 'fails'"]
    assert ledger.flips([row | {"scale": "paper"} for row in ROWS[:1]]) == ["a: expected None, now 'holds'"]


def test_what_is_accepted_at_the_embedded_scale_is_shown(run):
    accept.show_embedded()
    page = Path("reports/verdicts.md").read_text()
    assert "| [On X](#x) (2020) | 1 | 1 | 0 |" in page and "| `a` | &#124;p&#124; grows | toy | holds |" in page
    assert [path.name for path in Path("reports/figures").iterdir()] == ["drawn.svg"]
    assert Path("README.md").read_text() == "\n".join([papers.START, *papers.by_part(Path()), papers.END, ""])
