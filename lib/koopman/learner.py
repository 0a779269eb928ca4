"""The loop of Koopman networks: lib.training has one price, beta >= 0; these weigh several, of either sign, by member."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor

from lib.core.plan import Plan, epochs_recorded, planned
from lib.core.types import Rows, Terms
from lib.koopman.entropy import portrait
from lib.nets.stacked import Bottleneck, clip_members

Objective = Callable[[Bottleneck, Tensor, Tensor, Tensor], Terms]


def fit(model: Bottleneck, terms: Objective, part: Rows, *, seeds: Sequence[int], plan: Plan) -> list[dict]:
    """Minimise fit + price of every member by Adam; return a row a member and recorded epoch.

    part: windows x (S, N, T, n) and what acts y (S, N, T - 1, m), one entry a seed. The model has R = S * V members, seed by
    seed, V variants of each, which see the same windows and noise. A member is the same, up to rounding, alone and in company.
    Rows have seed, variant, epoch, status, fit, price, what the terms watch, and the portrait of the code. The last weights are
    kept. Where the plan records divergence, a member whose loss or gradient is not finite has status "diverged at epoch 3", NaN
    for its numbers and zero for its weights from then on, and the others go on.
    Errors: ValueError for a plan that cannot be; FloatingPointError, naming the member, for a loss that is not finite.
    """
    generators, variants = checked(model, part, seeds, plan)
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.lr)
    recorded, rows, lost = set(epochs_recorded(plan)), [], {}
    for epoch in range(1, plan.epochs + 1):
        for x, y, noise in batches(part, generators, plan.batch, model.code_size):
            step = terms(model, *(z.repeat_interleave(variants, 0) for z in (x, y, noise)))
            optimizer.zero_grad()
            (step.fit + step.price).sum().backward()
            if plan.on_divergence == "record":
                lost |= {i: epoch for i in gone(model, step) if i not in lost}
            clip_members(model, plan.clip)
            optimizer.step()
            silence(model, lost)
        if epoch in recorded:
            rows += told(step, epoch, (seeds, variants), lost)
    return rows


def checked(model: Bottleneck, part: Rows, seeds: Sequence[int], plan: Plan) -> tuple[list[torch.Generator], int]:
    """Return a generator a seed and the number of variants, refusing what does not fit together."""
    planned(plan._asdict())
    members = len(model.mean_head.weight)
    if len(part.x) != len(seeds) or len(set(seeds)) < len(seeds) or members % len(seeds):
        raise ValueError(
            f"{members} members and windows {tuple(part.x.shape)} want distinct seeds, one an entry of x, got {list(seeds)}"
        )
    if plan.batch > part.x.shape[1]:
        raise ValueError(f"batch {plan.batch} is larger than the {part.x.shape[1]} training windows; choose at most that")
    if plan.select != "last":
        raise ValueError('Koopman networks keep their last weights; set select to "last"')
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds], members // len(seeds)


def batches(part: Rows, generators: list[torch.Generator], size: int, code: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield x, y and noise (S, size, T, code) of one epoch; windows that fill no batch wait for the next."""
    frames = part.x.shape[2]
    order = torch.stack([torch.randperm(part.x.shape[1], generator=g) for g in generators])
    seed = torch.arange(len(order))[:, None]
    for start in range(0, order.shape[1] - size + 1, size):
        rows = order[:, start : start + size]
        noise = torch.stack([torch.randn(size, frames, code, generator=g) for g in generators])
        yield part.x[seed, rows], part.y[seed, rows], noise.to(part.x)


def gone(model: torch.nn.Module, step: Terms) -> list[int]:
    """Return the members whose loss or gradient is not finite, and take these gradients away."""
    grads = [p.grad for p in model.parameters() if p.grad is not None and p.grad.numel()]
    fine = step.fit.isfinite() & step.price.isfinite() & torch.stack([g.flatten(1).isfinite().all(1) for g in grads]).all(0)
    for g in grads if not fine.all() else []:
        g[~fine] = 0
    return (~fine).nonzero()[:, 0].tolist()


@torch.no_grad()
def silence(model: torch.nn.Module, lost: dict[int, int]) -> None:
    """Set the weights of lost members to zero: what they compute is finite, and no decomposition of the others fails."""
    for p in model.parameters() if lost else []:
        p[list(lost)] = 0


def told(step: Terms, epoch: int, names: tuple[Sequence[int], int], lost: dict[int, int]) -> list[dict]:
    """Return a row a member of one step."""
    watch = step.watch or {}
    shown = {"fit": step.fit.detach(), "price": step.price.detach()}
    shown |= {name: value for name, value in watch.items() if value.ndim == 1}
    shown |= portrait(watch["code"].flatten(1, -2)) if "code" in watch else {}
    values, rows = {name: value.tolist() for name, value in shown.items()}, []
    for i, (seed, variant) in enumerate(product(names[0], range(names[1]))):
        fine = shown["fit"][i].isfinite() and shown["price"][i].isfinite()
        if i not in lost and not fine:
            raise FloatingPointError(
                f"seed {seed}, variant {variant}: not finite at epoch {epoch}; lower lr, or set on_divergence: record"
            )
        status = f"diverged at epoch {lost[i]}" if i in lost else "ok"
        own = {name: math.nan if i in lost else value[i] for name, value in values.items()}
        rows.append({"seed": seed, "variant": variant, "epoch": epoch, "status": status} | own)
    return rows
