"""How many concepts a head uses and what it knows with few: accuracy, completeness, interventions, code in nats."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lib.concepts.bottleneck import ConceptModel, accuracy, explain, intervene
from lib.concepts.posthoc import Fitted, effective, member
from lib.core import checks
from lib.core.digits import settled
from lib.core.types import Rows

LEVELS = (5, 10, 15, 20, 25, 30)


class AtLevel(NamedTuple):
    """Accuracy with a given number of effective concepts."""

    level: int
    accuracy: float
    found: float  # effective concepts of the head after truncation
    reached: bool  # whether a head of the path was as dense as the level


def truncated(weights: Tensor, level: int) -> Tensor:
    """Return weights (K, L) of which only the level * K of greatest modulus are left, ties by place; none is fitted anew."""
    flat = weights.flatten()
    keep = settled(flat.abs()).argsort(descending=True, stable=True)[: level * len(weights)]
    return torch.zeros_like(flat).index_copy(0, keep, flat[keep]).view_as(weights)


def at_effective(fitted: Fitted, train: Rows, test: Rows, *, levels: Sequence[int] = LEVELS) -> list[AtLevel]:
    """Return test accuracies of the first head of the path that has `level` effective concepts, truncated to exactly these.

    Where no head is as dense the last one is taken and said not to reach the level. Source: [srivastava2024vlg].
    """
    counts, rows = effective(fitted.path.weights), []
    for level in levels:
        dense = (counts >= checks.counted(level, "level")).nonzero().flatten()
        i = int(dense[0]) if len(dense) else len(counts) - 1
        model = member(fitted, i, train.x)
        model = model._replace(weights=truncated(model.weights, level))
        rows.append(AtLevel(level, accuracy(model, test.x, test.y), effective(model.weights).item(), bool(len(dense))))
    return rows


def cut(model: ConceptModel, test: Rows, *, levels: Sequence[int] = LEVELS) -> list[AtLevel]:
    """Return test accuracies of one head truncated to each level, where there is no path of heads to choose from."""
    dense, rows = effective(model.weights).item(), []
    for level in levels:
        part = model._replace(weights=truncated(model.weights, checks.counted(level, "level")))
        rows.append(AtLevel(level, accuracy(part, test.x, test.y), effective(part.weights).item(), dense >= level))
    return rows


def contributing(model: ConceptModel, x: Tensor, *, share: float = 0.95) -> float:
    """Return the fewest concepts that hold `share` of sum_j |W_kj (u_j - centre_j)|, k the predicted class; a mean over x."""
    if not 0 < share < 1:
        raise ValueError(f"share must lie in (0, 1), got {share!r}")
    parts = explain(model, x).contributions.abs().sort(1, descending=True).values
    total = parts.sum(1, keepdim=True)
    return torch.where(total[:, 0] > 0, (parts.cumsum(1) < share * total).sum(1) + 1, 0).double().mean().item()


def completeness(concept_accuracy: float, full_accuracy: float, y: Tensor) -> float:
    """Return (accuracy from concepts - a) / (accuracy of the whole - a), a that of the commonest class; NaN where that is best.

    It can exceed 1, and random concepts as many as the embedding is wide reach 1. Source: [yeh2020completeness].
    """
    base = y.bincount().max().item() / len(y)
    return (concept_accuracy - base) / (full_accuracy - base) if full_accuracy > base else float("nan")


def code_nats(model: ConceptModel, x: Tensor) -> tuple[float, float]:
    """Return the entropy in nats of the hard code [u_j > centre_j] of the concepts a head uses: of the sample, and at most.

    The first is that of the joint code over x (n, d), at most log n and so too low where codes are many; the second is the sum
    over concepts, which ignores what they share.
    """
    used = (model.weights.abs() > 1e-5).any(0)
    code = (model.score(x) > model.centre)[:, used]
    p = code.double().mean(0)
    counts = code.unique(dim=0, return_counts=True)[1].double() / len(code) if used.any() else torch.ones(1).double()
    return torch.special.entr(counts).sum().item(), (torch.special.entr(p) + torch.special.entr(1 - p)).sum().item()


class Curve(NamedTuple):
    """Accuracy after r concepts were set, for r = 0..L."""

    accuracy: Tensor  # (L + 1,)

    @property
    def area(self) -> float:
        """Mean accuracy over r by the trapezium rule."""
        return (torch.trapezoid(self.accuracy) / (len(self.accuracy) - 1)).item()


def at_random(model: ConceptModel, x: Tensor, truth: Tensor, draw: torch.Generator) -> Tensor:
    """Order concepts at random for each image, (n, L)."""
    return torch.rand(len(x), len(model.concepts), generator=draw).argsort(1)


def by_effect(model: ConceptModel, x: Tensor, truth: Tensor, draw: torch.Generator) -> Tensor:
    """Order concepts by how far setting each would move the logits at most, max_k |W_kj| |change_j|: it looks at the truth."""
    told = torch.where(truth.bool(), model.present, model.absent)
    effect = (told - model.score(x)).abs() * model.weights.abs().amax(0)
    return settled(effect).argsort(dim=1, descending=True, stable=True)


def by_doubt(model: ConceptModel, x: Tensor, truth: Tensor, draw: torch.Generator) -> Tensor:
    """Order concepts by how near a score is to the middle between absent and present, in units of their gap."""
    middle, gap = (model.present + model.absent) / 2, (model.present - model.absent).clamp_min(1e-12)
    return settled((model.score(x) - middle).abs() / gap).argsort(dim=1, stable=True)


POLICIES = {"random": at_random, "effect": by_effect, "doubt": by_doubt}


def intervention_curve(
    model: ConceptModel, test: Rows, truth: Tensor, *, policy: str, seed: int = 0, rivals: Tensor | None = None
) -> Curve:
    """Return the accuracy after the first r concepts of a policy were set to `truth` (n, L), 0 or 1, for every r.

    `rivals` (L,), as in `intervene`: one that is set to be there clears those that it excludes, before their turn comes.
    With wrong values, 1 - truth, a model that listens to its concepts must fall. A curve need not rise throughout: heads that
    live on soft scores lose by hard values. Source: [koh2020concept].
    """
    scored = model.score(test.x)
    model = model._replace(score=lambda _: scored)  # the same at every step
    order = checks.known(policy, POLICIES, "policy")(model, test.x, truth, torch.Generator().manual_seed(seed))
    place = order.argsort(1)  # at which step a concept is set
    steps = range(len(model.concepts) + 1)
    told = (intervene(model, test.x, truth, place < r, rivals=rivals) for r in steps)
    right = [(settled(logits).argmax(1) == test.y).double().mean() for logits in told]
    return Curve(torch.stack(right))
