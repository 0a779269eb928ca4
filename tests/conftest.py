"""Fixtures that many tests share."""

import pytest


@pytest.fixture(scope="session")
def pair():
    """Two dependent normal samples of 300 rows and two columns, in double precision."""
    from lib.data.synthetic import gaussian_pair  # pipeline tests load this file and need no torch

    x, y, _ = gaussian_pair(300, 0.7, d=2, seed=0)
    return x.double(), y.double()
