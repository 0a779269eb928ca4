"""Many networks: kinds are crossed, and measures are those of dense formulas."""

import numpy as np
import pytest

from lib.experiments.cs_ib import generalisation
from tests.experiments.cs_ib.samples import table


def test_kinds_are_crossed_and_checked():
    todo = generalisation.kinds([2, 4], [16], {"epochs": 3, "batch": [8, 16], "lr": [0.1, 0.01]})
    found = [(kind.depth, kind.width, kind.plan.batch, kind.plan.lr) for kind in todo]
    assert found == [(d, 16, b, r) for d in (2, 4) for b in (8, 16) for r in (0.1, 0.01)]
    assert all(kind.plan.select == "last" for kind in todo)
    with pytest.raises(ValueError, match="depth must be a whole number >= 1, got 0"):
        generalisation.kinds([0], [16], {"epochs": 3, "batch": 8, "lr": 0.1})


def test_networks_give_a_row_each_and_the_same_again():
    todo = generalisation.kinds([1, 2], [4], {"epochs": 4, "batch": 16, "lr": 0.01})
    one, two = (generalisation.networks(table(), todo, seeds=[0, 1], fractions=[0.6, 0.2, 0.2], workers=1) for _ in "ab")
    assert one.equals(two) and len(one) == 4
    assert one[["depth", "seed"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    np.testing.assert_allclose(one.gap, one.test - one.train)
    assert (one.mi_xt > 0).all() and (one.mi_xt_y > 0).all()
