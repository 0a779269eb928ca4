"""A trajectory on which kernels are fitted."""

import pytest

from lib.core.types import Trajectories
from tests.koopman.samples import lorenz


@pytest.fixture(scope="module")
def attractor():
    return Trajectories(lorenz(1200), 0.01, {})
