"""Records are complete: each stands in for params.yaml, and what it names is there."""

import shutil

import nbformat
import pytest

from lib.bottlenecks import chosen
from lib.core.plan import planned
from lib.data import DATASETS
from lib.data.addresses import SOURCES
from lib.workbook import runs
from pipelines import record
from pipelines.runner.notebook_file import declared, typed
from tests import ROOT

RECORDS = record.records(ROOT)
TABLES = ("california_housing", "beijing_pm25", "bike_sharing", "appliances_energy")
PUBLIC = {  # what records read that does not ship with the repository
    "concepts_on_real_data": {"wbcatt", "derm7pt_meta", "cub200_meta"},
    "crib": {"ett", "exchange_rate"},
    "lossy_compression": {"mnist"},
    **{f"cs_ib-{name}": {name} for name in TABLES},
}


def complete(name: str) -> dict:
    return {"data": {}, "runs": {}} | runs.read_yaml(RECORDS[name])


def takes(notebook: str, given: dict) -> None:
    book = nbformat.read(ROOT / f"notebooks/{notebook}.ipynb", 4)
    typed(declared(book, notebook), given, notebook)


@pytest.fixture
def copy(tmp_path):
    """What of a clone a record takes the place of."""
    for path in (ROOT / "params.yaml", *ROOT.glob(runs.PAPERS)):
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    return tmp_path


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_stands_in_for_all_parameters(name, copy):
    told = runs.read_yaml(RECORDS[name])
    record.stand_in(copy, RECORDS[name].relative_to(ROOT), told)
    given = runs.parameters(copy)
    assert {section: content for section, content in given.items() if content} == told
    assert list(told["studies"]) == [name.partition("-")[0]]
    assert told["scale"] == "paper" and len(told["seeds"]) >= 5
    assert {entry["source"] for entry in told.get("data", {}).values()} <= set(DATASETS)
    for run in told.get("networks", {}).values():
        assert run["data"] in told["data"]
        takes("steps/train", run["train"])
        takes("steps/information_plane", run["plane"])
        planned(run["train"]["plan"])
        for label, settings in run["train"]["methods"].items():
            chosen(label, settings)


@pytest.mark.parametrize("name", RECORDS)
def test_a_records_notebooks_take_its_parameters(name):
    told = runs.read_yaml(RECORDS[name])
    for run in told.get("runs", {}).values():
        takes(f"{run['part']}/{run['paper']}/{run['notebook']}", run["parameters"])
    for study, entry in told["studies"].items():
        takes(f"{entry['part']}/{entry['paper']}/{study}", entry["parameters"])
    papers = {entry["paper"] for kind in ("networks", "runs") for entry in told.get(kind, {}).values()}
    assert {entry["reads"] for entry in told["studies"].values()} == {f"runs/{paper}" for paper in papers}


def test_the_study_of_several_data_sets_has_a_record_for_each():
    assert {f"cs_ib-{name}" for name in TABLES} <= set(RECORDS)


@pytest.mark.parametrize("path", sorted((ROOT / record.RECORDED).glob("*.json")), ids=lambda p: p.stem)
def test_evidence_names_the_files_that_its_study_is_about(path):
    sources = PUBLIC.get(path.stem, ())
    wanted = {f"{source}/{file}": digest for source in sources for file, digest in SOURCES[source].files.items()}
    assert runs.read_json(path)["hashes"] == wanted, f"run `make record STUDY={path.stem}`"


def test_what_a_run_fetched_is_told_once_each_by_name(tmp_path):
    assert record.fetched(tmp_path / "none") == {}
    (tmp_path / "told").write_text("b/x y.csv md5:1\na/z 2\nb/x y.csv md5:1\n")
    assert list(record.fetched(tmp_path / "told").items()) == [("a/z", "2"), ("b/x y.csv", "md5:1")]
