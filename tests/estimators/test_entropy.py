"""Entropies by neighbours, plain, weighted and whitened, against closed forms and independent libraries."""

import math

import ennemi
import npeet_plus
import numpy as np
import pytest
import torch
from scipy.special import digamma, gammaln

from lib.data.synthetic import gaussian_pair
from lib.estimators.entropy import bias_cancelling, entropy_kl, entropy_wkl, mi_kl, mi_wkl, mi_wkl_labels
from tests.estimators.samples import NATS, mean_of_seeds
from tests.samples import normal

# Independent libraries: npeet_plus moves the data by 1e-10, so that a neighbour may change sides now and then.


@pytest.mark.parametrize("k", [1, 3, 10])
def test_entropy_of_scalars_agrees_with_npeet_and_ennemi(k):
    x = 3 * normal(1500, 1, seed=k)
    ours = entropy_kl(x, k=k).item()
    assert ours == pytest.approx(npeet_plus.entropy(x.numpy(), k=k, **NATS), abs=1e-6)
    assert ours == pytest.approx(ennemi.estimate_entropy(x.numpy(), k=k, multidim=True).item(), abs=1e-5)


@pytest.mark.parametrize("d", [2, 3, 5])
def test_entropy_of_vectors_agrees_with_npeet_up_to_the_ball(d):
    # Theirs takes cubes for balls: the same limit, another draw of the error, which is about 0.02 a seed.
    gaps = [
        entropy_kl(z).item() - npeet_plus.entropy(z.numpy(), k=3, **NATS) for z in (normal(2000, d, seed=s) for s in range(5))
    ]
    assert np.mean(gaps) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("n", "d", "k"), [(40, 2, 3), (600, 5, 1), (600, 14, 6)])
def test_entropy_is_the_printed_formula(n, d, k):
    x = normal(n, d, seed=0) * torch.arange(1.0, d + 1, dtype=torch.float64)
    spread = x.std(0, correction=0)
    reach = torch.cdist(x / spread, x / spread, compute_mode="donot_use_mm_for_euclid_dist").kthvalue(k + 1, dim=1).values
    ball = d / 2 * math.log(math.pi) - gammaln(d / 2 + 1)
    truth = digamma(n) - digamma(k) + ball + d * reach.log().mean() + spread.log().sum()
    assert entropy_kl(x, k=k).item() == pytest.approx(truth.item(), abs=1e-10)


def test_a_constant_side_has_no_density_either():
    with pytest.raises(ValueError, match="column 0 is constant, so x has no density; drop it"):
        mi_kl(normal(30, 1, seed=0), torch.full((30, 1), 0.1, dtype=torch.float64))


NORMAL = 0.5 * math.log(2 * math.pi * math.e)


@pytest.mark.parametrize(("d", "tolerance"), [(1, 0.02), (2, 0.03), (4, 0.1)])
@pytest.mark.parametrize("entropy", [entropy_kl, entropy_wkl])
def test_entropy_of_stretched_normals(entropy, d, tolerance):
    stretch = torch.arange(1.0, d + 1, dtype=torch.float64)
    truth = d * NORMAL + stretch.log().sum().item()
    assert mean_of_seeds(lambda s: entropy(normal(3000, d, seed=s) * stretch, k=3)) == pytest.approx(truth, abs=tolerance)


def test_entropy_of_uniform_values():
    draw = lambda s: 3 * torch.rand(3000, 1, generator=torch.Generator().manual_seed(s), dtype=torch.float64)  # noqa: E731
    assert mean_of_seeds(lambda s: entropy_kl(draw(s))) == pytest.approx(math.log(3), abs=0.02)


def test_entropy_moves_with_scale_exactly():
    x = normal(200, 3, seed=0)
    scale = torch.tensor([2.0, 0.1, 7.0], dtype=torch.float64)
    assert (entropy_kl(x * scale + 5) - entropy_kl(x)).item() == pytest.approx(scale.log().sum().item(), abs=1e-9)


def test_weights_cancel_bias_in_many_dimensions():
    plain = mean_of_seeds(lambda s: entropy_kl(normal(2000, 12, seed=s), k=20)) - 12 * NORMAL
    mended = mean_of_seeds(lambda s: entropy_wkl(normal(2000, 12, seed=s), k=20)) - 12 * NORMAL
    assert plain > 0.3 and abs(mended) < plain / 2


@pytest.mark.parametrize(("k", "d"), [(5, 3), (8, 8), (20, 8), (24, 12)])
def test_weights_meet_their_conditions(k, d):
    w, j = bias_cancelling(k, d), np.arange(1, k + 1)
    assert w.sum() == pytest.approx(1, abs=1e-6)
    for order in range(1, d // 4 + 1) if d > 4 else ():
        row = np.array([math.exp(math.lgamma(i + 2 * order / d) - math.lgamma(i)) for i in j])
        assert abs(row @ w) / np.linalg.norm(row) < 1e-6


def test_weights_of_too_few_neighbours_are_refused():
    with pytest.raises(ValueError, match=r"k is 5, but 8 dimensions want at least k = 8"):
        entropy_wkl(normal(50, 8, seed=0), k=5)


@pytest.mark.parametrize(("d", "k"), [(2, 3), (6, 12)])
def test_whitened_entropy_moves_with_any_linear_map_exactly(d, k):
    x, turn = normal(300, d, seed=0), normal(d, d, seed=1)
    moved, still = (entropy_wkl(z, k=k, whiten=True) for z in (x @ turn.T + 3, x))
    assert (moved - still).item() == pytest.approx(torch.linalg.slogdet(turn).logabsdet.item(), abs=1e-9)
    assert still.item() == pytest.approx(d * NORMAL, abs=0.12 * d)


def test_whitening_sees_strong_dependence_that_scaling_misses():
    pairs = [gaussian_pair(1500, math.sqrt(-math.expm1(-10.0)), d=2, seed=s) for s in range(5)]
    white, scaled = (np.mean([mi_wkl(p.x, p.y, whiten=whiten).item() for p in pairs]) for whiten in (True, False))
    assert pairs[0].truth["mi"] == pytest.approx(10.0)
    assert white == pytest.approx(10.0, abs=0.2) and scaled < 9.0


def test_columns_that_depend_on_each_other_are_not_whitened():
    x = normal(50, 2, seed=0)
    with pytest.raises(ValueError, match="columns depend linearly on each other"):
        entropy_wkl(torch.cat([x, x.sum(1, keepdim=True)], 1), whiten=True)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize(("gap", "truth"), [(0.0, 0.0), (1.5, 0.2212), (20.0, math.log(2))])
def test_information_of_labels_by_entropies(gap, truth, whiten):
    """Two unit normals `gap` apart; at 1.5 the truth is by quadrature."""

    def one(seed):
        y = torch.arange(2000) % 2
        x = normal(2000, 2, seed=seed) + gap * torch.stack([y, 0 * y], 1)
        return mi_wkl_labels(x, y, whiten=whiten)

    assert mean_of_seeds(one) == pytest.approx(truth, abs=0.05)


def test_a_class_of_too_few_rows_is_refused():
    with pytest.raises(ValueError, match="class 1 has 5 rows, more than k = 5 are needed; drop it"):
        mi_wkl_labels(normal(50, 2, seed=0), (torch.arange(50) >= 45).long(), k=5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(3, 1), "x has 3 rows, at least 4 are needed"),
        (torch.ones(9, 1), "column 0 is constant, so x has no density"),
        (torch.tensor([0.0, 0, 0, 0, 1, 2, 3])[:, None], "4 points coincide with a neighbour that is needed"),
    ],
)
def test_entropy_says_what_is_wrong(x, message):
    with pytest.raises(ValueError, match=message):
        entropy_kl(x)
