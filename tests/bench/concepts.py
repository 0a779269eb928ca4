"""Concept bottlenecks: the elastic-net path against SAGA at no worse objective, lazy against plain greedy choice."""

import time
import warnings
from functools import partial

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from lib.concepts.bottleneck import cosines
from lib.concepts.elastic import Path, elastic_path, objective, penalties
from lib.concepts.labo import greedy, lazy_greedy
from tests.bench.harness import cpu_seconds, exponent, row
from tests.samples import normal


def scores(n: int, size: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return standardised scores of `size` concepts that live in 16 dimensions and a cone, as cosines do, and labels."""
    base = normal(n, 16, seed=0)
    u = base @ normal(16, size, seed=1) / 4 + 0.3 * normal(n, size, seed=2) + 0.6 * normal(n, 1, seed=3)
    y = (base @ normal(16, classes, seed=4) + 0.7 * normal(n, classes, seed=5)).argmax(1)
    return (u - u.mean(0)) / u.std(0, correction=0), y


def by_saga(u: torch.Tensor, y: torch.Tensor, lambdas: torch.Tensor, tolerance: float) -> Path:
    """Return the path that scikit-learn finds, each head from the one before."""
    head = LogisticRegression(solver="saga", l1_ratio=0.99, tol=tolerance, random_state=0, max_iter=300, warm_start=True)
    weights, bias, (x, labels) = [], [], (u.numpy(), y.numpy())
    for value in lambdas.tolist():
        head.set_params(C=1 / (value * len(x))).fit(x, labels)
        weights.append(head.coef_.copy()), bias.append(head.intercept_.copy())
    return Path(*(torch.from_numpy(np.stack(part)) for part in (weights, bias)), lambdas, torch.zeros(len(lambdas)))


def path_row(n: int, size: int, classes: int, *, tolerance: float) -> dict:
    """Compare 40 penalties; SAGA, too slow to be run twice, stops at the tolerance at which it comes no nearer than we do."""
    u, y = scores(n, size, classes)
    ours = partial(elastic_path, u, y, lambdas=penalties(u, y, count=40))
    mine, (seconds,) = ours(), cpu_seconds(ours, repeats=3)
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = by_saga(u, y, mine.lambdas, tolerance)
    other = time.process_time() - begin
    gap = (objective(mine, u, y) - objective(theirs, u, y)).mean().item()
    assert gap <= 1e-6, f"our mean objective is {gap:.2e} above theirs"
    text = f"n {n}, {size} concepts, {classes} classes, 40 penalties, mean objective {gap:.1e} from theirs, "
    return row(f"elastic-{size}", f"{text}{seconds:.3g} s against {other:.3g} s, run once", "scikit-learn SAGA", 3.0,
               other / seconds)  # fmt: skip


def choice(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return worths and likenesses of `size` sentences."""
    v = normal(size, 64, seed=0) + 1
    likeness = cosines(v, v).clamp(0, 1)
    return normal(size, seed=1).abs(), (likeness + likeness.T) / 2


def at_once(worth: torch.Tensor, likeness: torch.Tensor, k: int) -> list[int]:
    """Choose as plain greedy does, all gains of a step in one call."""
    own, near, chosen = worth.numpy(), likeness.numpy(), []
    best = np.zeros_like(own)
    for _ in range(k):
        gains = own + np.maximum(near - best, 0).sum(1)
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
        best = np.maximum(best, near[chosen[-1]])
    return chosen


def greedy_rows() -> list[dict]:
    """Compare choosing 50 of 500 with plain greedy, a gain at a time and all of a step at once."""
    works = [partial(choose, *choice(500), 50) for choose in (lazy_greedy, greedy, at_once)]
    assert works[0]() == works[1]() == works[2]()
    mine, *others = cpu_seconds(*works, repeats=3)
    peers = (("lazy-greedy", "plain greedy", 20.0), ("lazy-greedy-arrays", "plain greedy, a step in one call", 1.0))
    return [
        row(name, f"50 of 500 sentences, {mine:.3g} s against {other:.3g} s", peer, bar, other / mine)
        for (name, peer, bar), other in zip(peers, others, strict=True)
    ]


def rows() -> list[dict]:
    """Compare paths of three shapes and the choice of sentences."""
    shapes = [(2000, 60, 10, 1e-4), (3000, 30, 12, 1e-4), (1000, 128, 20, 1e-4)]
    return [path_row(*shape, tolerance=t) for *shape, t in shapes] + greedy_rows()


def growth() -> list[dict]:
    """Return how the cost of a path grows with its rows."""
    sizes = [1000, 2000, 4000]
    works = [partial(elastic_path, u, y, lambdas=penalties(u, y, count=20)) for u, y in (scores(n, 30, 8) for n in sizes)]
    seconds = cpu_seconds(*works, repeats=3)
    return [{"name": "elastic_path", "sizes": sizes, "seconds": seconds, "exponent": exponent(sizes, seconds)}]
