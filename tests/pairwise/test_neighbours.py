"""Searches for neighbours: the definition, pair by pair, is the truth; the way that is taken changes nothing."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from lib.estimators.entropy import entropy_kl, entropy_wkl, mi_kl
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed, mi_ross
from lib.pairwise import neighbours, neighbours_compiled

ALWAYS, NEVER = {0: 0}, {99: 0}  # tables that send every search by all pairs, or none


def draw(n, *widths, seed, steps=None):
    """Correlated normal columns, in several groups; rounded to 1/steps so that values repeat."""
    g = np.random.default_rng(seed)
    z = 0.6 * g.normal(size=(n, 1)) + 0.8 * g.normal(size=(n, sum(widths)))
    z = z if steps is None else np.round(z * steps) / steps
    return np.split(z, np.cumsum(widths)[:-1], axis=1)


def by_definition(a, b, k, apart):
    """Distances to the k-th neighbour and counts from whole tables of distances."""
    da, db = (np.abs(z[:, None] - z).max(2) for z in (a, b))
    joint = np.maximum(da, db)
    reach = np.sort(joint, 1)[:, [k]]
    if apart:
        near = np.argsort(joint, 1)[:, : k + 1]
        return reach[:, 0], np.array([(d <= np.take_along_axis(d, near, 1).max(1, keepdims=True)).sum(1) for d in (da, db)])
    return reach[:, 0], np.array([np.where(reach > 0, d < reach, d == 0).sum(1) for d in (da, db)])


SIZES = [(4, 1, 1, 3), (37, 1, 2, 1), (511, 2, 2, 5), (513, 1, 5, 3), (600, 3, 4, 10), (700, 8, 7, 3)]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("n", "dx", "dy", "k"), SIZES)
def test_pairs_are_searched_by_definition(n, dx, dy, k, apart):
    a, b = draw(n, dx, dy, seed=n)
    reach, counts = by_definition(a, b, k, apart)
    for found in (
        neighbours_compiled.pairs(neighbours_compiled.tiled(a), neighbours_compiled.tiled(b), n, k, apart),
        neighbours.pairs_by_tree(a, b, k, apart=apart),
    ):
        np.testing.assert_array_equal(found[0], reach)
        np.testing.assert_array_equal(found[1], counts)


@pytest.mark.parametrize(("dx", "dy", "steps"), [(1, 1, 2), (2, 1, 1), (1, 1, 6), (3, 3, 1)])
def test_pairs_that_coincide_are_searched_by_definition(dx, dy, steps):
    a, b = draw(530, dx, dy, seed=0, steps=steps)
    reach, counts = by_definition(a, b, 3, False)
    assert (reach == 0).any() and (reach > 0).any()
    by_all = neighbours_compiled.pairs(neighbours_compiled.tiled(a), neighbours_compiled.tiled(b), 530, 3, False)
    for found in (by_all, neighbours.pairs_by_tree(a, b, 3, apart=False)):
        np.testing.assert_array_equal(found[0], reach)
        np.testing.assert_array_equal(found[1], counts)


@pytest.mark.parametrize("euclidean", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), [(5, 1, 4), (511, 2, 1), (1025, 3, 3), (600, 16, 20)])
def test_single_spaces_are_searched_the_same_both_ways(n, d, k, euclidean):
    (z,) = draw(n, d, seed=d)
    tiles = neighbours_compiled.tiled(z)
    found, want = neighbours_compiled.nearest(tiles, n, k, euclidean), neighbours.nearest_by_tree(z, k, euclidean=euclidean)
    np.testing.assert_allclose(found, want, rtol=1e-14 if euclidean else 0, atol=0)
    dense = np.sort((np.square(z[:, None] - z).sum(2) ** 0.5) if euclidean else np.abs(z[:, None] - z).max(2), 1)
    np.testing.assert_allclose(want, dense[:, : k + 1], rtol=1e-14, atol=0)
    radius = want[:, -1]
    np.testing.assert_array_equal(neighbours_compiled.inside(tiles, radius), neighbours.inside_by_tree(z, radius))


@pytest.mark.parametrize("steps", [None, 10, 3])
def test_a_point_on_the_border_is_inside(steps):
    (z,) = draw(400, 1, seed=1, steps=steps)
    distances = np.abs(z - z[:, 0])
    for rank in (0, 1, 7, 399):
        radius = np.sort(distances, 1)[:, rank]
        np.testing.assert_array_equal(neighbours.inside_by_order(z[:, 0], radius), (distances <= radius[:, None]).sum(1))
        strict = np.nextafter(radius, -1)
        np.testing.assert_array_equal(
            neighbours.inside_by_order(z[:, 0], strict.clip(0)), (distances <= strict.clip(0)[:, None]).sum(1)
        )


ESTIMATES = {
    "ksg": lambda x, y, k: mi_ksg(x, y, k=k),
    "ksg2": lambda x, y, k: mi_ksg2(x, y, k=k),
    "mixed": lambda x, y, k: mi_mixed(x, y, k=k),
    "mixed_tied": lambda x, y, k: mi_mixed(x.round(), y, k=k) + mi_mixed(x.round(), y.round(), k=k),
    "ross": lambda x, y, k: mi_ross(x, (y[:, 0] > 0).long(), k=k),
    "entropy": lambda x, y, k: entropy_kl(x, k=k) + entropy_wkl(x, k=9),
    "kl": lambda x, y, k: mi_kl(x, y, k=k),
}


@pytest.mark.parametrize(("n", "dx", "dy", "k"), [(777, 1, 1, 3), (512, 1, 4, 5), (1025, 3, 3, 1), (600, 8, 5, 4)])
@pytest.mark.parametrize("name", ESTIMATES)
def test_the_way_of_the_search_changes_no_estimate(name, n, dx, dy, k, monkeypatch):
    x, y = map(torch.as_tensor, draw(n, dx, dy, seed=n))
    values = []
    for table in (ALWAYS, NEVER):
        monkeypatch.setattr(neighbours, "MOST_PAIRED", table)
        monkeypatch.setattr(neighbours, "MOST_SINGLE", table)
        monkeypatch.setattr(neighbours, "FEW", 0)
        values.append(ESTIMATES[name](x, y, k).item())
    assert values[0] == pytest.approx(values[1], abs=1e-12, rel=0)


@pytest.mark.parametrize(
    ("n", "d", "all_pairs"),
    [(10_000, 2, False), (4_000, 4, True), (4_001, 4, False), (499, 16, False), (500, 16, True), (10**7, 11, True)],
)
def test_the_table_chooses_the_way(n, d, all_pairs):
    assert neighbours.by_all_pairs(n, d, neighbours.MOST_PAIRED) is all_pairs


def test_trees_do_without_numba():
    code = "import sys, torch, lib.estimators.knn as knn; knn.mi_ksg(torch.arange(9.)[:, None], torch.arange(9.)[:, None] ** 2)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('numba' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
