"""The one loop: every method, every seed and every beta train here, all members of a method at once.

Members are stacked seed by seed, beta by beta. They share nothing but the program: a member's loss touches its own weights
only, Adam works element by element, and batch order and noise come from the seed's own generator. A member is therefore the
same, up to rounding, whether it trains alone or in company.
"""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from lib.core.plan import Plan, epochs_recorded, planned
from lib.core.progress import bar
from lib.core.types import Rows, Split, Terms
from lib.nets.stacked import Bottleneck, clip_members
from lib.training import distributed
from lib.training.checkpoint import Progress
from lib.training.misses import miss

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAVE_EVERY = 20.0  # seconds between checkpoints


class Members(NamedTuple):
    """Who is trained: one member for each seed and beta, seed by seed."""

    method: str
    seeds: list[int]
    betas: list[float]


class Fitted(NamedTuple):
    """What training leaves besides the selected weights, which are in the model."""

    history: list[dict]  # a row for each member at each recorded epoch
    best_epoch: Tensor  # (R,)
    epochs: list[int]  # those recorded
    snapshots: dict[str, Tensor]  # weight name -> (recorded epochs, R, ...)


def one_device(accelerator: str) -> "Fabric":
    """Return Lightning Fabric on one device: "cpu", "cuda", or "auto" for the best there is.

    Whatever cluster there is, this process works alone: it neither joins others nor is told to be started by srun.
    """
    from lightning_fabric import Fabric  # where it is used: it takes a second and a half to import
    from lightning_fabric.plugins.environments import LightningEnvironment

    # Imported, it has torch look for GPUs through the driver; where there is none, Adam then spends 0.2 ms a step on looking.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    return Fabric(accelerator=accelerator, devices=1, plugins=LightningEnvironment())


def fit(
    fabric: "Fabric",
    model: Bottleneck,
    terms: distributed.Objective,
    split: Split,
    plan: Plan,
    members: Members,
    *,
    checkpoint: Path | None = None,
) -> Fitted:
    """Minimise fit + beta * price of every member by Adam and leave the selected weights in the model.

    split: parts with a leading seed axis (S, n, d); model: R = S * B members. With a checkpoint path, a run that was stopped
    goes on from it to the same weights, bit for bit on one machine; the file is removed at the end. Of several processes
    (lib/training/distributed.py) each takes its share of every batch, where terms are means over rows.
    Errors: ValueError for settings that cannot be; FloatingPointError, naming the member, for a loss that is not finite.
    """
    check(plan, split, members)
    processes, shared = fabric.world_size, {"label": members.method, "betas": len(members.betas), "batch": plan.batch}
    distributed.check(model, terms, split.train, processes=processes, **shared)
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.lr, fused=True)
    wrapped, optimizer = fabric.setup(distributed.Step(model, terms), optimizer)
    generators = [torch.Generator().manual_seed(seed) for seed in members.seeds]
    progress = Progress(model, optimizer, generators, len(members.seeds) * len(members.betas))
    fingerprint = progress.fingerprint((members, plan, getattr(terms, "keywords", {})), split.train)
    if checkpoint:
        progress.load(checkpoint, fingerprint)
    betas = torch.tensor(members.betas * len(members.seeds), device=fabric.device)
    recorded, saved = epochs_recorded(plan), time.monotonic()
    for epoch in bar(range(progress.epoch + 1, plan.epochs + 1), members.method):
        sums, steps = torch.zeros(2, len(betas), device=fabric.device), split.train.x.shape[1] // plan.batch
        for x, y, noise in batches(split.train, generators, plan.batch, model.code_size, len(members.betas)):
            miss_, price = wrapped(*distributed.share((x, y, noise), fabric.global_rank, processes))
            optimizer.zero_grad()
            fabric.backward((miss_ + betas * price).sum())
            clip_members(model, plan.clip)
            optimizer.step()
            sums += torch.stack([miss_.detach(), price.detach()])
        progress.epoch = epoch
        if epoch in recorded:
            sums = fabric.all_reduce(sums, reduce_op="mean") if processes > 1 else sums
            record(progress, members, plan, (sums / steps).cpu(), score(model, terms, split.valid, members).cpu())
        if checkpoint and fabric.is_global_zero and time.monotonic() - saved > SAVE_EVERY:
            progress.save(checkpoint, fingerprint)
            saved = time.monotonic()
    model.load_state_dict(progress.best)
    if checkpoint and fabric.is_global_zero:
        checkpoint.unlink(missing_ok=True)
    return Fitted(progress.history, progress.best_epoch, recorded, progress.film())


def check(plan: Plan, split: Split, members: Members) -> None:
    """Refuse a plan and members that do not fit together."""
    planned(plan._asdict())
    if bad := [beta for beta in members.betas if not beta >= 0]:
        raise ValueError(f"betas of {members.method} must be >= 0, got {bad[0]}; beta is the weight of the price")
    if not members.betas or len(set(members.seeds)) < len(members.seeds):
        raise ValueError(
            f"{members.method} needs at least one beta and distinct seeds, got {members.betas} and {members.seeds}"
        )
    if plan.batch > (n := split.train.x.shape[1]):
        raise ValueError(f"batch {plan.batch} is larger than the {n} training rows; choose at most {n}")


def batches(
    part: Rows, generators: list[torch.Generator], size: int, code: int, betas: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield x (R, size, d), y and noise (R, size, code) of one epoch; all betas of a seed see the same rows and noise.

    Rows that do not fill a last batch are left to the next epoch's shuffle.
    """
    seeds, n = part.x.shape[:2]
    order = torch.stack([torch.randperm(n, generator=g) for g in generators]).to(part.x.device)
    noise = torch.stack([torch.randn(n, code, generator=g) for g in generators]).to(part.x.device)
    seed = torch.arange(seeds, device=part.x.device)[:, None]
    x, y = part.x[seed, order], part.y[seed, order]
    for start in range(0, n - size + 1, size):
        rows = slice(start, start + size)
        yield tuple(z[:, rows].repeat_interleave(betas, 0) for z in (x, y, noise))


def repeated(model: Bottleneck, part: Rows, members: Members) -> tuple[Tensor, Tensor, Tensor]:
    """Return x, y and each seed's own noise for a whole part, repeated for every beta."""
    shape = (part.x.shape[1], model.code_size)
    noise = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in members.seeds])
    return tuple(z.repeat_interleave(len(members.betas), 0) for z in (part.x, part.y, noise.to(part.x.device)))


@torch.no_grad()
def predict(model: Bottleneck, terms: distributed.Objective, part: Rows, members: Members) -> Terms:
    """Return the terms on a whole part; `watch` holds code and prediction of every member."""
    return terms(model, *repeated(model, part, members))


@torch.no_grad()
def score(model: Bottleneck, terms: distributed.Objective, part: Rows, members: Members, *, block: int = 64) -> Tensor:
    """Return the miss of the prediction (R,), mean squared error or cross-entropy, whatever the objective's own fit is.

    Rows go in small blocks, since an objective compares all pairs of the rows it is given, and predictions need none.
    """
    x, y, noise = repeated(model, part, members)
    blocks = zip(*(z.tensor_split(math.ceil(x.shape[1] / block), 1) for z in (x, y, noise)), strict=True)
    return miss(torch.cat([terms(model, *rows).watch["prediction"] for rows in blocks], 1), y)


def record(progress: Progress, members: Members, plan: Plan, means: Tensor, valid: Tensor) -> None:
    """Add a row for each member, keep the better weights, and name what diverged."""
    finite = torch.isfinite(means).all(0) & torch.isfinite(valid)
    names = [(seed, beta) for seed in members.seeds for beta in members.betas]
    lost = {name for name, fine in zip(names, finite.tolist(), strict=True) if not fine}
    if lost and plan.on_divergence == "refuse":
        seed, beta = sorted(lost)[0]
        raise FloatingPointError(
            f"{members.method} with beta={beta}, seed={seed}: the loss is not finite at epoch {progress.epoch}; "
            "lower lr or widen the kernels, or set on_divergence: record to keep it as an outcome"
        )
    earlier = {(row["seed"], row["beta"]): row["status"] for row in progress.history}
    values = zip(names, means.T.tolist(), valid.tolist(), strict=True)
    for (seed, beta), (fit_, price), value in values:
        before = earlier.get((seed, beta), "ok")
        status = f"diverged at epoch {progress.epoch}" if (seed, beta) in lost and before == "ok" else before
        row = {
            "epoch": progress.epoch,
            "seed": seed,
            "beta": beta,
            "fit": fit_,
            "price": price,
            "valid": value,
            "status": status,
        }
        progress.history.append(row)
    progress.keep(valid < progress.best_score if plan.select == "validation" else finite, valid)
    if plan.snapshots:
        progress.snapshot()
