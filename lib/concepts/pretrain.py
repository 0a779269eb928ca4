r"""Train a CLIP on pictures and captions: contrast within the batch, and within groups that share what is easily told.

loss = (1 - g) L(batch) + g mean_k L(group_k),  L(u, v) = (CE(s u v', i) + CE(s v u', i)) / 2,

with unit rows u_i, v_i of picture and caption, the learned scale s, and as targets the row's own number i. In a whole batch
most captions differ in colour, which is quickly learnt; in a group of one colour they must be told apart by the rest. Groups
are of one attribute at one step and of another at the next, so that none is starved. Pictures and captions are encoded once
for both losses. Source: [radford2021learning]; the loss is open_clip's [cherti2023reproducible].
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from open_clip.loss import ClipLoss
from torch import Tensor, nn

from lib.core import checks
from lib.core.progress import bar

LOSS = ClipLoss()
CEILING = math.log(100)  # of the logarithm of the scale


class Budget(NamedTuple):
    """How long and how fast to train."""

    steps: int
    batch: int = 128
    group: int = 16  # rows of one group; a batch is made of whole groups
    grouped: float = 0.35  # g, the weight of the loss inside groups
    lr: float = 0.004
    warm_up: int = 50  # steps
    least: float = 0.02  # share of lr at the end of the cosine
    decay: float = 0.1  # of weight matrices but tables of vectors
    clip: float = 1.0


def pretrain(
    model: nn.Module, images: Tensor, tokens: Tensor, groups: Tensor, budget: Budget, *, seed: int
) -> list[dict[str, float]]:
    """Train the model in place and return a row (step, loss, whole, inside, scale) for every tenth step; losses in nats.

    images: (n, 3, h, w) normalised, float32; tokens: (n, c, length), of which each step takes one caption at random;
    groups: (n, k) whole numbers, of which step i uses column i mod k. Steps are counted, not timed: with one thread, one
    machine repeats the weights to the bit.
    Errors: rows that do not pair; a batch that is not whole groups; fewer rows in whole groups than a batch.
    """
    check(images, tokens, groups, budget)
    optimizer = torch.optim.AdamW(parameter_groups(model, budget.decay), lr=budget.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, budget))
    generator, history = torch.Generator().manual_seed(seed), []
    model.train()
    streams = [batches(column, budget, generator) for column in groups.T]
    for step in bar(range(1, budget.steps + 1), "pre-training"):
        rows = next(streams[step % len(streams)])
        which = torch.randint(tokens.shape[1], (len(rows),), generator=generator)
        pictures = images[rows].contiguous(memory_format=torch.channels_last)
        u, v = model.encode_image(pictures, normalize=True), model.encode_text(tokens[rows, which], normalize=True)
        whole, inside = losses(u, v, model.logit_scale.exp(), budget.group)
        loss = (1 - budget.grouped) * whole + budget.grouped * inside
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), budget.clip)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, CEILING)
        if step % 10 == 0 or step == budget.steps:
            values = {"loss": loss, "whole": whole, "inside": inside, "scale": model.logit_scale.exp()}
            history.append({"step": step} | {name: value.item() for name, value in values.items()})
    model.eval()
    return history


def losses(u: Tensor, v: Tensor, scale: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Return the loss of the batch and the mean loss inside its groups, nats; u, v: (n, d) unit rows, groups in sequence."""
    inside = [LOSS(a, b, scale) for a, b in zip(u.split(group), v.split(group), strict=True)]
    return LOSS(u, v, scale), torch.stack(inside).mean()


def batches(groups: Tensor, budget: Budget, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows of one batch after another, without end: shuffled groups of rows that share their number.

    Each round uses every row once, but for those that do not fill a group and groups that do not fill a batch.
    """
    many = budget.batch // budget.group
    while True:
        parts = []
        for number in groups.unique().tolist():
            rows = (groups == number).nonzero().squeeze(1)
            rows = rows[torch.randperm(len(rows), generator=generator)]
            parts.append(rows[: len(rows) // budget.group * budget.group].view(-1, budget.group))
        every = torch.cat(parts)
        every = every[torch.randperm(len(every), generator=generator)]
        yield from every[: len(every) // many * many].view(-1, budget.batch)


def rate(step: int, budget: Budget) -> float:
    """Return the learning rate of a step as a share of the highest: a linear rise, then half a cosine down to `least`."""
    if step < budget.warm_up:
        return (step + 1) / budget.warm_up
    along = min(1.0, (step - budget.warm_up) / max(1, budget.steps - budget.warm_up))
    return budget.least + (1 - budget.least) * 0.5 * (1 + math.cos(math.pi * along))


def parameter_groups(model: nn.Module, decay: float) -> list[dict]:
    """Return two groups of parameters: matrices and filters, which decay; tables of vectors and the rest, which do not."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    shrink = [p for name, p in named if p.ndim > 1 and "embedding" not in name]
    keep = [p for name, p in named if p.ndim <= 1 or "embedding" in name]
    return [{"params": shrink, "weight_decay": decay}, {"params": keep, "weight_decay": 0.0}]


def check(images: Tensor, tokens: Tensor, groups: Tensor, budget: Budget) -> None:
    """Refuse rows that do not pair and a budget that does not fit them."""
    for name in ("steps", "batch", "group"):
        checks.counted(getattr(budget, name), name)
    checks.positive(budget.lr, "lr")
    if not 0 <= budget.grouped <= 1:
        raise ValueError(f"grouped must be in [0, 1], got {budget.grouped}; it is the weight of the loss inside groups")
    if groups.ndim != 2 or not groups.shape[1]:
        raise ValueError(f"groups must have shape (n, k), got {tuple(groups.shape)}; for one grouping pass groups[:, None]")
    if not len(images) == len(tokens) == len(groups):
        raise ValueError(
            f"images, tokens and groups must pair row by row, got {len(images)}, {len(tokens)} and {len(groups)} rows"
        )
    if budget.batch % budget.group:
        raise ValueError(f"batch {budget.batch} is not made of whole groups of {budget.group}; choose a multiple")
    whole = min(sum(int(n) // budget.group for n in column.bincount()) for column in groups.T) * budget.group
    if whole < budget.batch:
        raise ValueError(f"the rows fill groups of {whole} rows in all, fewer than a batch of {budget.batch}; give more rows")
