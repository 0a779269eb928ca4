"""Mutual information by neighbours against libraries and trees, and how its cost grows."""

import math
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial

import npeet_plus
import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_regression
from sklearn.neighbors import KDTree
from torch import Tensor

from lib.data.synthetic import gaussian_pair
from lib.estimators.knn import mi_ksg, standard
from tests.bench.harness import compare, cpu_seconds, exponent, row

# Columns a side and rows, up to the border of what a tree can do; npeet_plus takes 25 s for 8 + 8 columns of 40000 rows.
POINTS = [(1, n) for n in (1000, 10_000, 40_000)] + [(2, n) for n in (3000, 10_000, 40_000)] + [(3, 10_000), (4, 20_000)]
POINTS += [(8, 1000), (8, 5000)]


def pair(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Return correlated normal columns in float64."""
    x, y, _ = gaussian_pair(n, 0.6, d=d, seed=0)
    return x.double(), y.double()


def by_npeet(x: Tensor, y: Tensor) -> float:
    """KSG by npeet_plus, in nats."""
    return npeet_plus.mi(standard(x), standard(y), k=3, base=math.e)


def by_scipy(x: Tensor, y: Tensor) -> float:
    """KSG by SciPy's trees alone."""
    a, b = standard(x), standard(y)
    joint = np.hstack([a, b])
    radius = np.nextafter(cKDTree(joint).query(joint, [4], p=np.inf)[0][:, 0], 0)
    counts = [cKDTree(z).query_ball_point(z, radius, p=np.inf, return_length=True) for z in (a, b)]
    return float(digamma(3) + digamma(len(a)) - sum(map(digamma, counts)).mean())


def by_sklearn(x: Tensor, y: Tensor) -> float:
    """KSG by scikit-learn's trees alone."""
    a, b = standard(x), standard(y)
    joint = np.hstack([a, b])
    radius = np.nextafter(KDTree(joint, metric="chebyshev").query(joint, 4)[0][:, -1], 0)
    counts = [KDTree(z, metric="chebyshev").query_radius(z, radius, count_only=True) for z in (a, b)]
    return float(digamma(3) + digamma(len(a)) - sum(map(digamma, counts)).mean())


def worst_against_trees() -> dict:
    """Return the row of the point where we do worst against the fastest of three codes by trees."""
    ratios = {}
    for d, n in POINTS:
        x, y = pair(n, d)
        works = [partial(f, x, y) for f in (mi_ksg, by_npeet, by_scipy, by_sklearn)]
        values = [float(work()) for work in works]
        assert np.allclose(values, values[0], atol=1e-3), f"ksg-never, {d} + {d} columns, {n} rows: {values}"
        ours, *theirs = cpu_seconds(*works, repeats=7 if n <= 10_000 and d <= 2 else 1)
        ratios[f"{d} + {d}, n = {n}"] = min(theirs) / ours
    worst = min(ratios, key=ratios.get)
    return row("ksg-never", f"worst of {len(POINTS)}: {worst}", "fastest of three codes by trees", 0.8, ratios[worst])


def compile_seconds() -> float:
    """Return the CPU seconds of the first search by all pairs in a process that finds no compiled code."""
    code = (
        "import time, numpy as np; from lib.pairwise import neighbours_compiled as c\n"
        "z = c.tiled(np.eye(9)); begin = time.process_time()\n"
        "c.pairs(z, z, 9, 3, False); print(time.process_time() - begin)"
    )
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_CACHE_DIR": empty},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout)


def rows() -> list[dict]:
    """Compare KSG in one and in many dimensions, the time to compile, and the worst that the choice of a search does."""
    few, eight, sixteen = pair(10_000, 1), pair(10_000, 8), pair(10_000, 16)
    seconds = statistics.median(compile_seconds() for _ in range(3))
    options = {"n_neighbors": 3, "random_state": 0}
    return [
        compare(
            "ksg-1d", "n = 10000, 1 + 1, float64, k = 3", "npeet_plus", 2.0,
            lambda: mi_ksg(*few), lambda: by_npeet(*few), tolerance=1e-3,
        ),
        compare(
            "ksg-1d-sklearn", "n = 10000, 1 + 1, float64, k = 3", "scikit-learn mutual_info_regression", 2.0,
            lambda: mi_ksg(*few), lambda: mutual_info_regression(few[0].numpy(), few[1][:, 0].numpy(), **options)[0],
            tolerance=1e-3,
        ),
        compare(
            "ksg-high-8", "n = 10000, 8 + 8, float64, k = 3, compiled before", "npeet_plus", 5.0,
            lambda: mi_ksg(*eight), lambda: by_npeet(*eight), tolerance=1e-3,
        ),
        compare(
            "ksg-high-16", "n = 10000, 16 + 16, float64, k = 3, compiled before", "npeet_plus", 4.0,
            lambda: mi_ksg(*sixteen), lambda: by_npeet(*sixteen), tolerance=1e-3,
        ),
        row("ksg-compile", f"once a machine: {seconds:.2f} s", "2 CPU seconds", 1.0, 2 / seconds),
        worst_against_trees(),
    ]  # fmt: skip


def growth() -> list[dict]:
    """Return how the cost of KSG grows with the rows, by a tree and by all pairs."""
    found = []
    for d, sizes in ((1, [2500, 5000, 10_000, 20_000, 40_000]), (8, [2000, 4000, 8000, 16_000])):
        works = [partial(mi_ksg, *pair(n, d)) for n in sizes]
        seconds = cpu_seconds(*works)
        found.append({"name": f"ksg-{d}+{d}", "sizes": sizes, "seconds": seconds, "exponent": exponent(sizes, seconds)})
    return found
