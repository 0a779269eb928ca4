"""Records are complete: each stands in for params.yaml, and what it names is there."""

import shutil
from contextlib import suppress

import nbformat
import pytest

from lib.bottlenecks import chosen
from lib.core.plan import planned
from lib.data import DATASETS, annotations, public
from lib.data.addresses import SOURCES
from lib.data.annotations import ANNOTATED
from lib.data.series import SERIES
from lib.experiments.concepts_on_real_data import published_sentences
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


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_the_hash_of_every_file_that_it_fetches(name):
    wanted = {f"{source}/{file}": digest for source in PUBLIC.get(name, ()) for file, digest in SOURCES[source].files.items()}
    assert record.fetched(ROOT, complete(name)) == wanted


@pytest.mark.parametrize("path", sorted((ROOT / record.RECORDED).glob("*.json")), ids=lambda p: p.stem)
def test_evidence_names_the_files_that_its_record_fetches(path):
    assert runs.read_json(path)["hashes"] == record.fetched(ROOT, complete(path.stem)), f"run `make record STUDY={path.stem}`"


def test_with_weights_a_record_has_pictures_and_sentences_too():
    params = complete("concepts_on_real_data")
    without = record.fetched(ROOT, params)
    params["runs"]["annotations"]["parameters"]["weights"] = {"tag": "ViT-L-14", "pretrained": "openai"}
    more = record.fetched(ROOT, params)
    named = {f"{source}/{file}" for source, file in published_sentences.files(["data_batch_1"])}
    assert more.keys() - without.keys() == named and "cifar10/data_batch_1" in named and without.items() < more.items()


@pytest.mark.parametrize("known", [DATASETS, SERIES, ANNOTATED], ids=["tables", "series", "annotated"])
def test_data_come_from_the_source_that_a_record_takes_them_from(known, monkeypatch, tmp_path):
    asked = []

    def seen(source, files=None):
        asked.append(source)
        raise FileNotFoundError(source)

    for module in (public, annotations):
        monkeypatch.setattr(module, "fetch", seen)
    for name, loader in known.items():
        asked.clear()
        with suppress(FileNotFoundError):
            loader(tmp_path)  # where nothing is embedded
        assert asked == [source for source in [record.OTHERWISE.get(name, name)] if source in SOURCES], name
