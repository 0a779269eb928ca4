"""Where a paper lies is printed, a path a line: all of them are there, and nothing of it is missing."""

import pytest

from lib.workbook import runs
from pipelines import where
from pipelines.reporting import papers
from tests import ROOT

PAPERS = papers.folders(ROOT)
PATHS = ("notebooks", "parameters", "experiments", "tests", "recorded")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_path_is_there(paper):
    found = where.belongings(paper, ROOT)
    told = [line for heading in PATHS for line in found.get(heading, [])]
    told += [line.split(":")[0] for line in found.get("methods", [])]
    told += [line for line in found["results"] if not line.endswith(": not run yet")]
    assert len(told) >= 2 and [line for line in told if not (ROOT / line).exists()] == []
    assert all((ROOT / line.split(":")[0]).exists() is (": " not in line) for line in found["results"])


def test_every_experiment_record_and_stage_of_a_paper_is_told_once():
    found = [where.belongings(paper, ROOT) for paper in PAPERS]
    listed = lambda heading: [line for one in found for line in one.get(heading, [])]  # noqa: E731
    folders = [path for path in (ROOT / "lib/experiments").glob("*/") if (path / "__init__.py").exists()]
    modules = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.glob("*.py")}
    assert modules <= set(listed("experiments"))
    assert sorted(listed("recorded")) == sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("reports/recorded/*.json"))
    params = runs.parameters(ROOT)
    named = {"train": "networks", "information_plane": "networks", "run": "runs", "study": "studies", "sweep": "sweeps"}
    assert sorted(listed("stages")) == sorted(f"{stage}@{key}" for stage, kind in named.items() for key in params[kind])


def test_what_a_paper_reads_of_others_is_told():
    assert where.belongings("labo", ROOT)["reads"] == ["runs/concept_scenes/methods"]
    assert where.belongings("koopman_spectra", ROOT)["reads"] == ["runs/systems/trajectories"]


def test_a_paper_is_printed_under_short_headings(capsys):
    assert where.main(["lossy_compression"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:7] == [
        *("notebooks", "parameters", "experiments", "tests", "stages", "reads", "results")
    ]
    wanted = {
        "  notebooks/information/lossy_compression/params.yaml",
        "  notebooks/information/lossy_compression/record.yaml",
        "  lib/experiments/lossy_compression/noisy_cnn.py",
        "  tests/experiments/lossy_compression/test_noisy_cnn.py",
        "  study@lossy_compression",
        "  butakov2024information: Information Bottleneck Analysis of Deep Neural Networks via Lossy Compression (2024)",
        "  lib/nets/stacked.py: relative_noise, StochasticCNN",
    }
    assert wanted <= set(lines) and any(line.startswith("  13: ") for line in lines)


def test_an_unknown_paper_is_refused_by_those_that_there_are():
    with pytest.raises(ValueError, match=r"no paper 'lossy'; there are: adaptive_estimators, .*, systems"):
        where.main(["lossy"])
