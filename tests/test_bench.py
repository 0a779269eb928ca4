"""A benchmark's row says what was compared with what, where, and whether it met its bar."""

import time

import pytest

from tests.bench.__main__ import compare

COLUMNS = {"name": str, "workload": str, "peer": str, "ratio": float, "bar": float, "holds": bool, "machine": str}


@pytest.mark.parametrize(("bar", "holds"), [(1.5, True), (50.0, False)])
def test_a_row_is_a_ratio_against_a_peer(bar, holds):
    row = compare("nap", "10 ms", "30 ms", bar, lambda: time.sleep(0.01), lambda: time.sleep(0.03))
    assert {name: type(value) for name, value in row.items()} == COLUMNS
    assert 2 < row["ratio"] < 4 and row["holds"] is holds and row["bar"] == bar
