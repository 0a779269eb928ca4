"""Searches for nearest neighbours: sorted values in one dimension, trees in few, all pairs in many.

Which way is faster was measured in CPU seconds, n = 300..40000, for normal data of full dimension (an EPYC core with AVX-512);
data of 8 + 8 columns on a surface of 2 dimensions would take a tree a third of the time at n = 10000, a fifth at 40000. Both
ways give the same counts; the same distances too, up to rounding in the Euclidean norm.
"""

from types import ModuleType

import numpy as np
from scipy.spatial import cKDTree

# Up to this many rows all pairs beat a tree, by dimension: fewer never, more always. Above 40000 it is the growth that speaks.
MOST_PAIRED = {4: 4_000, 5: 8_000, 6: 20_000, 7: 30_000, 8: 40_000, 9: 80_000, 10: 150_000}
MOST_SINGLE = {6: 4_000, 7: 10_000, 8: 20_000, 9: 25_000, 10: 40_000, 11: 60_000, 12: 100_000}
FEW = 500  # rows below which numba takes longer to import than a tree to answer fifty times


def pairs(a: np.ndarray, b: np.ndarray, k: int, *, apart: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of each point to its k-th neighbour in the joint max-norm space, (n,), and counts in a and b, (2, n).

    Counted are the points strictly nearer than that or, where it is 0, at the same place; with `apart`, in a and in b, those
    not farther than the farthest of the k neighbours is there. The point itself counts. a: (n, dx), b: (n, dy), float64, n > k.
    """
    if by_all_pairs(len(a), a.shape[1] + b.shape[1], MOST_PAIRED):
        return _compiled().pairs(_compiled().tiled(a), _compiled().tiled(b), len(a), k, apart)
    return pairs_by_tree(a, b, k, apart=apart)


def nearest(z: np.ndarray, k: int, *, euclidean: bool = False) -> np.ndarray:
    """Return distances to oneself and to the k nearest others, (n, d) -> (n, k + 1), in the max-norm or the Euclidean."""
    if by_all_pairs(*z.shape, MOST_SINGLE):
        return _compiled().nearest(_compiled().tiled(z), len(z), k, euclidean)
    return nearest_by_tree(z, k, euclidean=euclidean)


def inside(z: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Count the points no farther than its radius from each, itself included, in the max-norm: (n, d) and (n,) -> (n,)."""
    if by_all_pairs(*z.shape, MOST_SINGLE):
        return _compiled().inside(_compiled().tiled(z), radius)
    return inside_by_tree(z, radius)


def by_all_pairs(n: int, d: int, most: dict[int, int]) -> bool:
    """Say whether all pairs are faster than a tree for n points in d dimensions."""
    return n >= FEW and (d > max(most) or n <= most.get(d, 0))


def _compiled() -> ModuleType:
    """Import the compiled search only where it is used: it takes 0.3 s, and 1.5 s more where it was never compiled."""
    from lib.pairwise import neighbours_compiled

    return neighbours_compiled


def pairs_by_tree(a: np.ndarray, b: np.ndarray, k: int, *, apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """Do what `pairs` does; among neighbours at the same distance, `apart` may choose others."""
    joint = np.hstack([a, b])
    distances, places = by_tree(joint, k + 1 if apart else [k + 1], np.inf)
    strict = np.nextafter(distances[:, -1], 0)
    radii = [np.abs(z[places] - z[:, None]).max((1, 2)) if apart else strict for z in (a, b)]
    return distances[:, -1], np.array([inside_by_tree(z, radius) for z, radius in zip((a, b), radii, strict=True)])


def nearest_by_tree(z: np.ndarray, k: int, *, euclidean: bool) -> np.ndarray:
    """Do what `nearest` does."""
    return by_tree(z, k + 1, 2 if euclidean else np.inf)[0]


def by_tree(z: np.ndarray, k: int | list[int], p: float) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and places of the neighbours k that a tree finds; asked leaf by leaf, so that a cache holds the way."""
    tree = cKDTree(z)
    back = np.argsort(tree.indices)
    distances, places = tree.query(z[tree.indices], k, p=p)
    return distances[back], places[back]


def inside_by_tree(z: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Do what `inside` does. Trees of scikit-learn count, which those of SciPy do at a third of the speed."""
    if z.shape[1] == 1:
        return inside_by_order(z[:, 0], radius)
    from sklearn.neighbors import KDTree  # where it is used: it takes most of a second to import

    return KDTree(z, metric="chebyshev").query_radius(z, radius, count_only=True)


def inside_by_order(z: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Count by binary search in the sorted values, (n,) and (n,) -> (n,)."""
    values, place, times = np.unique(z, return_inverse=True, return_counts=True)
    order = np.argsort(place)  # in order, a search finds in the cache what the last one left there
    own, reach = z[order], radius[order]
    low = first_inside(values, own, reach)
    high = len(values) - first_inside(-values[::-1], -own, reach)
    upto = np.concatenate([[0], np.cumsum(times)])
    counts = np.empty(len(z), np.int64)
    counts[order] = upto[high] - upto[low]
    return counts


def first_inside(values: np.ndarray, own: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the first place in distinct sorted values that is no farther than reach from each own one.

    own - reach is rounded, and many a neighbour lies exactly there; so the differences decide, a step or two from the search.
    """
    at = np.searchsorted(values, own - reach)
    while (out := own - values[at] > reach).any():
        at += out
    while (more := (at > 0) & (own - values[at - 1] <= reach)).any():
        at -= more
    return at
