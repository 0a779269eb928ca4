"""A benchmark's row says what was compared with what, where, and whether it met its bar."""

import time
from pathlib import Path

import pytest
import torch

from lib.workbook.runs import read_json
from tests.bench.__main__ import page
from tests.bench.harness import compare, exponent, row

COLUMNS = {"name": str, "workload": str, "peer": str, "ratio": float, "bar": float, "holds": bool, "machine": str}
COLUMNS_BUT_RATIO = {name: kind for name, kind in COLUMNS.items() if name != "ratio"}


def busy(seconds, value=1.0):
    """Work that takes CPU time, and its answer."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return torch.tensor(value)


@pytest.mark.parametrize(("bar", "holds"), [(1.5, True), (50.0, False)])
def test_a_row_is_a_ratio_against_a_peer(bar, holds):
    found = compare("busy", "10 ms", "30 ms", bar, lambda: busy(0.01), lambda: busy(0.03), tolerance=1e-6)
    assert {name: type(value) for name, value in found.items()} == COLUMNS
    assert 2 < found["ratio"] < 4 and found["holds"] is holds and found["bar"] == bar


def test_a_fast_wrong_answer_is_no_answer():
    with pytest.raises(AssertionError, match="busy: 2"):
        compare("busy", "", "", 1.0, lambda: busy(0.0, 2.0), lambda: busy(0.0), tolerance=1e-3)


def test_a_peer_that_is_not_there_meets_no_bar():
    assert row("x", "", "absent", 1.0, None) | {"machine": ""} == {
        "name": "x", "workload": "", "peer": "absent", "machine": "", "ratio": None, "bar": 1.0, "holds": False,
    }  # fmt: skip


def test_the_page_shows_every_row_and_how_cost_grows():
    rows = [row("fast", "n = 9", "peer", 2.0, 3.0), row("alone", "n = 9", "absent", 2.0, None)]
    text = page(rows, [{"name": "sum", "sizes": [10, 20], "seconds": [0.1, 0.4], "exponent": 2.0}])
    assert "| fast | n = 9 | peer | 3.00 | 2 | yes |" in text and "| alone | n = 9 | absent | no peer | 2 | no |" in text
    assert "| sum | 10, 20 | 0.1, 0.4 | 2.00 |" in text


def test_the_kept_benchmarks_have_the_columns_of_a_row():
    for found in read_json(Path("reports/benchmarks.json")):
        assert {name: type(value) for name, value in found.items() if name != "ratio"} == COLUMNS_BUT_RATIO
        assert found["ratio"] is None or found["holds"] == (found["ratio"] >= found["bar"])


def test_growth_is_the_slope_in_logarithms():
    assert exponent([10, 100, 1000], [0.2, 20.0, 2000.0]) == pytest.approx(2.0)
