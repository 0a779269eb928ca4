"""Information by neighbours against independent libraries, counted by hand, and against what it must refuse."""

import math

import ennemi
import npeet_plus
import numpy as np
import pytest
import torch
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.metrics import mutual_info_score

from lib.data.synthetic import gaussian_pair
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed, mi_ross, standard
from tests.estimators.samples import NATS, mean_of_seeds
from tests.samples import normal


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


@pytest.mark.parametrize("mi", [mi_ksg, mi_ksg2])
def test_points_that_are_all_equal_have_no_scale(mi):
    with pytest.raises(ValueError, match="20 points coincide with their 3-th neighbour; drop repeated rows, or use mi_mixed"):
        mi(torch.ones(20, 2), torch.ones(20, 1))


def test_classes_of_equal_points_have_no_scale():
    with pytest.raises(ValueError, match="10 points coincide with their 3-th neighbour"):
        mi_ross(torch.cat([torch.ones(10, 1), torch.rand(10, 1)]), torch.arange(20) // 10)


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


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_ksg_agrees_with_scikit_learn_and_ennemi(rho):
    x, y, _ = gaussian_pair(1500, rho, seed=3)
    a, b = x[:, 0].double().numpy(), y[:, 0].double().numpy()
    ours = mi_ksg(x, y).item()
    # scikit-learn adds noise of 1e-10 and cuts at 0.
    assert max(ours, 0) == pytest.approx(mutual_info_regression(a[:, None], b, random_state=0)[0], abs=0.003)
    assert ours == pytest.approx(ennemi.estimate_mi(b, a, k=3)[0, 0], abs=0.003)


def test_ksg_of_several_columns_is_counted_by_hand():
    x, y = normal(60, 2, seed=0), normal(60, 3, seed=1) + normal(60, 2, seed=0).sum(1, keepdim=True)
    a, b = ((z - z.mean(0)) / z.std(0, correction=0) for z in (x, y))
    dx, dy = (torch.cdist(z, z, p=torch.inf) for z in (a, b))
    joint = torch.maximum(dx, dy)
    reach = joint.kthvalue(4, dim=1, keepdim=True).values
    nx, ny = ((d < reach).sum(1).double() for d in (dx, dy))  # the point itself counts
    truth = (
        torch.digamma(torch.tensor(3.0)) + torch.digamma(torch.tensor(60.0)) - (torch.digamma(nx) + torch.digamma(ny)).mean()
    )
    assert mi_ksg(x, y).item() == pytest.approx(truth.item(), abs=1e-6)


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


def scalar_classes(seed, n=900):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=g)
    return labels[:, None] * 1.5 + torch.randn(n, 1, generator=g, dtype=torch.float64), labels


def test_ross_agrees_with_scikit_learn():
    x, labels = scalar_classes(0)
    theirs = mutual_info_classif(x.numpy(), labels.numpy(), n_neighbors=3, random_state=0)[0]
    assert mi_ross(x, labels).item() == pytest.approx(theirs, abs=0.003)


def test_ross_of_shuffled_labels_is_zero():
    def shuffled(seed):
        x, labels = scalar_classes(seed)
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


def test_ksg_refuses_ties():
    x = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0])[:, None]
    with pytest.raises(ValueError, match="5 points coincide with their 3-th neighbour"):
        mi_ksg(x, x)
