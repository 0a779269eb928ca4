"""Records are complete: each stands in for params.yaml, and what it names is there."""

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

RECORDS = sorted((ROOT / "pipelines/records").glob("*.yaml"))
TABLES = ("california_housing", "beijing_pm25", "bike_sharing", "appliances_energy")
PUBLIC = {  # what records read that does not ship with the repository
    "concepts_on_real_data": {"wbcatt", "derm7pt_meta", "cub200_meta"},
    "forecasting_with_missing_values": {"ett", "exchange_rate"},
    "lossy_compression": {"mnist"},
    **{f"cs_ib_regression-{name}": {name} for name in TABLES},
}


def complete(name: str) -> dict:
    return {"data": {}, "trials": {}} | runs.read_yaml(ROOT / f"pipelines/records/{name}.yaml")


def takes(notebook: str, given: dict) -> None:
    book = nbformat.read(ROOT / f"notebooks/{notebook}.ipynb", 4)
    typed(declared(book, notebook), given, notebook)


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_a_record_stands_in_for_params(path):
    record, params = runs.read_yaml(path), runs.read_yaml(ROOT / "params.yaml")
    assert set(record) <= set(params), "dvc.yaml reads no other section"
    assert list(record["studies"]) == [path.stem.partition("-")[0]]
    assert record["scale"] == "paper" and len(record["seeds"]) >= 5
    assert {entry["source"] for entry in record.get("data", {}).values()} <= set(DATASETS)
    for run in record.get("runs", {}).values():
        assert run["data"] in record["data"]
        takes("train", run["train"])
        takes("information_plane", run["plane"])
        planned(run["train"]["plan"])
        for label, settings in run["train"]["methods"].items():
            chosen(label, settings)


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_a_records_notebooks_take_its_parameters(path):
    record = runs.read_yaml(path)
    for trial in record.get("trials", {}).values():
        takes(f"trials/{trial['notebook']}", trial["parameters"])
    for name, study in record["studies"].items():
        takes(f"studies/{name}", study["parameters"])
    made = {entry["family"] for kind in ("runs", "trials") for entry in record.get(kind, {}).values()}
    assert {study["family"] for study in record["studies"].values()} == made


def test_the_study_of_several_data_sets_has_a_record_for_each():
    names = {path.stem for path in RECORDS}
    assert {f"cs_ib_regression-{name}" for name in TABLES} <= names


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_a_record_has_the_hash_of_every_file_that_it_fetches(path):
    wanted = {f"{name}/{file}": digest for name in PUBLIC.get(path.stem, ()) for file, digest in SOURCES[name].files.items()}
    assert record.fetched(ROOT, complete(path.stem)) == wanted


@pytest.mark.parametrize("path", sorted((ROOT / record.RECORDED).glob("*.json")), ids=lambda p: p.stem)
def test_evidence_names_the_files_that_its_record_fetches(path):
    assert runs.read_json(path)["hashes"] == record.fetched(ROOT, complete(path.stem)), f"run `make record STUDY={path.stem}`"


def test_with_weights_a_record_has_pictures_and_sentences_too():
    params = complete("concepts_on_real_data")
    without = record.fetched(ROOT, params)
    params["trials"]["annotated_sets"]["parameters"]["weights"] = {"tag": "ViT-L-14", "pretrained": "openai"}
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
