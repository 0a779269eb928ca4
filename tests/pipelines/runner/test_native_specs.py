"""The kernel of the running Python is the only one there is, whatever kernelspecs the machine has."""

import json

import pytest

pytestmark = pytest.mark.programs


def test_ignores_kernels_that_the_machine_plants(toy):
    spec = toy.root / "planted/kernels/python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "planted", "language": "python"}))
    toy.environment["JUPYTER_PATH"] = str(toy.root / "planted")
    assert toy.stage().returncode == 0
