"""Nearest neighbours by all pairs, compiled: in many dimensions faster than any tree.

Points lie in tiles (features before rows), so that the innermost loop runs over neighbours, at stride 1, and is vectorised.
Two points are searched together: what is read of a tile serves both. Features are taken in twos, which keeps all values in
registers whatever the dimension; code made for each pair of dimensions was slower from 8 + 8 on, and compiled for each anew.

One set of dtypes means one machine code a function, so the cache on disk is safe where many processes start at once: whoever
comes late finds the same code, or an index whose code is not there yet, which compiles again.
"""

from collections.abc import Callable

import numba
import numpy as np

TILE = 512  # rows: a tile of 16 features fills a core's second cache by less than a tenth
FAR = 1e150  # where the rows are that fill up the last tile: its square is finite, and no standardised value gets there
CHUNK = 64  # rows that are looked through for a neighbour if one is among them
LARGEST = np.finfo(np.float64).max


def compiled(f: Callable) -> Callable:
    """Compile a function of finite values; keep its code on disk unless no folder may be written."""
    options = {"fastmath": {"nnan", "nsz"}}  # a maximum that minds NaN or the sign of zero cannot be vectorised
    try:
        return numba.njit(f, cache=True, **options)
    except RuntimeError:
        return numba.njit(f, **options)


def tiled(z: np.ndarray) -> np.ndarray:
    """Return rows (n, d) as (tiles, d', TILE), d' = d or d + 1 even; what is added in features is 0, in rows FAR."""
    (n, d), tiles = z.shape, -(-len(z) // TILE)
    full = np.zeros((tiles * TILE, d + d % 2))
    full[:n, :d] = z
    full[n:] = FAR
    return np.ascontiguousarray(full.reshape(tiles, TILE, -1).transpose(0, 2, 1))


@compiled
def max_norm(points: np.ndarray, i: int, out: np.ndarray) -> None:
    """Write the distances of points i and i + 1 to all, in the max-norm, to out (2, rows)."""
    own, c = points[i // TILE], i % TILE
    out[:] = 0.0
    for t in range(len(points)):
        tile = points[t]
        p, q = out[0, t * TILE : (t + 1) * TILE], out[1, t * TILE : (t + 1) * TILE]
        for f in range(0, len(tile), 2):
            u, v = tile[f], tile[f + 1]
            pu, pv, qu, qv = own[f, c], own[f + 1, c], own[f, c + 1], own[f + 1, c + 1]
            for j in range(TILE):
                p[j] = max(p[j], max(abs(pu - u[j]), abs(pv - v[j])))
                q[j] = max(q[j], max(abs(qu - u[j]), abs(qv - v[j])))


@compiled
def squares(points: np.ndarray, i: int, out: np.ndarray) -> None:
    """Write the squared Euclidean distances of points i and i + 1 to all, to out (2, rows)."""
    own, c = points[i // TILE], i % TILE
    out[:] = 0.0
    for t in range(len(points)):
        tile = points[t]
        p, q = out[0, t * TILE : (t + 1) * TILE], out[1, t * TILE : (t + 1) * TILE]
        for f in range(0, len(tile), 2):
            u, v = tile[f], tile[f + 1]
            pu, pv, qu, qv = own[f, c], own[f + 1, c], own[f, c + 1], own[f + 1, c + 1]
            for j in range(TILE):
                p[j] += (pu - u[j]) ** 2 + (pv - v[j]) ** 2
                q[j] += (qu - u[j]) ** 2 + (qv - v[j]) ** 2


@compiled
def within(row: np.ndarray, radius: float) -> int:
    """Count the distances of a row that are no larger than a radius."""
    count = 0
    for j in range(len(row)):
        count += row[j] <= radius
    return count


@compiled
def farthest(row: np.ndarray, where: np.ndarray) -> float:
    """Return the largest distance of a row at some places."""
    reach = 0.0
    for j in where:
        reach = max(reach, row[j])
    return reach


@compiled
def smallest(a: np.ndarray, b: np.ndarray, best: np.ndarray, where: np.ndarray) -> None:
    """Write the least values of max(a, b), two rows of distances, to best, in order, and their places to where."""
    last = len(best) - 1
    best[:] = LARGEST
    for start in range(0, len(a), CHUNK):
        p, q, worst, beaten = a[start : start + CHUNK], b[start : start + CHUNK], best[last], 0
        for j in range(CHUNK):
            beaten += max(p[j], q[j]) < worst
        if beaten == 0:  # as is the rule: only otherwise is there something to put in order
            continue
        for j in range(CHUNK):
            distance, s = max(p[j], q[j]), last
            if distance < best[last]:
                while s > 0 and best[s - 1] > distance:
                    best[s], where[s] = best[s - 1], where[s - 1]
                    s -= 1
                best[s], where[s] = distance, start + j


@compiled
def pairs(a: np.ndarray, b: np.ndarray, n: int, k: int, apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to the k-th neighbour of the joint max-norm space (n,), and counts (2, n) in a and in b.

    Counted are the points strictly nearer than it or, where it is 0, at the same place; with `apart`, those not farther than
    the farthest of the k neighbours is in a, or in b. The point itself counts.
    """
    left, right = np.empty((2, len(a) * TILE)), np.empty((2, len(a) * TILE))
    best, where = np.empty(k + 1), np.empty(k + 1, np.int64)
    reach, counts = np.empty(n), np.empty((2, n), np.int64)
    for i in range(n):
        if i % 2 == 0:
            max_norm(a, i, left)
            max_norm(b, i, right)
        near, by = left[i % 2], right[i % 2]
        smallest(near, by, best, where)
        reach[i] = best[k]
        strict = np.nextafter(best[k], 0.0)
        counts[0, i] = within(near, farthest(near, where) if apart else strict)
        counts[1, i] = within(by, farthest(by, where) if apart else strict)
    return reach, counts


@compiled
def nearest(z: np.ndarray, n: int, k: int, euclidean: bool) -> np.ndarray:
    """Return the distances (n, k + 1) to oneself and to the k nearest others, in the max-norm or the Euclidean."""
    out, where, found = np.empty((2, len(z) * TILE)), np.empty(k + 1, np.int64), np.empty((n, k + 1))
    for i in range(n):
        if i % 2 == 0 and euclidean:
            squares(z, i, out)
        elif i % 2 == 0:
            max_norm(z, i, out)
        smallest(out[i % 2], out[i % 2], found[i], where)
    return np.sqrt(found) if euclidean else found


@compiled
def inside(z: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Count, for each point, the points no farther than its radius in the max-norm, itself included."""
    out, counts = np.empty((2, len(z) * TILE)), np.empty(len(radius), np.int64)
    for i in range(len(radius)):
        if i % 2 == 0:
            max_norm(z, i, out)
        counts[i] = within(out[i % 2], radius[i])
    return counts
