"""The exported crate reads back with the run's files and their hashes, and is valid; without a run there is none."""

import hashlib
import json
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from pipelines import crate
from tests.pipelines.samples import finished_run


@pytest.fixture
def root(tmp_path):
    return finished_run(tmp_path)


def test_a_crate_reads_back_with_hashes_licences_and_citations(root):
    crate.built(root).write(root / "crate")
    back = ROCrate(root / "crate")
    assert back.mainEntity.id == "dvc.yaml" and back.get("#data-toy")["license"] == "CC0"
    assert back.get("params.yaml")["sha256"] == hashlib.sha256(b"seeds: [0]\n").hexdigest()
    made = {entity.id for entity in back.get("#run")["result"]}
    assert made == {*crate.RESULTS, "reports/notebooks/study-mine.ipynb"}, "a study that is gone is no result"
    assert back.get("#run")["description"].startswith("commit abc of the run, on a machine, by DVC ")
    assert back.root_dataset["citation"][0]["name"] == "On B" and len(back.root_dataset["citation"]) == 1
    assert json.loads((root / "crate/reports/claims.json").read_text()) == [{"source": "a2020b"}]


def test_without_a_run_there_is_no_crate(root):
    (root / "reports/claims.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"reports/claims\.json does not exist; `make repro` writes it"):
        crate.built(root)


@pytest.mark.parametrize("own", ["thesis/one.txt", "thesis"])
def test_what_is_no_crate_is_never_replaced(root, monkeypatch, own):
    monkeypatch.chdir(root)
    Path(own).parent.mkdir(exist_ok=True)
    Path(own).write_text("mine")
    with pytest.raises(ValueError, match="thesis is there and is no crate; name another folder, or move it away"):
        crate.main(["--out", "thesis", "--no-validate"])
    assert Path(own).read_text() == "mine"
    with pytest.raises(ValueError, match="reports is there and is no crate"):
        crate.main(["--out", "reports", "--no-validate"])
    assert crate.main(["--no-validate"]) == crate.main(["--no-validate"]) == 0
    assert Path("build/crate/ro-crate-metadata.json").exists() and not list(Path("build").glob(".*"))
