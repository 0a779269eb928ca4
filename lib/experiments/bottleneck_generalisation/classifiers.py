"""A grid of small classifiers behind stochastic codes: trained, measured, a row of a table for each.

Networks of one width and one weight decay train as one batched program; they share nothing but the program. First weights and
noise come from the seed alone, so networks that differ in data, decay or regulariser start alike.
"""

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.bottlenecks.stochastic import Layout, StochasticNets, initial, target_information_terms
from lib.core import checks
from lib.core.processes import each
from lib.core.progress import bar
from lib.core.types import Rows, Terms
from lib.data.blobs import CLASSES, Blobs, blobs
from lib.estimators.channel import mi_channel, mi_channel_jensen, pair_densities
from lib.training import swag


class Grid(NamedTuple):
    """The networks: all combinations."""

    seeds: list[int]
    instances: list[int]  # data sets
    widths: list[int]
    decays: list[float]
    rates: list[float]  # by which the weight of the information's target rises; 0 leaves it out


class Member(NamedTuple):
    """One network among those of a width and a decay."""

    instance: int
    seed: int
    rate: float


class Budget(NamedTuple):
    """How each is trained, by gradient descent with momentum on all 50 points at once, and measured."""

    epochs: int = 300
    path_from: int = 200  # first epoch of the path that the posterior describes
    lr: float = 0.01
    momentum: float = 0.9
    rank: int = 10  # deviations that the posterior keeps
    draws: int = 10  # weights drawn from each posterior


class Trained(NamedTuple):
    """Stacked networks after training, with what is needed to measure them."""

    model: StochasticNets
    posterior: swag.Posterior
    weight: Tensor  # (R,) of the information's target
    generators: dict[int, torch.Generator]


def measure(grid: Grid, budget: Budget, *, workers: int | None = None) -> pd.DataFrame:
    """Return a row for every network of the grid, whoever computes it: settings, status, losses, gap and measures (nats).

    A network whose weights are not finite has status `diverged`, NaN for its measures, and NaN for the I(S;theta) it enters.
    Errors: an empty or doubled list in the grid; a path shorter than the rank.
    """
    for name, values in grid._asdict().items():
        if not values or len(set(values)) < len(values):
            raise ValueError(f"{name} must be a list of distinct values, got {values!r}; name each once")
    checks.counted(budget.path_from, "path_from"), checks.counted(budget.epochs, "epochs", least=budget.path_from)
    units = list(product(sorted(grid.widths, reverse=True), grid.decays))  # the longest first, so that no core waits long
    found = bar(each(partial(unit, grid, budget), units, workers=workers), "networks", total=len(units))
    return pd.DataFrame([row for rows in found for row in rows])


def unit(grid: Grid, budget: Budget, chosen: tuple[int, float]) -> list[dict]:
    """Train and measure the networks of one width and one decay."""
    width, decay = chosen
    who = [Member(*values) for values in product(grid.instances, grid.seeds, grid.rates)]
    data = {instance: blobs(instance) for instance in grid.instances}
    layout = Layout((2, width, width, width // 2, width // 2, CLASSES))
    trained = train(layout, who, stacked(data, who, "train"), decay=decay, budget=budget)
    columns = losses(trained, who, data) | informations(trained, who, stacked(data, who, "probe")) | sizes(trained.model)
    columns |= weight_informations(trained, grid, budget.draws)
    fine = torch.isfinite(trained.model.rows).all(1).tolist()
    status = ["ok" if one else "diverged" for one in fine]
    table = pd.DataFrame(who).assign(width=width, decay=decay, status=status, weight=trained.weight.tolist(), **columns)
    return table.to_dict("records")


def stacked(data: dict[int, Blobs], who: list[Member], part: str) -> Rows:
    """Return one part of every network's data, x (R, n, 2) and y (R, n)."""
    parts = [getattr(data[one.instance], part) for one in who]
    return Rows(torch.stack([p.x for p in parts]), torch.stack([p.y for p in parts]))


def train(layout: Layout, who: list[Member], rows: Rows, *, decay: float, budget: Budget) -> Trained:
    """Descend cross-entropy + weight * (target - I(X;Z)); the weight starts at 0 and rises by rate * (target - I)."""
    generators = {one.seed: torch.Generator().manual_seed(one.seed) for one in who}
    first = {seed: initial(layout, generator) for seed, generator in generators.items()}
    weights = torch.stack([first[one.seed] for one in who]).to(rows.x.dtype).requires_grad_()
    velocity, rates = torch.zeros_like(weights), torch.tensor([one.rate for one in who], dtype=rows.x.dtype)
    weight, path = torch.zeros_like(rates), swag.Path(rank=budget.rank)
    for epoch in range(1, budget.epochs + 1):
        terms = sampled(StochasticNets(weights, layout), who, rows, generators)
        (slope,) = torch.autograd.grad((terms.fit + weight * terms.price).sum(), weights)
        with torch.no_grad():
            velocity.mul_(budget.momentum).add_(slope).add_(weights, alpha=decay)
            weights.sub_(velocity, alpha=budget.lr)
        weight += rates * terms.price.detach()
        if epoch >= budget.path_from:
            path.add(weights.detach())
    return Trained(StochasticNets(weights.detach(), layout), path.posterior(), weight, generators)


def sampled(model: StochasticNets, who: list[Member], rows: Rows, generators: dict[int, torch.Generator]) -> Terms:
    """Return the terms under one draw of noise; networks of one seed see the same."""
    n, code, dtype = rows.x.shape[1], model.layout.sizes[-2], rows.x.dtype
    noise = {seed: torch.randn(n, code, generator=generator, dtype=dtype) for seed, generator in generators.items()}
    return target_information_terms(model, *rows, torch.stack([noise[one.seed] for one in who]))


@torch.no_grad()
def losses(trained: Trained, who: list[Member], data: dict[int, Blobs]) -> dict[str, list[float]]:
    """Return accuracy and cross-entropy on training and test points, each under one draw of noise, and the gap."""
    found = {}
    for part in ("train", "test"):
        rows = stacked(data, who, part)
        terms = sampled(trained.model, who, rows, trained.generators)
        right = terms.watch["prediction"].argmax(-1) == rows.y
        found |= {f"{part}_accuracy": right.double().mean(-1).tolist(), f"{part}_loss": terms.fit.double().tolist()}
    pairs = zip(found["test_loss"], found["train_loss"], strict=True)
    return found | {"gap": [test - seen for test, seen in pairs]}


@torch.no_grad()
def informations(trained: Trained, who: list[Member], rows: Rows) -> dict[str, list[float]]:
    """Return I(X;Z) and I(X;Z|Y) on the probe, by the mixture and by Jensen's bound, in double."""
    watch = sampled(trained.model, who, rows, trained.generators).watch
    logs = pair_densities(*(watch[name].double() for name in ("code", "mean", "deviation")))
    named = {"mc": mi_channel, "jensen": mi_channel_jensen}
    plain = {f"xz_{name}": mi(logs).tolist() for name, mi in named.items()}
    return plain | {f"xz_given_y_{name}": mi(logs, rows.y).tolist() for name, mi in named.items()}


def sizes(model: StochasticNets) -> dict[str, list[float]]:
    """Return what counts and norms say: the number m of weights, m log2 m, sum and product of the Frobenius norms."""
    m, norms = float(model.layout.weights), model.norms().double()
    counts = {"parameters": [m] * len(norms), "m_log_m": [m * math.log2(m)] * len(norms)}
    return counts | {"norm_sum": norms.sum(1).tolist(), "norm_product": norms.prod(1).tolist()}


def weight_informations(trained: Trained, grid: Grid, draws: int) -> dict[str, list[float]]:
    r"""Return I(S;theta) between data set and weights, of the encoder and of all weights, the same for all data sets.

    `single`: the posterior of one seed stands for p(theta|S); `multi`: the mixture over the seeds does. `jensen` is the bound
    that was published; `mc` is the information on which of these data sets was seen, at most the log of their number.
    """
    found = {}
    for name, most in (("encoder", trained.model.layout.encoder), ("all", None)):
        logs = torch.stack([cross_densities(trained, grid, rate, draws=draws, most=most) for rate in grid.rates], 2)
        single = logs.diagonal(dim1=1, dim2=5).permute(4, 1, 2, 0, 3)  # (seeds, rates, draws, instances, instances)
        multi = (logs.logsumexp(5) - math.log(len(grid.seeds))).permute(1, 2, 3, 0, 4)
        for kind, mi in {"jensen": mi_channel_jensen, "mc": mi_channel}.items():
            own, pooled = mi(single).mean(2), mi(multi).mean((0, 2))
            for way, value in {"single": own, "multi": pooled.expand_as(own)}.items():
                found[f"{name}_{way}_{kind}"] = value.expand(len(grid.instances), -1, -1).flatten().tolist()
    return found


def cross_densities(trained: Trained, grid: Grid, rate: float, *, draws: int, most: int | None) -> Tensor:
    """Return log q_b(theta) for draws of every posterior a of one rate under every b, (I, S, draws, I, S), in double."""
    who = list(product(grid.instances, grid.seeds, grid.rates))
    chosen = [(place, seed) for place, (_, seed, own) in enumerate(who) if own == rate]
    posteriors = [trained.posterior.of(place, most) for place, _ in chosen]
    generators = [trained.generators[seed].clone_state() for _, seed in chosen]
    drawn = torch.cat([swag.sample(p, draws, g) for p, g in zip(posteriors, generators, strict=True)])
    logs = torch.stack([swag.log_density(p, drawn) for p in posteriors], -1).double()
    shape = len(grid.instances), len(grid.seeds)
    return logs.reshape(*shape, draws, *shape)
