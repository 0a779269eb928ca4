"""The family of neighbour estimators against independent libraries, and against what it must refuse."""

import math

import ennemi
import npeet_plus
import numpy as np
import pytest
import torch
from scipy.special import digamma, gammaln
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from lib.data.synthetic import gaussian_pair
from lib.estimators.entropy import entropy_kl, entropy_wkl, mi_kl
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed, mi_ross, standard
from tests.samples import normal

NATS = {"base": math.e}  # npeet_plus gives bits if not asked


def classes(n, d, *, seed):
    """Three classes that lie 1.5 apart in every column."""
    labels = torch.randint(0, 3, (n,), generator=torch.Generator().manual_seed(seed))
    return 1.5 * labels[:, None] + normal(n, d, seed=seed), labels


# Independent libraries: npeet_plus moves the data by 1e-10, so that a neighbour may change sides now and then.


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 1), (2, 2), (1, 5), (3, 4), (5, 5)])
def test_ksg_agrees_with_npeet(dx, dy, k):
    x, y, _ = gaussian_pair(1200, 0.7, d=5, seed=k)
    x, y = x[:, :dx].double(), y[:, :dy].double()
    theirs = npeet_plus.mi(standard(x), standard(y), k=k, **NATS)
    assert mi_ksg(x, y, k=k).item() == pytest.approx(theirs, abs=2e-4)
    assert mi_mixed(x, y, k=k).item() == pytest.approx(theirs + math.log(1200) - digamma(1200), abs=2e-4)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ksg_of_scalars_agrees_with_ennemi_and_scikit_learn(k):
    x, y, _ = gaussian_pair(1500, 0.8, seed=k)
    a, b = standard(x), standard(y)
    ours = mi_ksg(x, y, k=k).item()
    assert ours == pytest.approx(ennemi.estimate_mi(b[:, 0], a[:, 0], k=k, preprocess=False)[0, 0], abs=2e-4)
    assert ours == pytest.approx(mutual_info_regression(a, b[:, 0], n_neighbors=k, random_state=0)[0], abs=2e-4)


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


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ross_of_scalars_agrees_with_scikit_learn_and_ennemi(k):
    x, labels = classes(900, 1, seed=k)
    column, ours = x[:, 0].numpy(), mi_ross(x, labels, k=k).item()
    options = {"n_neighbors": k, "random_state": 0}
    assert ours == pytest.approx(mutual_info_classif(x.numpy(), labels.numpy(), **options)[0], abs=1e-6)
    as_column = mutual_info_regression(labels[:, None].numpy(), column, discrete_features=True, **options)[0]
    assert ours == pytest.approx(as_column, abs=1e-6)
    assert ours == pytest.approx(ennemi.estimate_mi(labels.numpy(), column, k=k, discrete_y=True)[0, 0], abs=1e-3)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_ross_is_near_the_difference_of_entropies(d):
    # npeet_plus takes H(X) - H(X|Y), whose errors do not cancel: a seed spreads by 0.02 to 0.04.
    draws = [classes(900, d, seed=s) for s in range(5)]
    gaps = [mi_ross(x, y).item() - npeet_plus.micd(standard(x), y[:, None].numpy(), k=3, **NATS) for x, y in draws]
    assert np.mean(gaps) == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("d", [1, 3])
def test_mixed_of_classes_is_ross(d):
    # As long as the k-th neighbour of the same class is nearer than the next class, which many dimensions prevent.
    x, labels = classes(800, d, seed=d)
    gap = math.log(800) - digamma(800)
    assert mi_mixed(x, labels[:, None].double()).item() == pytest.approx(mi_ross(x, labels).item() + gap, abs=1e-12)


# Values that are known exactly.


def test_a_constant_column_adds_nothing():
    x, y, _ = gaussian_pair(300, 0.7, d=2, seed=0)
    held = torch.full((300, 1), 0.1)
    for mi in (mi_ksg, mi_ksg2, mi_mixed):
        assert torch.equal(mi(torch.cat([x, held], 1), y), mi(x, y))
    assert mi_ross(torch.cat([x, held], 1), (y[:, 0] > 0).long()) == mi_ross(x, (y[:, 0] > 0).long())


def test_a_constant_variable_has_no_information():
    y, held = normal(200, 2, seed=0), torch.full((200, 1), 0.1, dtype=torch.float64)
    assert mi_ksg(held, y).item() == pytest.approx(0, abs=1e-12)
    assert mi_mixed(held, y).item() == pytest.approx(math.log(200) - digamma(200), abs=1e-12)
    assert mi_ksg2(held, y).item() == pytest.approx(1 / 199 - 1 / 3, abs=1e-12), "known to be out by -1/k"


def test_mixed_of_one_place_has_no_information():
    held = torch.ones(50, 1)
    assert mi_mixed(held, held).item() == pytest.approx(math.log(50) - digamma(50), abs=1e-12)


@pytest.mark.parametrize("mi", [mi_ksg, mi_ksg2, mi_mixed, mi_kl])
def test_the_same_input_gives_the_same_bytes(mi):
    x, y, _ = gaussian_pair(700, 0.5, d=4, seed=0)
    assert torch.equal(mi(x, y), mi(x, y))


# Bad input.

PAIRED = {"ksg": mi_ksg, "ksg2": mi_ksg2, "mixed": mi_mixed, "kl": mi_kl}
SINGLE = {"entropy_kl": entropy_kl, "entropy_wkl": entropy_wkl}
EVERY = (
    PAIRED
    | {name: lambda x, y, f=f, **options: f(x, **options) for name, f in SINGLE.items()}
    | {"ross": lambda x, y, **options: mi_ross(x, torch.arange(len(x)) % 2, **options)}
)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", None])
@pytest.mark.parametrize("f", EVERY.values(), ids=EVERY)
def test_k_must_be_a_whole_number(f, k):
    with pytest.raises(ValueError, match=f"k must be a whole number >= 1, got {k!r}"):
        f(normal(9, 1, seed=0), normal(9, 1, seed=1), k=k)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.arange(20)[:, None], r"x must hold floating-point numbers, got torch.int64; convert it with x.float\(\)"),
        (torch.zeros(20, 0), r"x must have at least one row and one column, got shape \(20, 0\)"),
        (torch.zeros(0, 2), r"x must have at least one row and one column, got shape \(0, 2\)"),
        (torch.tensor([[0.0], [math.inf], [math.nan]]), "x holds 2 NaN or infinite values; drop or impute those rows"),
        (torch.arange(9.0), r"x must have shape \(n, d\), got \(9,\)"),
        ([[1.0], [2.0]], "x must be a torch tensor, got list"),
    ],
)
@pytest.mark.parametrize("f", EVERY.values(), ids=EVERY)
def test_samples_must_be_finite_matrices(f, x, message):
    with pytest.raises(ValueError, match=message):
        f(x, torch.zeros(len(x), 1))


@pytest.mark.parametrize("f", PAIRED.values(), ids=PAIRED)
def test_rows_must_pair(f):
    with pytest.raises(ValueError, match=r"x and y must pair row by row, got \(9, 1\) and \(8, 1\)"):
        f(normal(9, 1, seed=0), normal(8, 1, seed=1))


@pytest.mark.parametrize(("n", "k"), [(1, 3), (3, 3), (5, 7)])
@pytest.mark.parametrize("f", (PAIRED | SINGLE).values(), ids=PAIRED | SINGLE)
def test_more_than_k_points_are_needed(f, n, k):
    x = normal(n, 1, seed=0)
    with pytest.raises(ValueError, match=f"x has {n} rows, at least {k + 1} are needed; give more samples"):
        f(x, k=k) if f in SINGLE.values() else f(x, x + 1, k=k)


@pytest.mark.parametrize("f", PAIRED.values(), ids=PAIRED)
def test_one_more_point_than_k_is_enough(f):
    assert math.isfinite(f(normal(4, 1, seed=0), normal(4, 1, seed=1), k=3))


@pytest.mark.parametrize("mi", [mi_ksg, mi_ksg2])
def test_points_that_are_all_equal_have_no_scale(mi):
    with pytest.raises(ValueError, match="20 points coincide with their 3-th neighbour; drop repeated rows, or use mi_mixed"):
        mi(torch.ones(20, 2), torch.ones(20, 1))


def test_classes_of_equal_points_have_no_scale():
    with pytest.raises(ValueError, match="10 points coincide with their 3-th neighbour"):
        mi_ross(torch.cat([torch.ones(10, 1), torch.rand(10, 1)]), torch.arange(20) // 10)


@pytest.mark.parametrize("value", [1.0, 0.1, 1e9 + 0.3])
@pytest.mark.parametrize("f", SINGLE.values(), ids=SINGLE)
def test_a_constant_column_has_no_density(f, value):
    x = torch.cat([normal(30, 1, seed=0), torch.full((30, 1), value, dtype=torch.float64)], 1)
    with pytest.raises(ValueError, match="column 1 is constant, so x has no density; drop it"):
        f(x)


def test_a_constant_side_has_no_density_either():
    with pytest.raises(ValueError, match="column 0 is constant, so x has no density; drop it"):
        mi_kl(normal(30, 1, seed=0), torch.full((30, 1), 0.1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(9).long(), r"labels \[0\] are too few: at least two classes are needed"),
        (torch.arange(9), "are too few: more than 3 points each are needed; merge classes or lower k"),
        (torch.zeros(9), "labels must be an integer tensor, got torch.float32"),
        (torch.zeros(8).long(), r"labels must have shape \(9,\) to match the samples, got \(8,\)"),
        (torch.arange(9) - 1, "labels must be >= 0, got -1"),
    ],
)
def test_ross_refuses_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        mi_ross(normal(9, 1, seed=0), labels)
