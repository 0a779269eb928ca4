"""Post-hoc concept bottlenecks: concepts as directions, a sparse head on them, and where wanted a residual and an edit."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from sklearn.svm import LinearSVC
from torch import Tensor

from lib.concepts.baselines import classes_of
from lib.concepts.bottleneck import ConceptModel, Score, accuracy, logits, model_of, predict, standardised, unit, words
from lib.concepts.elastic import Path, elastic_path, penalties
from lib.core import checks
from lib.core.digits import settled
from lib.core.types import Rows, Words

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
LEAST = 1e-5  # a weight of smaller modulus counts as none


class Directions(NamedTuple):
    """Words whose scores have an offset: u_j = (c_j . e + t_j) / |c_j|."""

    names: Sequence[str]
    vectors: Tensor  # (m, d)
    offsets: Tensor  # (m,)


def activation_vectors(x: Tensor, truth: Tensor, names: Sequence[str], *, side: int = 50, seed: int = 0) -> Directions:
    """Return for each concept the normal of a linear SVM between `side` images that have it and `side` that do not.

    x: (n, d), truth: (n, L) 0 or 1. The C of the best accuracy on as many others is taken, the smallest of equals. Labelled
    images of concepts are all that is used, never classes. Source: [kim2018interpretability] [yuksekgonul2023posthoc].
    """
    x, draw = checks.single(x, "x").double(), torch.Generator().manual_seed(seed)
    normals, offsets = [], []
    for j, name in enumerate(names):
        pools = [(truth[:, j] == there).nonzero().flatten() for there in (0, 1)]
        if min(map(len, pools)) < 2 * side:
            raise ValueError(f"concept {name!r} has {len(pools[1])} images with it and {len(pools[0])} without, "
                             f"{2 * side} of each are needed; label more or lower side")  # fmt: skip
        drawn = [pool[torch.randperm(len(pool), generator=draw)] for pool in pools]
        fit, held = (torch.cat([part[k * side : (k + 1) * side] for part in drawn]) for k in (0, 1))
        y, own, others = torch.arange(2).repeat_interleave(side).numpy(), x[fit].numpy(), x[held].numpy()
        machines = [LinearSVC(C=c, random_state=0, max_iter=20_000).fit(own, y) for c in STRENGTHS]
        best = max(machines, key=lambda svm: ((others @ svm.coef_[0] + svm.intercept_ > 0) == y).mean())
        normals.append(torch.from_numpy(best.coef_[0].copy())), offsets.append(float(best.intercept_[0]))
    return Directions(list(names), torch.stack(normals), torch.tensor(offsets, dtype=torch.float64))


def projection(bank: Words | Directions) -> Score:
    """Return u_j = (c_j . e + t_j) / |c_j|, t = 0 for words; the image side is not normalised."""
    offsets = getattr(bank, "offsets", torch.zeros(len(bank.names))).double() / bank.vectors.double().norm(dim=1)
    axes = unit(bank.vectors.double())
    return lambda x: x.double() @ axes.T + offsets


def effective(weights: Tensor) -> Tensor:
    """Return the number of effective concepts, #{|W_kj| > 1e-5} / K; (..., K, L) -> (...). Source: [srivastava2024vlg]."""
    return (weights.abs() > LEAST).sum((-2, -1)).double() / weights.shape[-2]


class Fitted(NamedTuple):
    """A path of sparse heads on one score."""

    score: Score
    path: Path
    concepts: list[str]


def head_path(
    train: Rows, score: Score, concepts: Sequence[str], *, count: int = 40, ratio: float = 0.99, bias: bool = True
) -> Fitted:  # fmt: skip
    """Fit `count` sparse softmax heads on scores of training embeddings, penalties falling by 2^(1/4)."""
    u, y = score(train.x), classes_of(train.y)
    lambdas = penalties(u, y, count=count, ratio=ratio, bias=bias)
    return Fitted(score, elastic_path(u, y, lambdas=lambdas, ratio=ratio, bias=bias), list(concepts))


def member(fitted: Fitted, i: int, x: Tensor) -> ConceptModel:
    """Return one head of a path as a model; x: training embeddings."""
    return model_of(fitted.score, fitted.path.weights[i], fitted.path.bias[i], x, concepts=fitted.concepts)


def best(fitted: Fitted, train: Rows, valid: Rows, *, budget: float | None = None) -> ConceptModel:
    """Return the head of the best validation accuracy, of equals the sparsest, with at most `budget` effective concepts."""
    found, u, y = fitted.path, fitted.score(valid.x), checks.labels(valid.y, len(valid.x))
    told = (u @ found.weights.flatten(0, 1).T).view(len(u), *found.bias.shape) + found.bias
    right = (settled(told).argmax(2) == y[:, None]).double().mean(0)
    if budget is not None:
        right = torch.where(effective(found.weights) <= checks.positive(budget, "budget"), right, -1.0)
    return member(fitted, int(right.argmax()), train.x)


def pcbm(
    train: Rows, valid: Rows, bank: Words | Directions, *, count: int = 40, ratio: float = 0.99, budget: float | None = None
) -> ConceptModel:
    """Fit a sparse softmax head on standardised concept scores, its penalty chosen on validation data.

    min mean CE(W u + b, y) + lambda (a |W|_1 + (1 - a) |W|^2 / 2), to its optimum; the public code fits one class against the
    rest, and for two classes its one row of weights, added to both logits, cancels. Source: [yuksekgonul2023posthoc].
    """
    words(bank, "concepts", width=train.x.shape[1])
    score = standardised(projection(bank), train.x)
    return best(head_path(train, score, bank.names, count=count, ratio=ratio), train, valid, budget=budget)


def hybrid(model: ConceptModel, train: Rows, *, ridge: float = 0.01) -> ConceptModel:
    """Add the residual that the concepts leave: min_R,r mean CE(W u + b + R e + r, y) + ridge |R|^2, with W and b frozen.

    A convex problem, solved by L-BFGS. Source: [yuksekgonul2023posthoc].
    """
    x, y = train.x.double(), classes_of(train.y)
    start = (torch.zeros(len(model.bias), x.shape[1], dtype=x.dtype), torch.zeros_like(model.bias))
    return model._replace(residual=descended(logits(model._replace(residual=None), x), x, y, start, ridge))


def descended(offset: Tensor, x: Tensor, y: Tensor, start: tuple[Tensor, Tensor], ridge: float) -> tuple[Tensor, Tensor]:
    """Return the weights and bias that minimise mean CE(offset + W x + b, y) + ridge |W - W_start|^2."""
    first, (weights, bias) = start[0], (part.clone().requires_grad_() for part in start)
    checks.positive(float(ridge), "ridge")
    descent = torch.optim.LBFGS([weights, bias], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        descent.zero_grad()
        miss = torch.nn.functional.cross_entropy(offset + x @ weights.T + bias, y)
        total = miss + ridge * (weights - first).square().sum()
        total.backward()
        return total

    descent.step(loss)
    return weights.detach(), bias.detach()


def prune(model: ConceptModel, label: int, concept: int, *, normalise: bool = False) -> ConceptModel:
    """Take one concept from one class; `normalise` gives the row its old 1-norm back, in modulus, which signs do not upset."""
    weights = model.weights.clone()
    before = weights[label].abs().sum()
    weights[label, concept] = 0
    if normalise and (left := weights[label].abs().sum()) > 0:
        weights[label] *= before / left
    return model._replace(weights=weights)


def fine_tuned(model: ConceptModel, target: Rows, *, ridge: float = 1e-4) -> ConceptModel:
    """Fit the head anew on data of the target, near its old weights: what an edit, which sees no data, is measured against."""
    y, u = checks.labels(target.y, len(target.x)), model.score(target.x)
    weights, bias = descended(torch.zeros(len(u), len(model.bias)).double(), u, y, (model.weights, model.bias), ridge)
    return model._replace(weights=weights, bias=bias)


def agreement(model: ConceptModel, x: Tensor) -> float:
    """Return the share of images whose class the concepts alone would give too: below it an explanation is of nothing."""
    whole, part = predict(model, x), predict(model._replace(residual=None), x)
    return (whole == part).double().mean().item()


def gained(edited: ConceptModel, model: ConceptModel, bound: ConceptModel, test: Rows) -> float:
    """Return (accuracy after an edit - before) / (fine-tuned - before), the share of the possible that an edit recovers."""
    now, before, most = (accuracy(one, test.x, test.y) for one in (edited, model, bound))
    return (now - before) / (most - before) if most > before else float("nan")
