"""What stages depend on is a notebook's source; what is no notebook, or no name, is refused before anything runs."""

import json

import nbformat
import pytest

pytestmark = pytest.mark.programs


def test_saving_a_notebook_with_outputs_reruns_nothing_but_strip(finished):
    path = finished.root / "notebooks/toy.ipynb"
    before = path.read_bytes()
    notebook = nbformat.read(path, 4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="looked at")]
    notebook.cells[1].execution_count = 7
    notebook.cells.insert(1, nbformat.v4.new_code_cell("epochs = 9", metadata={"tags": ["injected-parameters"]}))
    nbformat.write(notebook, path)
    done = finished.python("-m", "dvc", "repro")
    path.write_bytes(before)
    assert finished.python("-m", "dvc", "repro").returncode == 0
    assert "Running stage 'strip'" in done.stdout
    assert "Running stage 'train" not in done.stdout


@pytest.mark.parametrize(
    "name", ["$(touch PWNED)", "x'$(touch PWNED)'y", "`touch PWNED`", "my run", "a;touch PWNED", "../../x", "ä", ""]
)
def test_a_name_that_is_more_than_a_name_is_refused_and_not_executed(finished, name):
    before = {path: (finished.root / path).read_bytes() for path in ("params.yaml", "dvc.lock")}
    finished.change("params.yaml", "  b: ", f"  {json.dumps(name)}: ")
    done = finished.python("-m", "pipelines.repro")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"a name in runs of params.yaml is {name!r}; it may have letters a to z, digits, _ and - only" in done.stderr
    done = finished.python("-m", "dvc", "repro")
    assert done.returncode and "Traceback" not in done.stderr and "is no longer" not in done.stdout
    assert not list(finished.root.rglob("PWNED")) and (finished.root / "runs/b").exists()
    for path, content in before.items():
        (finished.root / path).write_bytes(content)
    assert finished.python("-m", "dvc", "checkout").returncode == 0  # before a stage runs DVC takes away what it writes


def test_every_notebook_that_is_none_is_named_and_nothing_is_copied(toy):
    before = (toy.root / "build/notebooks/toy.ipynb").read_bytes()
    (toy.root / "notebooks/empty.ipynb").write_text("")
    (toy.root / "notebooks/merged.ipynb").write_text("<<<<<<< HEAD\n{}\n")
    done = toy.python("-m", "pipelines.runner.strip")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "stage strip failed: notebooks/empty.ipynb:1 is empty" in done.stderr
    assert "notebooks/merged.ipynb:1 holds a merge conflict" in done.stderr
    assert (toy.root / "build/notebooks/toy.ipynb").read_bytes() == before


def test_a_rule_that_is_none_is_told_before_anything_runs(toy):
    place = toy.root / "notebooks/discrete/dice"
    place.mkdir(parents=True)
    study = "{part: discrete, paper: dice, reads: raw.txt}"
    (place / "params.yaml").write_text(f"studies: {{dice: {study}}}\nscales: {{smoke: {{}}, embedded: {{}}, paper: {{}}}}\n")
    done = toy.python("-m", "pipelines.runner.strip")
    assert done.returncode == 1 and "notebooks/discrete/dice/claims.yaml does not exist; the claims of dice" in done.stderr
    (place / "claims.yaml").write_text(
        "dice: [{claims: {a: {source: x, where: y, says: z, published: 1, data: w, rule: {abov: 1}}}}]"
    )
    done = toy.python("-m", "pipelines.runner.strip")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "rule {'abov': 1} of claim 'a' of notebooks/discrete/dice/claims.yaml: dice must be" in done.stderr
    (place / "claims.yaml").write_text("dice: []")
    assert toy.python("-m", "pipelines.runner.strip").returncode == 0
