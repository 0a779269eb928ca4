"""The exported crate reads back with the run's files and their hashes, and is valid; without a run there is none."""

import hashlib
import json
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from pipelines import crate

STAGES = "stages: {study: {cmd: run_notebook studies/mine reports/notebooks/study-mine.ipynb - out=x}}\n"


@pytest.fixture
def root(tmp_path):
    """A finished run in small."""
    for name in (*crate.INPUTS, *crate.RESULTS, "dvc.yaml", "data/raw/toy/card.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "params.yaml").write_text("seeds: [0]\n")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    (tmp_path / "data.dvc").write_text("outs: []\n")
    for name in ("mine", "gone"):
        (tmp_path / f"reports/notebooks/study-{name}.ipynb").parent.mkdir(exist_ok=True)
        (tmp_path / f"reports/notebooks/study-{name}.ipynb").write_text("{}")
    (tmp_path / "reports/provenance.json").write_text('{"commit": "abc of the run", "machine": "a machine"}')
    (tmp_path / "data/raw/toy/card.md").write_text("# Toy\n\n- **Licence**: CC0\n")
    (tmp_path / "reports/claims.json").write_text('[{"source": "a2020b"}]')
    (tmp_path / "references.bib").write_text(
        "@article{a2020b,\n  title = {On {B}},\n  doi = {10.1/x},\n}\n@book{c,\n  title = {C},\n}\n"
    )
    return tmp_path


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


def test_an_independent_validator_accepts_it_and_refuses_one_without_its_run(root):
    crate.built(root).write(root / "crate")
    done = crate.validated(root / "crate")
    assert done.returncode == 0 and "no breach of the profile workflow-run-crate" in done.stdout, done.stdout + done.stderr
    path = root / "crate/ro-crate-metadata.json"
    path.write_text(path.read_text().replace('"mainEntity"', '"about"'))
    done = crate.validated(root / "crate")
    assert done.returncode == 1 and "mainEntity" in done.stdout, done.stdout + done.stderr
