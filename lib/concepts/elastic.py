r"""The elastic-net path of a multinomial head, to the optimum of each penalty.

min_{W,b} mean_i CE(W u_i + b, y_i) + lambda (a |W|_1 + (1 - a) |W|^2 / 2), a convex problem for each lambda.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from scipy.linalg import cho_factor, cho_solve
from torch import Tensor

from lib.core import checks

DAMPING = 1e-7  # added to the curvature: classes that are certain have none, and a step could have any length
NEAR = 0.9  # of lambda a: weights at zero of smaller slope sit a step out
SWEEPS, ROUNDS = 5, 60  # coordinate by coordinate; then all at once, and again
HALVINGS = 30


def compiled(f: Callable) -> Callable:
    """Compile a function; keep its code on disk unless no folder may be written."""
    try:
        return njit(f, cache=True)
    except RuntimeError:
        return njit(f)


class Path(NamedTuple):
    """Heads of m penalties, the strongest first."""

    weights: Tensor  # (m, K, L) float64, of the scores as given
    bias: Tensor  # (m, K), of mean 0
    lambdas: Tensor  # (m,)
    missed: Tensor  # (m,) the largest subgradient at the end over lambda: 0 at the optimum


class Problem(NamedTuple):
    """One penalty, as arrays; the last row of x is the bias, which has no penalty."""

    x: np.ndarray  # (L + 1, n)
    target: np.ndarray  # (K, n)
    l1: np.ndarray  # (L + 1,)
    l2: np.ndarray  # (L + 1,)


def penalties(u: Tensor, y: Tensor, *, count: int, ratio: float = 0.99, factor: float = 2**0.25, bias: bool = True) -> Tensor:
    """Return `count` penalties (count,), falling by `factor`, from the least one that leaves every weight at zero.

    u: (n, L) scores, y: (n,) labels 0..K-1. It is max |u^T (p - onehot)| / (n a), p the class shares, or 1 / K without bias.
    """
    target = one_hot(checks.labels(y, len(u)))
    slope = u.double().T @ (target - (target.mean(0) if bias else 1 / target.shape[1])) / len(u)
    steps = torch.arange(checks.counted(count, "count"), dtype=torch.float64)
    return slope.abs().max() / fraction(ratio) * checks.positive(factor, "factor") ** -steps


def one_hot(y: Tensor) -> Tensor:
    """Return (n, K) in double, and refuse a class without rows or a single class."""
    counts = y.bincount()
    if len(counts) < 2 or (counts == 0).any():
        empty = (counts == 0).nonzero().flatten().tolist()
        raise ValueError(f"labels need at least 2 classes and rows of each, got {len(counts)} with none of {empty}; renumber")
    return torch.nn.functional.one_hot(y, len(counts)).double()


def fraction(ratio: float) -> float:
    """Refuse a share of the 1-norm outside (0, 1]."""
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio must lie in (0, 1], got {ratio!r}; 1 is the lasso")
    return ratio


def elastic_path(
    u: Tensor, y: Tensor, *, lambdas: Tensor, ratio: float = 0.99, tolerance: float = 1e-2, steps: int = 500, bias: bool = True
) -> Path:
    """Fit a softmax head for each penalty, each from the one before, by proximal Newton steps on the weights that matter.

    A step minimises the quadratic model with the full Hessian, of the weights that are not zero or whose slope is near lambda
    a; others are looked at again after it. It is halved until the objective falls. A bound without
    terms between classes is cheaper by the step and needs hundreds of them: softmax is flat where all classes move together.
    u: (n, L), y: (n,) labels 0..K-1 -> Path in double, until no subgradient exceeds tolerance * lambda. The penalty sees the
    scale of u: standardise it first. Source: [zou2005regularization] [friedman2010regularization].
    """
    u, target = checks.single(u, "u").double(), one_hot(checks.labels(y, len(u))).T.numpy().copy()
    lambdas = lambdas.double()
    if lambdas.ndim != 1 or not (lambdas.isfinite() & (lambdas > 0)).all():
        raise ValueError(f"lambdas must be a vector of positive numbers, got {lambdas.tolist()}")
    checks.positive(tolerance, "tolerance"), fraction(ratio), checks.counted(steps, "steps")
    mean = u.mean(0) if bias else torch.zeros_like(u[0])
    x = torch.cat([u - mean, u.new_full((len(u), 1), float(bias))], 1).T.contiguous().numpy()  # zeros move no bias
    w = np.zeros((len(target), len(x)))
    w[:, -1] = np.log(target.mean(1)) if bias else 0.0
    free, found, missed = np.r_[np.ones(len(x) - 1), 0.0], [], []
    for value in lambdas.tolist():
        w, miss = solved(Problem(x, target, value * ratio * free, value * (1 - ratio) * free), w, tolerance * value, steps)
        found.append(w), missed.append(miss / value)
    made = torch.from_numpy(np.stack(found))
    offset = made[..., -1] - made[..., :-1] @ mean
    return Path(made[..., :-1].contiguous(), offset - offset.mean(1, keepdim=True), lambdas, torch.tensor(missed))


def solved(problem: Problem, w: np.ndarray, tolerance: float, steps: int) -> tuple[np.ndarray, float]:
    """Return the optimal weights (K, L + 1) from a start w, and the largest subgradient that is left."""
    n, z = problem.x.shape[1], w @ problem.x
    for _ in range(steps):
        p = softmax(z)
        slope = (p - problem.target) @ problem.x.T / n + problem.l2 * w
        size = np.abs(np.where(w == 0, np.maximum(np.abs(slope) - problem.l1, 0), slope + problem.l1 * np.sign(w)))
        miss = size.max()
        if miss <= tolerance:
            break
        some = np.nonzero((w != 0) | (np.abs(slope) > NEAR * problem.l1))
        bend = curvature(problem, p, some)
        step = np.zeros_like(w)
        step[some] = minimised(bend, slope[some], w[some], problem.l1[some[1]], 0.01 * tolerance)
        w, z = shortened(problem, w, z, step)
    return w, float(miss)


def curvature(problem: Problem, p: np.ndarray, some: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the Hessian of the smooth part for some weights (k, j): mean x_j x_m (p_k [k = l] - p_k p_l), plus l2."""
    classes, columns = some
    n, part = problem.x.shape[1], problem.x[columns]
    joint = p[classes] * part
    bend = -(joint @ joint.T)
    for k in np.unique(classes):
        own = np.flatnonzero(classes == k)
        bend[np.ix_(own, own)] += joint[own] @ part[own].T
    return bend / n + np.diag(problem.l2[columns] + DAMPING)


def minimised(gram: np.ndarray, slope: np.ndarray, w: np.ndarray, l1: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the d that minimises slope d + d gram d / 2 + l1 |w + d|.

    Coordinate descent finds which weights are in use, and crawls where scores are nearly parallel; so those in use are solved
    for at once after every few sweeps, their signs kept. Source: [lee2007efficient].
    """
    at, line = w.copy(), slope.copy()
    for _ in range(ROUNDS):
        if swept(gram, l1, at, line, tolerance):
            break
        settle(gram, l1, at, line)
    return at - w


@compiled
def swept(gram: np.ndarray, l1: np.ndarray, at: np.ndarray, line: np.ndarray, tolerance: float) -> bool:
    """Move weights `at` and the slope `line` there, coordinate by coordinate, and say whether they have come to rest."""
    for _ in range(SWEEPS):
        moved = 0.0
        for j in range(len(at)):
            raw = at[j] - line[j] / gram[j, j]
            by = np.sign(raw) * max(abs(raw) - l1[j] / gram[j, j], 0.0) - at[j]
            if by != 0.0:
                at[j] += by
                line += by * gram[j]
                moved = max(moved, abs(by) * gram[j, j])
        if moved <= tolerance:
            return True
    return False


def settle(gram: np.ndarray, l1: np.ndarray, at: np.ndarray, line: np.ndarray) -> None:
    """Move the weights in use to their joint optimum; whose sign would change becomes 0 and leaves.

    All that would change leave at once where that gains, or else the first on the way alone, which always does.
    """
    own = np.flatnonzero((at != 0) | (l1 == 0))
    while len(own):
        bend, push = gram[np.ix_(own, own)], line[own] + l1[own] * np.sign(at[own])
        whole = -cho_solve(cho_factor(bend, check_finite=False), push, check_finite=False)
        turns = (l1[own] > 0) & (at[own] * (at[own] + whole) < 0)
        by = np.where(turns, -at[own], whole)
        if turns.any() and by @ push + by @ bend @ by / 2 >= 0:
            part = np.where(turns, -at[own] / np.where(turns, whole, 1.0), 1.0)
            first = int(part.argmin())
            by, turns = part[first] * whole, np.arange(len(own)) == first
            by[first] = -at[own[first]]
        at[own] += by
        line += by @ gram[own]
        if not turns.any():
            return
        own = own[~turns]


def shortened(problem: Problem, w: np.ndarray, z: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and logits after the whole step, or the half, or the quarter..., the first that does not rise."""
    push, before = step @ problem.x, loss(problem, w, z)
    for halving in range(HALVINGS):
        part = 0.5**halving
        new, at = w + part * step, z + part * push
        if loss(problem, new, at) <= before:
            return new, at
    return w, z


def loss(problem: Problem, w: np.ndarray, z: np.ndarray) -> float:
    """Return the objective at weights w with logits z (K, n)."""
    top = z.max(0)
    miss = np.log(np.exp(z - top).sum(0)) + top - (problem.target * z).sum(0)
    return miss.mean() + (problem.l1 * np.abs(w)).sum() + (problem.l2 * w**2).sum() / 2


def softmax(z: np.ndarray) -> np.ndarray:
    """Return probabilities of logits (K, n)."""
    p = np.exp(z - z.max(0))
    return p / p.sum(0)


def objective(path: Path, u: Tensor, y: Tensor, *, ratio: float = 0.99) -> Tensor:
    """Return the loss that each member of a path has reached, (m,)."""
    logits = (u.double() @ path.weights.flatten(0, 1).T).view(len(u), *path.bias.shape) + path.bias
    miss = logits.logsumexp(2) - logits.gather(2, y[:, None, None].expand(-1, len(path.lambdas), 1))[..., 0]
    size = ratio * path.weights.abs().sum((1, 2)) + (1 - ratio) / 2 * path.weights.square().sum((1, 2))
    return miss.mean(0) + path.lambdas * size
