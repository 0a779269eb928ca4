"""What is accepted is of this very lock; it is stored in one step, and never from a run that has not ended."""

import nbformat
import pytest

from lib.workbook import runs
from pipelines import ledger, replay
from tests import ROOT
from tests.toy import LEDGER, STAGES, Toy

JUDGED = f"""{LEDGER}
row["verdict"] = verdict
runs.write_json(runs.folder("reports") / "claims.json", [row])
"""


def test_the_reference_is_of_the_lock():
    stored = runs.read_json(ROOT / ledger.REFERENCE)
    assert stored["embedded"]["stages"] == replay.stages(ROOT), "run `make accept` after `make repro`"


@pytest.fixture
def toy(tmp_path):
    """A toy workbook after its first run, whose stages write a ledger."""
    toy = Toy(tmp_path / "toy")
    book = nbformat.read(toy.root / "notebooks/toy.ipynb", 4)
    book.cells[0].source += '\nverdict = "holds"'
    book.cells[1].source += JUDGED
    nbformat.write(book, toy.root / "notebooks/toy.ipynb")
    (toy.root / "dvc.yaml").write_text(STAGES)
    toy.describe()
    assert toy.python("-m", "dvc", "init", "--no-scm", "--quiet").returncode == 0
    return toy


def accepted(toy):
    return toy.python("-m", "pipelines.accept", "--here")


@pytest.mark.programs
def test_a_run_is_accepted_when_it_has_ended(toy):
    done = accepted(toy)
    assert done.returncode == 1 and "reports/claims.json does not exist; `make repro` writes it" in done.stderr
    assert toy.python("-m", "dvc", "repro").returncode == 0
    done = accepted(toy)
    assert done.returncode == 0, done.stderr
    assert "1 claims at scale embedded, 1 of them not as before\n  a: is new" in done.stdout
    assert "| `a` | it is so | toys | holds |" in (toy.root / ledger.PAGE).read_text()
    assert "| part | papers |" in (toy.root / "README.md").read_text()
    stored = runs.read_json(toy.root / ledger.REFERENCE)
    assert stored["embedded"]["claims"]["a"]["verdict"] == "holds" and "train@a" in stored["embedded"]["stages"]
    assert "0 of them not as before" in accepted(toy).stdout
    toy.change("params.yaml", "{epochs: 2}", "{epochs: 2, verdict: fails}")
    done = accepted(toy)
    assert done.returncode == 1 and "of the stages in" in done.stderr and "train@a); make repro first" in done.stderr
    assert runs.read_json(toy.root / ledger.REFERENCE) == stored
