"""The loop of forecasters. lib.training stacks networks from rows to codes; these take windows, dropout, three terms."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Terms
from lib.forecast.layers import Noise
from lib.forecast.models import Forecaster
from lib.forecast.windows import Problem, windows


def fit(model: Forecaster, problem: Problem, *, seeds: Sequence[int], epochs: int, batch: int, lr: float) -> list[dict]:
    """Minimise fit + price of every member by Adam; leave each with the weights of its best validation error.

    Returns a row (seed, epoch, fit, price, valid, what the model watches) a member and epoch. Test windows are not touched.
    A member whose loss stops being finite keeps the best weights it had; its rows say so by their values.
    Errors: a batch larger than the training part.
    """
    checks.counted(epochs, "epochs"), checks.counted(batch, "batch"), checks.positive(lr, "lr")
    if batch > (n := len(problem.parts[0])):
        raise ValueError(f"batch {batch} is larger than the {n} training windows; choose at most {n}")
    generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    best = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    lowest, rows = torch.full((len(seeds),), torch.inf), []
    for epoch in range(1, epochs + 1):
        told = []
        for starts in batches(problem.parts[0], generators, batch):
            step = model.terms(*cut(problem, starts), Noise(generators))
            optimizer.zero_grad()
            (step.fit + step.price).sum().backward()
            optimizer.step()
            told.append({name: value.detach() for name, value in shown(step).items()})
        valid = score(model, problem, problem.parts[1])[:, 0]
        for name, weights in model.named_parameters():
            best[name][valid < lowest] = weights.detach()[valid < lowest]
        lowest = torch.minimum(lowest, valid.nan_to_num(torch.inf))
        rows += recorded(seeds, epoch, valid, told)
    model.load_state_dict(best, strict=False)  # buffers are constants
    return rows


def shown(step: Terms) -> dict[str, Tensor]:
    """Return all that a step tells, by name."""
    return {"fit": step.fit, "price": step.price} | (step.watch or {})


def recorded(seeds: Sequence[int], epoch: int, valid: Tensor, told: list[dict]) -> list[dict]:
    """Return a row a member: its validation error and the epoch's means of what the steps told."""
    means = {name: torch.stack([step[name] for step in told]).mean(0).tolist() for name in told[0]}
    return [
        {"seed": seed, "epoch": epoch, "valid": valid[i].item(), **{name: values[i] for name, values in means.items()}}
        for i, seed in enumerate(seeds)
    ]


def batches(starts: Tensor, generators: Sequence[torch.Generator], size: int) -> Iterator[Tensor]:
    """Yield the starts (R, size) of one epoch, each member's in its own order; those that fill no batch wait for the next."""
    order = torch.stack([torch.randperm(len(starts), generator=g) for g in generators])
    for first in range(0, len(starts) - size + 1, size):
        yield starts[order[:, first : first + size]]


def cut(problem: Problem, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the windows that begin at starts (R, B): input (R, B, look, N), target (R, B, horizon, N), and what is known."""
    frame = problem.frame
    known = problem.known.expand(len(problem.x), -1, -1)
    later = starts + frame.look
    return (
        windows(problem.x, starts, frame.look),
        windows(problem.y, later, frame.horizon),
        windows(known, later, frame.horizon),
    )


@torch.no_grad()
def score(model: Forecaster, problem: Problem, starts: Tensor, *, block: int = 256) -> Tensor:
    """Return mean absolute and mean squared error (R, 2) over all known targets of these windows."""
    sums = torch.zeros(3, len(problem.x))
    for some in starts.split(block):
        x, y, known = cut(problem, some.expand(len(problem.x), -1))
        off = ((model(x) - y) * known).flatten(1)
        sums += torch.stack([off.abs().sum(1), off.square().sum(1), known.flatten(1).sum(1)])
    return (sums[:2] / sums[2]).T
