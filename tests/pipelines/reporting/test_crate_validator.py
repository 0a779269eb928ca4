"""An independent validator, in an environment of its own and without a network, judges a crate."""

import pytest

from pipelines import crate
from tests.pipelines.samples import finished_run


@pytest.fixture
def root(tmp_path):
    return finished_run(tmp_path)


def test_an_independent_validator_accepts_it_and_refuses_one_without_its_run(root):
    crate.built(root).write(root / "crate")
    done = crate.validated(root / "crate")
    assert done.returncode == 0 and "no breach of the profile workflow-run-crate" in done.stdout, done.stdout + done.stderr
    path = root / "crate/ro-crate-metadata.json"
    path.write_text(path.read_text().replace('"mainEntity"', '"about"'))
    done = crate.validated(root / "crate")
    assert done.returncode == 1 and "mainEntity" in done.stdout, done.stdout + done.stderr
