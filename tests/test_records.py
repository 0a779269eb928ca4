"""Records are complete: each stands in for params.yaml, and what it names is there."""

from pathlib import Path

import nbformat
import pytest

from lib import runs
from lib.bottlenecks import chosen
from lib.data import DATASETS
from lib.plan import planned
from pipelines.notebook_file import declared, typed

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "pipelines/records").glob("*.yaml"))


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
    sets = ("california_housing", "beijing_pm25", "bike_sharing", "appliances_energy")
    assert {f"cs_ib_regression-{name}" for name in sets} <= names
