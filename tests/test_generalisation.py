"""Many networks: measures against dense formulas, limits that are known, and correlations that are exact."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lib import generalisation, protocol
from lib.data import prepared
from lib.estimators.cs import cs_qmi
from lib.generalisation import correlations, cs_qmi_given
from lib.types import Table


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_conditional_qmi_is_its_formula_written_out():
    x, t, y = normal(1, 7, 2), normal(1, 7, 3, seed=1), normal(1, 7, 1, seed=2)
    k, q, near = ([[math.exp(-0.5 * float((a - b).square().sum())) for b in z[0]] for a in z[0]] for z in (x, t, y))
    n, joint, apart, cross = range(7), 0.0, 0.0, 0.0
    for j in n:
        w = [near[j][i] / sum(near[j]) for i in n]
        joint += sum(w[i] * w[m] * k[i][m] * q[i][m] for i in n for m in n) / 7
        both = [sum(w[i] * w[m] * z[i][m] for i in n for m in n) for z in (k, q)]
        apart += both[0] * both[1] / 7
        cross += sum(w[i] * sum(w[m] * k[i][m] for m in n) * sum(w[m] * q[i][m] for m in n) for i in n) / 7
    assert cs_qmi_given(x, t, y).item() == pytest.approx(math.log(joint) + math.log(apart) - 2 * math.log(cross), rel=1e-10)


def test_a_condition_that_tells_nothing_leaves_the_unconditional_value():
    x, t = normal(2, 50, 2), normal(2, 50, 3, seed=1) + normal(2, 50, 2)[..., :1]
    torch.testing.assert_close(cs_qmi_given(x, t, torch.zeros(2, 50, 1, dtype=torch.float64)), cs_qmi(x, t))


def test_a_code_that_is_the_target_plus_noise_tells_little_given_the_target():
    """Given y, x and t share nothing; five seeds of 400 rows gave 0.0020 to 0.0023 of the unconditional value."""
    for seed in range(5):
        y = normal(1, 400, 1, seed=seed)
        x, t = (y + 0.3 * normal(1, 400, 1, seed=s) for s in (seed + 10, seed + 20))
        assert cs_qmi_given(x, t, 10 * y) < 0.01 * cs_qmi(x, t)
        assert cs_qmi_given(x, x, 10 * y) > 10 * cs_qmi_given(x, t, 10 * y)


def test_a_constant_code_tells_nothing():
    x, y = normal(2, 40, 3), normal(2, 40, 1, seed=1)
    assert cs_qmi_given(x, torch.ones(2, 40, 2, dtype=torch.float64), y).abs().max() < 1e-12


def test_kinds_are_crossed_and_checked():
    todo = generalisation.kinds([2, 4], [16], {"epochs": 3, "batch": [8, 16], "lr": [0.1, 0.01]})
    found = [(kind.depth, kind.width, kind.plan.batch, kind.plan.lr) for kind in todo]
    assert found == [(d, 16, b, r) for d in (2, 4) for b in (8, 16) for r in (0.1, 0.01)]
    assert all(kind.plan.select == "last" for kind in todo)
    with pytest.raises(ValueError, match="depth must be a whole number >= 1, got 0"):
        generalisation.kinds([0], [16], {"epochs": 3, "batch": 8, "lr": 0.1})


def table(n=120):
    x = normal(n, 3).float()
    return Table(x, x[:, :1] + 0.3 * normal(n, 1, seed=1).float(), list("abc"), "y")


def test_networks_give_a_row_each_and_the_same_again():
    todo = generalisation.kinds([1, 2], [4], {"epochs": 4, "batch": 16, "lr": 0.01})
    one, two = (generalisation.networks(table(), todo, seeds=[0, 1], fractions=[0.6, 0.2, 0.2], workers=1) for _ in "ab")
    assert one.equals(two) and len(one) == 4
    assert one[["depth", "seed"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    np.testing.assert_allclose(one.gap, one.test - one.train)
    assert (one.mi_xt > 0).all() and (one.mi_xt_y > 0).all()


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_are_those_of_scipy(ties):
    x, y = np.random.default_rng(0).standard_normal((2, 5, 40)) + np.random.default_rng(1).standard_normal((1, 5, 40))
    x, y = (x.round(), y.round()) if ties else (x, y)
    for kind, peer in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        found = generalisation.CORRELATIONS[kind](x, y)
        np.testing.assert_allclose(found, [peer(a, b)[0] for a, b in zip(x, y, strict=True)], rtol=1e-12)


def test_correlations_are_exact_where_they_are_known():
    x = np.arange(30.0)
    exact = correlations(x, x**3, seed=0).set_index("kind")
    assert exact.loc["spearman", ["value", "low", "high"]].tolist() == pytest.approx([1, 1, 1])
    assert exact.loc["kendall", "value"] == pytest.approx(1) and exact.loc["pearson", "value"] < 0.95
    assert correlations(x, -x, seed=0).value.tolist() == pytest.approx([-1, -1, -1])


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Pearson 0.6 on 100 pairs: of 40 intervals of 95 %, 38 are expected to hold it; fewer than 34 come once in a hundred."""
    held = 0
    for seed in range(40):
        x, e = np.random.default_rng(seed).standard_normal((2, 100))
        row = correlations(x, 0.6 * x + 0.8 * e, seed=0, resamples=200).iloc[0]
        held += row.low < 0.6 < row.high
    assert held >= 34


@pytest.mark.parametrize("n", [2, 5])
def test_correlations_refuse_columns_that_do_not_pair(n):
    with pytest.raises(ValueError, match="must have the same length >= 3"):
        correlations(np.arange(n), np.arange(2), seed=0)


def test_a_protocols_faults_are_the_only_difference():
    plan = {"epochs": 6, "batch": 16, "lr": 0.02, "records": 6}
    shape = {"hidden": [8], "code": 2, "decoder": [8], "activation": "relu"}
    found = protocol.courses(table(), shape=shape, plan=plan, seeds=[0, 1], fractions=[0.6, 0.2, 0.2])
    assert len(found) == 2 * 2 * found.epoch.nunique() and found.epoch.max() == 6
    early = found[found.epoch == 1].groupby("leak").test.mean()
    assert 0 < abs(early[True] - early[False]) < 0.1
    best = protocol.selected(found)
    assert (best.flattered <= best.honest).all() and len(best) == 4
    one = found[(found.seed == 1) & found.leak].sort_values("valid").iloc[0]
    assert best[(best.seed == 1) & best.leak].honest.item() == one.test


def test_a_split_in_memory_is_the_split_on_disk_and_a_leak_moves_its_inputs_alone(tmp_path):
    prepared.write(tmp_path, table(), seeds=[0, 4], fractions=[0.6, 0.2, 0.2])
    stored = prepared.read(tmp_path, [0, 4]).split
    made, leaky = (prepared.split(table(), seeds=[0, 4], fractions=[0.6, 0.2, 0.2], leak=leak) for leak in (False, True))
    assert all(torch.equal(a, b) for one, other in zip(stored, made, strict=True) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(a.y, b.y) and not torch.equal(a.x, b.x) for a, b in zip(made, leaky, strict=True))
    everything = torch.cat([part.x for part in leaky], 1)
    torch.testing.assert_close(everything.mean(1), torch.zeros(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(everything.std(1, correction=0), torch.ones(2, 3))
