"""A finished run in small, of which a crate is made."""

from pathlib import Path

from pipelines import crate

STAGES = "stages: {study: {cmd: run_notebook studies/mine reports/notebooks/study-mine.ipynb - out=x}}\n"


def finished_run(root: Path) -> Path:
    """Write what `make repro` leaves, in small; return the folder."""
    for name in (*crate.INPUTS, *crate.RESULTS, "dvc.yaml", "data/raw/toy/card.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".dvc").mkdir()
    (root / "dvc.yaml").write_text(STAGES)
    (root / "params.yaml").write_text("seeds: [0]\n")
    (root / "dvc.lock").write_text("schema: '2.0'\n")
    (root / "data.dvc").write_text("outs: []\n")
    for name in ("mine", "gone"):
        (root / f"reports/notebooks/study-{name}.ipynb").parent.mkdir(exist_ok=True)
        (root / f"reports/notebooks/study-{name}.ipynb").write_text("{}")
    (root / "reports/provenance.json").write_text('{"commit": "abc of the run", "machine": "a machine"}')
    (root / "data/raw/toy/card.md").write_text("# Toy\n\n- **Licence**: CC0\n")
    (root / "reports/claims.json").write_text('[{"source": "a2020b"}]')
    (root / "references.bib").write_text(
        "@article{a2020b,\n  title = {On {B}},\n  doi = {10.1/x},\n}\n@book{c,\n  title = {C},\n}\n"
    )
    return root
