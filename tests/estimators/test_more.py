"""Entropies, neighbours with classes and ties, spectra, adaptive resolution: against closed forms and independent libraries."""

import math

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import mutual_info_score

from lib.data.synthetic import gaussian_pair
from lib.estimators import binning, kde
from lib.estimators.entropy import bias_cancelling, entropy_kl, entropy_wkl, mi_kl, mi_wkl, mi_wkl_labels
from lib.estimators.hsic import cka, hsic, hsic_unbiased
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed, mi_ross
from lib.estimators.renyi import mi_renyi, renyi_entropy
from tests.samples import normal


def mean_of_seeds(f, seeds=range(5)):
    return float(np.mean([float(f(seed)) for seed in seeds]))


NORMAL = 0.5 * math.log(2 * math.pi * math.e)


# Entropy.


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


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("mi", [mi_kl, mi_ksg2, mi_mixed])
def test_information_of_normal_pairs(mi, rho):
    truth = gaussian_pair(2, rho, seed=0).truth["mi"]
    assert mean_of_seeds(lambda s: mi(*gaussian_pair(2000, rho, seed=s)[:2])) == pytest.approx(truth, abs=0.05)


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


# Neighbours, counted one by one.


def test_ksg2_is_counted_by_hand():
    x, y = normal(40, 2, seed=0), normal(40, 1, seed=1) + normal(40, 2, seed=0)[:, :1]
    a, b = ((z - z.mean(0)) / z.std(0, correction=0) for z in (x, y))
    dx, dy = (torch.cdist(z, z, p=torch.inf) for z in (a, b))
    nearest = torch.maximum(dx, dy).topk(4, dim=1, largest=False).indices
    value = torch.digamma(torch.tensor(3.0)) - 1 / 3 + torch.digamma(torch.tensor(40.0))
    for d in (dx, dy):
        reach = d.gather(1, nearest).max(1, keepdim=True).values
        value = value - torch.digamma((d <= reach).sum(1) - 1.0).mean()
    assert mi_ksg2(x, y).item() == pytest.approx(value.item(), abs=1e-6)


def test_mixed_equals_ksg_on_continuous_data():
    x, y, _ = gaussian_pair(500, 0.8, d=2, seed=0)
    gap = math.log(500) - torch.digamma(torch.tensor(500.0, dtype=torch.float64)).item()
    assert (mi_mixed(x, y) - mi_ksg(x, y)).item() == pytest.approx(gap, abs=1e-9)


def test_mixed_is_near_the_plug_in_on_discrete_data():
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 3, (3000, 1), generator=g)
    y = (x + torch.randint(0, 2, (3000, 1), generator=g)) % 3
    truth = mutual_info_score(x[:, 0].numpy(), y[:, 0].numpy())
    assert mi_mixed(x.double(), y.double()).item() == pytest.approx(truth, abs=0.003)


def test_mixed_on_a_discrete_and_a_continuous_variable():
    def draw(seed, m=5, n=3000):
        g = torch.Generator().manual_seed(seed)
        x = torch.randint(0, m, (n, 1), generator=g).double()
        return x, x + 2 * torch.rand(n, 1, generator=g, dtype=torch.float64)

    truth = math.log(5) - 0.8 * math.log(2)
    assert truth == pytest.approx(1.0549, abs=1e-4)
    assert mean_of_seeds(lambda s: mi_mixed(*draw(s))) == pytest.approx(truth, abs=0.03)


def classes(seed, n=900):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=g)
    return labels[:, None] * 1.5 + torch.randn(n, 1, generator=g, dtype=torch.float64), labels


def test_ross_agrees_with_scikit_learn():
    x, labels = classes(0)
    theirs = mutual_info_classif(x.numpy(), labels.numpy(), n_neighbors=3, random_state=0)[0]
    assert mi_ross(x, labels).item() == pytest.approx(theirs, abs=0.003)


def test_ross_of_shuffled_labels_is_zero():
    def shuffled(seed):
        x, labels = classes(seed)
        return mi_ross(x, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))])

    assert mean_of_seeds(shuffled) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 10, r"labels \[0\] are too few: at least two classes are needed"),
        ([0] * 8 + [1] * 2, r"labels \[1\] are too few: more than 3 points each are needed; merge classes or lower k"),
    ],
)
def test_ross_refuses_classes_that_are_too_few(labels, message):
    with pytest.raises(ValueError, match=message):
        mi_ross(normal(10, 1, seed=0), torch.tensor(labels))


# Kernel indices and spectra.


def test_unbiased_hsic_is_the_printed_formula_and_has_mean_zero():
    x, y, n = normal(12, 2, seed=0), normal(12, 1, seed=1), 12
    k, q = (torch.exp(-torch.cdist(z, z).square() / 2).fill_diagonal_(0) for z in (x, y))
    dense = (k @ q).trace() + k.sum() * q.sum() / ((n - 1) * (n - 2)) - 2 * (k @ q).sum() / (n - 2)
    assert hsic_unbiased(x, y).item() == pytest.approx((dense / (n * (n - 3))).item(), rel=1e-9)
    both = [
        (hsic_unbiased(a, b).item(), hsic(a, b).item())
        for a, b in ((normal(20, 1, seed=s), normal(20, 1, seed=s + 999)) for s in range(400))
    ]
    unbiased, biased = np.array(both).T
    assert abs(unbiased.mean()) < 4 * unbiased.std() / 20 and biased.mean() > 20 * biased.std() / 20


def test_unbiased_hsic_wants_four_rows():
    with pytest.raises(ValueError, match="x has 3 rows, at least 4 are needed"):
        hsic_unbiased(normal(3, 1, seed=0), normal(3, 1, seed=1))


def test_cka_of_scalars_is_the_squared_correlation_and_is_blind_to_rotation():
    x, y, _ = gaussian_pair(100, 0.6, seed=0)
    assert cka(x, y).item() == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2, abs=1e-6)
    a, turn = normal(50, 3, seed=0), torch.linalg.qr(normal(3, 3, seed=1)).Q
    assert cka(a, 4 * a @ turn + 1).item() == pytest.approx(1, abs=1e-9)
    assert cka(a, torch.ones(50, 1, dtype=torch.float64)).item() == 0


@pytest.mark.parametrize("alpha", [0.5, 1.01, 2.0])
def test_spectral_entropy_of_clusters_is_the_logarithm_of_their_number(alpha):
    x = torch.arange(8.0)[:, None].repeat(5, 1) * 100
    assert renyi_entropy(x, alpha=alpha).item() == pytest.approx(math.log(8), abs=1e-6)
    assert renyi_entropy(torch.ones(30, 2), alpha=alpha).item() == pytest.approx(0, abs=1e-6)


def test_spectral_information_of_independent_and_equal_clusters():
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)) * 100
    a, b = grid[:, :1], grid[:, 1:]
    assert mi_renyi(a, b).item() == pytest.approx(0, abs=1e-6)
    assert mi_renyi(a, a).item() == pytest.approx(math.log(4), abs=1e-6)


@pytest.mark.parametrize("alpha", [1, 0, -1.0])
def test_an_order_that_has_no_entropy_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha must be positive and not 1, got {alpha}"):
        renyi_entropy(normal(5, 1, seed=0), alpha=alpha)


# Bins.


def test_miller_and_madow_take_off_the_leading_bias():
    draw = lambda s: torch.randint(0, 20, (200, 1), generator=torch.Generator().manual_seed(s))  # noqa: E731
    plain = mean_of_seeds(lambda s: binning.entropy(draw(s)), range(200)) - math.log(20)
    mended = mean_of_seeds(lambda s: binning.entropy_miller_madow(draw(s)), range(200)) - math.log(20)
    assert plain == pytest.approx(-19 / 400, rel=0.1) and abs(mended) < 0.1 * abs(plain)


def test_adaptive_bins_hold_equally_many_distinct_values():
    t = normal(300, 4, seed=0).exp()
    counts = torch.bincount(binning.bin_adaptive(t, bins=30).flatten())
    assert counts.sum() == 1200 and counts[counts > 0].tolist() == [40] * 30
    assert torch.equal(binning.bin_adaptive(1000 * t, bins=30), binning.bin_adaptive(t, bins=30)), (
        "resolution follows the layer"
    )


def test_exact_zeros_are_a_bin_of_their_own():
    t = normal(500, 3, seed=0).relu()
    codes = binning.bin_adaptive(t, bins=10, floor=0.0)
    assert torch.equal(codes == 0, t == 0)
    assert binning.bin_adaptive(torch.zeros(9, 2), floor=0.0).unique().tolist() == [0]
    assert len(binning.bin_adaptive(torch.full((9, 2), 3.0)).unique()) == 1


@pytest.mark.parametrize("floor", [None, 0.0])
@pytest.mark.parametrize("bins", [5, 30, 200])
def test_adaptive_bins_are_those_of_the_definition_member_by_member(bins, floor):
    t = torch.stack([normal(90, 3, seed=0).relu(), normal(90, 3, seed=1).round(decimals=1), torch.zeros(90, 3).double()])
    together = binning.bin_adaptive(t, bins=bins, floor=floor)
    for member, codes in zip(t, together, strict=True):
        levels = member.unique() if floor is None else member[member != floor].unique()
        edges = torch.stack([levels[k * len(levels) // bins] for k in range(1, bins)]) if len(levels) else levels
        expected = torch.bucketize(member, edges, right=True)
        if floor is not None:
            expected = torch.where(member == floor, -1, expected)
        assert torch.equal(codes.unique(return_inverse=True)[1], expected.unique(return_inverse=True)[1])


def test_entropies_of_stacked_rows_are_those_one_by_one_and_of_known_cells():
    codes = torch.randint(-3, 4, (5, 200, 4), generator=torch.Generator().manual_seed(0))
    alone = [binning.plug_in(member).item() for member in codes]
    assert binning.plug_in(codes).tolist() == alone
    counts = torch.unique(codes[0], dim=0, return_counts=True)[1].double() / 200
    assert alone[0] == pytest.approx(-(counts * counts.log()).sum().item(), abs=1e-12)
    assert binning.entropy(torch.arange(64)[:, None] // 8).item() == pytest.approx(math.log(8), abs=1e-12)


@pytest.mark.parametrize("far", [2, 2**62])  # four times 2^62 is 0 in 64 bits
def test_information_of_numbered_cells_is_that_of_the_table_of_counts(far):
    g = torch.Generator().manual_seed(0)
    cells = torch.tensor([-1, 0, 1, far])[torch.randint(0, 4, (3, 500), generator=g)]
    labels = torch.randint(0, 4, (500,), generator=g)
    for member, h, mi in zip(cells, *binning.cell_information(cells, labels), strict=True):
        assert mi.item() == pytest.approx(mutual_info_score(member.tolist(), labels.tolist()), abs=1e-12)
        assert h.item() == pytest.approx(mutual_info_score(member.tolist(), member.tolist()), abs=1e-12)


@pytest.mark.parametrize("columns", [3, 40])
def test_packed_rows_are_equal_where_rows_are_and_only_there(columns):
    codes = torch.randint(0, 2, (300, columns), generator=torch.Generator().manual_seed(0)) * (2**40 if columns == 3 else 29)
    codes = codes[torch.randint(0, 100, (300,), generator=torch.Generator().manual_seed(1))]
    rows = torch.unique(codes, dim=0, return_inverse=True)[1]
    packed = torch.unique(binning.pack(codes), return_inverse=True)[1]
    assert torch.equal(rows[:, None] == rows, packed[:, None] == packed)


def test_few_distinct_values_keep_apart():
    t = torch.tensor([[0.0], [1.0], [2.0]]).repeat(10, 1)
    assert binning.entropy(binning.bin_adaptive(t)).item() == pytest.approx(math.log(3), abs=1e-12)


def test_adaptive_noise_grows_with_the_layer():
    t = normal(100, 2, seed=0)
    width = kde.adaptive_width(t, factor=0.01)
    assert width == pytest.approx(math.sqrt(0.01 * t.abs().max().item()))
    assert kde.adaptive_width(4 * t, factor=0.01) == pytest.approx(2 * width)
    assert kde.adaptive_width(torch.zeros(4, 1), factor=0.01) == pytest.approx(0.1)
