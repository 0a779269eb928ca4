"""Axes of the workbook's look."""

import matplotlib.pyplot as plt
import pytest

from lib.workbook import plot


@pytest.fixture
def ax():
    with plot.style():
        figure, ax = plt.subplots()
        yield ax
        plt.close(figure)
