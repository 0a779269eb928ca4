"""Compiled searches start in many processes at once, and where no folder may be written."""

import subprocess
import sys
from pathlib import Path

import numba
import numpy as np

from lib.pairwise import neighbours_compiled


def test_processes_that_compile_at_once_agree_and_say_nothing(tmp_path):
    (tmp_path / "brute.py").write_text(Path(neighbours_compiled.__file__).read_text())
    code = (
        "import brute, numpy as np; z = brute.tiled(np.random.default_rng(0).normal(size=(99, 3)))\n"
        "found = brute.pairs(z, z, 99, 3, False); print(found[0].sum(), found[1].sum())"
    )
    together = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(3)
    ]
    said = {process.communicate()[0] for process in together}
    z = neighbours_compiled.tiled(np.random.default_rng(0).normal(size=(99, 3)))
    reach, counts = neighbours_compiled.pairs(z, z, 99, 3, False)
    assert said == {f"{reach.sum()} {counts.sum()}\n".encode()}
    assert list((tmp_path / "__pycache__").glob("brute.pairs-*.nbc")), "the code is kept"


def test_code_is_compiled_where_no_folder_may_be_written(monkeypatch):
    njit = numba.njit

    def nowhere(f, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(f, **options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert neighbours_compiled.compiled(lambda x: x + 1)(1) == 2
