"""The device that training is tested on."""

import pytest

from lib.training import loop


@pytest.fixture(scope="module")
def fabric():
    return loop.one_device("cpu")
