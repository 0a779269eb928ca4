r"""Bounds on mutual information that any score of pairs gives, and estimates by critics that learn their scores.

scores: (..., n, n), scores_ij = T(x_i, y_j) of n pairs: joint samples on the diagonal, products of margins off it; leading axes
are stacked members. All values are nats, (...). A lower bound holds for every T and is tight for its own best one.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.core import checks
from lib.estimators.critics import DEFAULT, Budget, block, measured, trained

Bound = Callable[[Tensor], Tensor]


def joint_mean(scores: Tensor) -> Tensor:
    """Return the mean score of the pairs, (..., n, n) -> (...)."""
    return scores.diagonal(dim1=-2, dim2=-1).mean(-1)


def log_mean_exp(scores: Tensor) -> Tensor:
    """Return log E e^T under the product of the margins: over all i != j, (..., n, n) -> (...)."""
    n = scores.shape[-1]
    apart = scores.masked_fill(torch.eye(n, dtype=torch.bool, device=scores.device), -math.inf)
    return apart.flatten(-2).logsumexp(-1) - math.log(n * (n - 1))


def donsker_varadhan(scores: Tensor) -> Tensor:
    r"""Return E_p T - log E_q e^T <= I, tight for T = log p(x, y) / p(x) p(y) plus a constant.

    Estimated from few products it lies too high, by about var(e^T) / (2 m E^2 e^T) for m independent ones.
    Source: [belghazi2018mine].
    """
    return joint_mean(scores) - log_mean_exp(scores)


def smile(scores: Tensor, *, clip: float = 5.0) -> Tensor:
    r"""Return E_p T - log E_q clip(e^T, e^-c, e^c): Donsker-Varadhan with a partition of bounded variance, and a bound no more.

    Where scores above c matter it lies above the truth, below it for a T that is too low. Source: [song2020understanding].
    """
    return joint_mean(scores) - log_mean_exp(scores.clamp(-checks.positive(clip, "clip"), clip))


def nwj(scores: Tensor) -> Tensor:
    r"""Return E_p T - E_q e^(T - 1) <= I, tight for T = 1 + log p(x, y) / p(x) p(y); unbiased, of large variance.

    Source: [nguyen2010estimating].
    """
    return joint_mean(scores) - (log_mean_exp(scores) - 1).exp()


def nwj_of_log_ratio(scores: Tensor) -> Tensor:
    """Return `nwj` of T = scores + 1, tight for the log ratio itself, as `jensen_shannon` is."""
    return nwj(scores + 1)


def infonce(scores: Tensor) -> Tensor:
    r"""Return mean_i log [ e^T_ii / mean_j e^T_ij ] <= I, at most log n whatever the truth.

    Source: [oord2018representation].
    """
    return (scores.diagonal(dim1=-2, dim2=-1) - scores.logsumexp(-1)).mean(-1) + math.log(scores.shape[-1])


def club(scores: Tensor) -> Tensor:
    r"""Return E_p T - E_q T for T = log q(y|x), over i != j: an upper bound on I if q is the true conditional.

    With a fitted q it is an upper bound only as far as q fits. The paper's mean over all i, j is (n - 1) / n times this.
    Source: [cheng2020club].
    """
    n = scores.shape[-1]
    return joint_mean(scores) * n / (n - 1) - scores.mean((-2, -1)) * n / (n - 1)


def jensen_shannon(scores: Tensor) -> Tensor:
    r"""Return E_p log s(T) + E_q log s(-T), s the logistic function, greatest at T = log p(x, y) / p(x) p(y); no information.

    Source: [nowozin2016fgan].
    """
    n = scores.shape[-1]
    pairs = scores.diagonal(dim1=-2, dim2=-1)
    apart = F.softplus(scores).sum((-2, -1)) - F.softplus(pairs).sum(-1)
    return -F.softplus(-pairs).mean(-1) - apart / (n * (n - 1))


class MovingAverage:
    """Donsker-Varadhan whose gradient divides E_q e^T by its moving average over batches rather than by this batch's own value.

    The batch's ratio has a biased gradient; the average has less bias the longer it is. Here a batch of b pairs holds b (b - 1)
    products, so that little bias is left, while an average that lags behind the critic costs: at rho = .75, n = 5000 and memory
    0, .5, .9, .97 the mean of ten seeds is .408, .406, .389, .383 of .413, the spread .02, .03, .04, .06. Values are those
    of `donsker_varadhan`. Source: [belghazi2018mine].
    """

    def __init__(self, memory: float = 0.5) -> None:
        self.memory = memory
        self.log_average = None

    def __call__(self, scores: Tensor) -> Tensor:
        """Return the bound of a batch (..., n, n) -> (...), and remember its partition."""
        log_now = log_mean_exp(scores)
        past = log_now.detach() if self.log_average is None else self.log_average
        self.log_average = torch.logaddexp(past + math.log(self.memory), log_now.detach() + math.log1p(-self.memory))
        slope = (log_now - self.log_average).exp()
        return joint_mean(scores) - log_now.detach() - (slope - slope.detach())


class Method(NamedTuple):
    """How a critic is trained, chosen and read."""

    ascended: Callable[[], Bound]  # makes what training ascends
    chosen: Bound  # greatest on validation rows at the weights that are kept
    read: Bound  # the estimate, on rows of neither
    critic: str | None = None  # the only kind that fits, where there is one


METHODS = {
    "mine": Method(MovingAverage, donsker_varadhan, donsker_varadhan),
    # The clipped value itself rewards scores that grow beyond the clip without end.
    "smile": Method(lambda: jensen_shannon, jensen_shannon, smile),
    # Its own gradient follows the few largest scores: trained by it, rho = .75 is found too low by .03 and spreads by .05.
    "nwj": Method(lambda: jensen_shannon, nwj_of_log_ratio, nwj_of_log_ratio),
    "infonce": Method(lambda: infonce, infonce, infonce),
    "club": Method(lambda: joint_mean, joint_mean, club, "conditional"),
}


def mi_stacked(x: Tensor, y: Tensor, *, bound: str, seeds: list[int], budget: Budget = DEFAULT) -> Tensor:
    """Return the estimate of each member's information from a critic of its own, trained side by side, (S,) float64, nats.

    x: (S, n, dx), y: (S, n, dy), paired; bound: a name of METHODS; seeds: S of them, for split, weights and batches.
    The critic learns from 80 % of the rows, a tenth chooses its weights, and the last tenth, which it has not seen, gives the
    estimate: on its own rows it knows pairs by heart, and a lower bound would no longer be one. A member is the same, up to
    rounding, whether it trains alone or in company. InfoNCE warns near the logarithm of the rows that are compared.
    Large values want more steps: of 3 nats (3 + 3 normals, n = 5000) 300 steps find 2.9 by InfoNCE and 2.3 to 2.4 by the other
    lower bounds, 1000 steps 2.9 and 2.6 to 2.9.
    Errors: fewer than 20 rows; members that are not S; unknown names.
    """
    method = checks.known(bound, METHODS, "bound")
    checks.paired(x, y, least=20)
    if x.ndim != 3 or len(x) != len(seeds):
        raise ValueError(
            f"x must be (S, n, d) for the {len(seeds)} seeds, got {tuple(x.shape)}; stack one sample for each seed"
        )
    budget = budget._replace(critic=method.critic or budget.critic)
    critic, rest = trained(x, y, method, seeds, budget)
    value = measured(critic, method.read, *rest, budget.batch)
    return checks.ceiling(value, math.log(block(rest[0].shape[1], budget.batch)), "InfoNCE") if bound == "infonce" else value


def single(x: Tensor, y: Tensor, bound: str, seed: int, budget: Budget) -> Tensor:
    """Return `mi_stacked` of one pair of samples, 0-dim."""
    checks.paired(x, y)
    return mi_stacked(x[None], y[None], bound=bound, seeds=[seed], budget=budget)[0]


def mi_infonce(x: Tensor, y: Tensor, *, seed: int = 0, steps: int = 300, batch: int = 256, critic: str = "separable") -> Tensor:
    """Return a lower bound on I(X;Y) by `infonce` with a learned critic, "separable" or "joint"; at most log of the block read.

    x: (n, dx), y: (n, dy), paired, n >= 20 -> 0-dim float64, nats. See `mi_stacked` for split and seeds.
    Source: [oord2018representation].
    """
    return single(x, y, "infonce", seed, Budget(steps, batch, critic=critic))


def mi_mine(x: Tensor, y: Tensor, *, seed: int = 0, steps: int = 300, batch: int = 256, critic: str = "separable") -> Tensor:
    """Return I(X;Y) by `donsker_varadhan`, the critic trained by `MovingAverage`; arguments and value as for `mi_infonce`.

    Its spread grows like e^I / n. Source: [belghazi2018mine].
    """
    return single(x, y, "mine", seed, Budget(steps, batch, critic=critic))


def mi_smile(x: Tensor, y: Tensor, *, seed: int = 0, steps: int = 300, batch: int = 256, critic: str = "separable") -> Tensor:
    """Return I(X;Y) by `smile`, the critic trained by `jensen_shannon`; arguments and value as for `mi_infonce`.

    Source: [song2020understanding].
    """
    return single(x, y, "smile", seed, Budget(steps, batch, critic=critic))


def mi_nwj(x: Tensor, y: Tensor, *, seed: int = 0, steps: int = 300, batch: int = 256, critic: str = "separable") -> Tensor:
    """Return a lower bound on I(X;Y) by `nwj`, the critic trained by `jensen_shannon`; else as `mi_infonce`.

    Source: [poole2019variational].
    """
    return single(x, y, "nwj", seed, Budget(steps, batch, critic=critic))


def mi_club(x: Tensor, y: Tensor, *, seed: int = 0, steps: int = 300, batch: int = 256) -> Tensor:
    """Return `club` of a normal q(y|x) fitted by likelihood: above I(X;Y) as far as q fits; arguments as for `mi_infonce`.

    Loose: for normals correlated rho it tends to rho^2 / (1 - rho^2). Source: [cheng2020club].
    """
    return single(x, y, "club", seed, Budget(steps, batch))
