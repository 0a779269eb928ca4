r"""The elastic-net path of a multinomial head: every penalty of the path in one program.

min_{W,b} mean_i CE(W u_i + b, y_i) + lambda (a |W|_1 + (1 - a) |W|^2 / 2), a convex problem for each lambda.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lib import checks

INNER = 12  # steps on the quadratic model, each some hundred times cheaper than a pass over the data


class Path(NamedTuple):
    """Heads of m penalties, the strongest first."""

    weights: Tensor  # (m, K, L) float64, of the scores as given
    bias: Tensor  # (m, K)
    lambdas: Tensor  # (m,)
    moved: Tensor  # (m,) |gradient step| over lambda at the end: at most `tolerance` where a member has converged


class State(NamedTuple):
    """The members that still move; v is where the gradient is taken, w the last accepted point."""

    w: Tensor  # (m, K, L + 1): the last column is the bias
    before: Tensor
    v: Tensor
    at: Tensor  # (n, m, K) logits of w
    at_before: Tensor
    at_v: Tensor
    pace: Tensor  # (m,) of the momentum
    curve: Tensor  # (m,) s, the scale of the quadratic model


def penalties(
    u: Tensor, y: Tensor, *, count: int, ratio: float = 0.99, factor: float = 2**0.25, bias: bool = True
) -> Tensor:  # fmt: skip
    """Return `count` penalties (count,), falling by `factor`, from the least one that leaves every weight at zero.

    u: (n, L) scores, y: (n,) labels 0..K-1. It is max |u^T (p - onehot)| / (n a), p the class shares, or 1 / K without bias.
    """
    target = one_hot(checks.labels(y, len(u)))
    slope = u.double().T @ (target - (target.mean(0) if bias else 1 / target.shape[1])) / len(u)
    steps = torch.arange(checks.counted(count, "count"), dtype=torch.float64, device=u.device)
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
    u: Tensor, y: Tensor, *, lambdas: Tensor, ratio: float = 0.99, tolerance: float = 1e-2, steps: int = 2000,
    bias: bool = True,
) -> Path:  # fmt: skip
    """Fit a softmax head for every penalty at once, by accelerated proximal steps in the metric of the scores.

    A step minimises <g, d> + s tr(d G d^T) / 2 + penalty, G = [u 1]^T [u 1] / n. With s = 1/2 that is an upper bound for
    softmax [bohning1992multinomial]; a smaller s is tried first and doubled for a member whose bound breaks. Momentum starts
    anew in a member that turns back, and one that has converged leaves the program.
    u: (n, L), y: (n,) labels 0..K-1 -> Path in double. The penalty sees the scale of u: standardise it first. At tolerance
    1e-2 objectives lie some 1e-5 above the least one.
    Source: [zou2005regularization] [bohning1992multinomial] [beck2009fast] [odonoghue2015adaptive].
    """
    u = checks.single(u, "u").double()
    target, lambdas = one_hot(checks.labels(y, len(u))), lambdas.double()
    if lambdas.ndim != 1 or not (lambdas.isfinite() & (lambdas > 0)).all():
        raise ValueError(f"lambdas must be a vector of positive numbers, got {lambdas.tolist()}")
    checks.positive(tolerance, "tolerance")
    mean = u.mean(0) if bias else torch.zeros_like(u[0])
    x = torch.cat([u - mean, u.new_full((len(u), 1), float(bias))], 1)  # a column of zeros moves no bias
    gram = x.T @ x / len(x)
    l1, l2 = lambdas * fraction(ratio), lambdas * (1 - ratio)
    live, moved = torch.arange(len(lambdas), device=u.device), torch.full_like(lambdas, torch.inf)
    s = start(x, target.mean(0).log() if bias else torch.zeros_like(target[0]), len(lambdas))
    found = s.w.clone()
    largest = torch.linalg.eigvalsh(gram)[-1]
    for _ in range(checks.counted(steps, "steps")):
        s, step = advance(s, x, target, gram, largest, (l1[live], l2[live]))
        found[live], moved[live] = s.w, step / lambdas[live]
        if len(keep := (moved[live] > tolerance).nonzero().flatten()) == 0:
            break
        if len(keep) < len(live):
            live = live[keep]
            s = State(*(part[:, keep] if part.ndim == 3 and part.shape[0] == len(x) else part[keep] for part in s))
    weights = found[..., :-1]
    return Path(weights, found[..., -1] - weights @ mean, lambdas, moved)


def start(x: Tensor, bias: Tensor, members: int) -> State:
    """Return weights of zero and a bias (K,)."""
    w = x.new_zeros(members, len(bias), x.shape[1])
    w[..., -1] = bias
    at = w[..., -1].expand(len(x), -1, -1)
    return State(w, w, w, at, at, at, x.new_ones(members), x.new_full((members,), 0.1))


def advance(s: State, x: Tensor, target: Tensor, gram: Tensor, largest: Tensor, price: tuple[Tensor, Tensor]) -> tuple:
    """Return the next state and how far each member's gradient step went, infinite where it was refused."""
    n, members, classes = s.at.shape
    share = s.at_v.softmax(2)
    slope = ((share - target[:, None]).flatten(1).T @ x).view_as(s.v) / n
    w = model_step(s.v, slope, s.curve, gram, largest, price)
    at = (x @ w.flatten(0, 1).T).view(n, members, classes)
    d = w - s.v
    bent = d @ gram
    rise = (at - s.at_v).mul(target[:, None]).sum(2)
    gain = (at.logsumexp(2) - s.at_v.logsumexp(2) - rise).mean(0)  # f(w) - f(v)
    allowed = (slope * d).sum((1, 2)) + s.curve / 2 * (bent * d).sum((1, 2))
    good = (gain <= allowed + 1e-12) | (s.curve >= 0.5)
    step = torch.where(good, s.curve * bent.abs().amax((1, 2)), torch.inf)
    back = ((s.v - w) @ gram * (w - s.w)).sum((1, 2)) > 0
    pace = torch.where(back | ~good, 1.0, s.pace)
    later = (1 + (1 + 4 * pace.square()).sqrt()) / 2
    push = torch.where(good & ~back, (pace - 1) / later, 0.0)[:, None, None]
    pick = good[:, None, None]
    w, at = torch.where(pick, w, s.w), torch.where(pick[:, :, 0], at, s.at)
    curve = torch.where(good, s.curve * 0.98, (s.curve * 2).clamp_max(0.5))
    shift = push[:, :, 0]
    return State(w, s.w, w + push * (w - s.w), at, s.at, at + shift * (at - s.at), later, curve), step


def model_step(v: Tensor, slope: Tensor, curve: Tensor, gram: Tensor, largest: Tensor, price: tuple[Tensor, Tensor]) -> Tensor:
    """Minimise <slope, w - v> + s (w - v) G (w - v) / 2 + penalty by FISTA from v; the bias has no penalty."""
    s, (l1, l2) = curve[:, None, None], (part[:, None, None] for part in price)
    rate = 1 / (s * largest)
    line = slope - s * (v @ gram)
    w, at, pace = v, v, 1.0
    for _ in range(INNER):
        raw = at - rate * (s * (at @ gram) + line)
        new = (raw - raw.clamp(-rate * l1, rate * l1)) / (1 + rate * l2)
        new[..., -1] = raw[..., -1]
        later = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
        w, at, pace = new, new + (pace - 1) / later * (new - w), later
    return w


def objective(path: Path, u: Tensor, y: Tensor, *, ratio: float = 0.99) -> Tensor:
    """Return the loss that each member of a path has reached, (m,)."""
    logits = (u.double() @ path.weights.flatten(0, 1).T).view(len(u), *path.bias.shape) + path.bias
    miss = logits.logsumexp(2) - logits.gather(2, y[:, None, None].expand(-1, len(path.lambdas), 1))[..., 0]
    size = ratio * path.weights.abs().sum((1, 2)) + (1 - ratio) / 2 * path.weights.square().sum((1, 2))
    return miss.mean(0) + path.lambdas * size
