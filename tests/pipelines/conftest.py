"""Toy workbooks: as they are made, after a run, and as a person has one."""

import copy
import shutil
import subprocess

import nbformat
import pytest

from tests.pipelines.book import Book
from tests.toy import STAGES, Toy


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """What `book` is a copy of, as making it takes seconds."""
    return Book(tmp_path_factory.mktemp("template"))


@pytest.fixture
def book(template, tmp_path):
    """A toy workbook of a person, in a folder with a space."""
    copied = copy.copy(template)
    copied.root, copied.environment = tmp_path / "my wörk", dict(template.environment)
    shutil.copytree(template.root, copied.root, symlinks=True)
    return copied


@pytest.fixture
def studied(book):
    """The book in git, with a study that a record can run, and what smoke scale needs."""
    (book.root / "data.dvc").unlink()  # its store is no part of a clone
    paper = book.root / "notebooks/lab/mine"
    paper.mkdir(parents=True)
    text = "studies:\n  mine: {part: lab, paper: mine, parameters: {epochs: 2, wait: 4.0}}\n"
    (paper / "params.yaml").write_text(text)
    (paper / "record.yaml").write_text(f"scale: paper\nseeds: [0]\n{text}")
    (paper / "claims.yaml").write_text("mine: []\n")
    command = "exec python -m pipelines.run_notebook toy reports/notebooks/study-${key}.ipynb studies.${key}.parameters"
    study = f"  study:\n    foreach: ${{studies}}\n    do:\n      cmd: {command} out=reports/studies/mine/${{key}}\n"
    study += '      deps: [build/notebooks/toy.ipynb]\n      outs: ["reports/studies/mine/${key}"]\n'
    study += '      params: [{"notebooks/lab/mine/params.yaml": ["studies.${key}"]}]\n'
    (book.root / "dvc.yaml").write_text(f"vars: [notebooks/lab/mine/params.yaml]\n{STAGES}{study}")
    read = nbformat.read(book.root / "notebooks/toy.ipynb", 4)
    read.cells[1].source += '\nruns.write_json(folder / "claims.json", [row])'
    nbformat.write(read, book.root / "notebooks/toy.ipynb")
    (book.root / "requirements.lock").write_text("")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "add", "-A"], cwd=book.root, check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "x"], cwd=book.root, check=True)
    return book


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A toy workbook after its first `dvc repro`."""
    toy = Toy(tmp_path_factory.mktemp("toy"))
    (toy.root / ".gitignore").write_text("/runs/\n/build/\n/reports/\n")
    toy.run()
    return toy
