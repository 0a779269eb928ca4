"""The time to go follows what stages took here, what they usually take, and the pace of this run."""

import csv
import time

import pytest

from lib.core.progress import Report
from lib.workbook import status
from pipelines import where
from pipelines.reporting import papers
from pipelines.runner import stage_times
from tests import ROOT

EXPECTED = {"prepare@a": 10.0, "train@a": 60.0, "report": 4.0}


@pytest.mark.parametrize("scale", ["smoke", "embedded"])
def test_the_usual_times_that_ship_are_those_of_all_stages(scale):
    with stage_times.USUAL.open() as file:
        rows = [row for row in csv.DictReader(file) if row["scale"] == scale]
    known, told = status.commands(ROOT).keys(), {row["stage"] for row in rows}
    assert told <= known and len(rows) == len(told)
    young = [place for paper, place in papers.folders(ROOT).items() if not papers.sources(paper, ROOT)]
    assert known - told <= {name for place in young for name in where.stages(place, ROOT)}, "of papers that make no claims yet"
    assert all(float(row["seconds"]) >= 0 for row in rows)


def test_a_first_run_goes_by_the_usual_times_and_a_later_one_by_its_own(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for name in ("pipelines", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    first = stage_times.usual(tmp_path, status.commands(tmp_path))
    log = tmp_path / "build/logs/stages.csv"
    log.parent.mkdir(parents=True)
    log.write_text("train-tanh,2026-01-01T00:00:00,999.5,smoke\ntrain-relu,2026-01-01T00:00:00,7.5,embedded\n")
    later = stage_times.usual(tmp_path, status.commands(tmp_path))
    assert later["train@relu"] == 7.5 + stage_times.AROUND
    assert later["train@tanh"] == first["train@tanh"], "another scale says nothing"
    assert {name for name in first if first[name] != later[name]} == {"train@relu"}


def test_what_is_left_is_counted_at_the_pace_of_what_ran():
    assert stage_times.to_go(EXPECTED, {}, set()) == 74.0
    assert stage_times.to_go(EXPECTED, {"prepare@a": 30.0}, {"prepare@a"}) == 64.0 * 3
    assert stage_times.to_go(EXPECTED, {}, {"prepare@a"}) == 64.0, "a stage that had nothing to do tells no pace"
    assert stage_times.to_go({"strip": 1.0} | EXPECTED, {"strip": 9.0}, {"strip"}) == 74.0, "nor does a short one"
    assert stage_times.to_go(EXPECTED, dict.fromkeys(EXPECTED, 1.0), set(EXPECTED)) == 0.0


def test_a_run_reports_how_many_stages_are_done(monkeypatch):
    said = []
    monkeypatch.setattr(Report, "send", lambda self, **_: said.append(dict(self.told)))
    monkeypatch.setattr(stage_times, "usual", lambda root, commands: dict(EXPECTED))
    with stage_times.Progress(ROOT, {}) as progress:
        with progress.stage("data.dvc"):
            pass
        for name in EXPECTED:
            with progress.stage(name):
                time.sleep(0.01)
    counts = [(one["n"], one["doing"], round(one["left"])) for one in said[:-1]]
    assert counts[0] == (0, "", 74) and counts[1] == (0, "prepare@a", 74) and counts[2] == (1, "", 64)
    assert counts[-1] == (3, "", 0) and said[-1]["n"] is None and {one["total"] for one in said} == {3}
