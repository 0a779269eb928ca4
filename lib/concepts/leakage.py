"""How much scores say that they should not: impurity split into leakage and weakness, and what a head draws from softness."""

from typing import NamedTuple

import torch
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lib.concepts.agreement import held
from lib.core import checks


class Impurity(NamedTuple):
    """How well each concept can be told from the score of each other."""

    found: Tensor  # P (L, L): AUC on test data of concept j told from score i
    ideal: Tensor  # the same told from the true concept i, 1 on the diagonal
    score: float  # |P - P*|_F / (L / 2), as published: leaky and weak scores alike raise it
    leakage: float  # mean over i != j of max(P - P*, 0): what a score says of other concepts beyond what the truth does
    weakness: float  # mean of 1 - P_ii: what it fails to say of its own
    kept: list[int]  # concepts that vary in training and test; others have no AUC


def oracle_impurity(
    u_train: Tensor, truth_train: Tensor, u_test: Tensor, truth_test: Tensor, *, ideal: Tensor | None = None
) -> Impurity:  # fmt: skip
    """Return the oracle impurity of scores (n, L) against true concepts (n, L), and its two parts.

    The reader of a score is logistic regression on u, u^2 and u^3, fitted on one split for P and P* alike; the published one
    is a small network on two random splits. P* is the same for all scores of the same images: `ideal`, where it is known.
    Source: [espinosazarlenga2023towards]; the split in two parts is ours.
    """
    kept = varying(truth_train, truth_test)
    learn, judge = (t[:, kept] for t in (truth_train, truth_test))
    found = readable(u_train[:, kept].double(), learn, u_test[:, kept].double(), judge)
    ideal = ideal_reading(truth_train, truth_test) if ideal is None else ideal
    if ideal.shape != found.shape:
        raise ValueError(f"ideal must be {tuple(found.shape)} as P, got {tuple(ideal.shape)}; take that of the same images")
    size, other = len(kept), ~torch.eye(len(kept), dtype=torch.bool)
    leak = (found - ideal).clamp_min(0)[other].mean().item()
    weak = (1 - found.diagonal()).mean().item()
    return Impurity(found, ideal, ((found - ideal).norm() / (size / 2)).item(), leak, weak, kept)


def varying(truth_train: Tensor, truth_test: Tensor) -> list[int]:
    """Return the concepts that are there in some images and not in others, in training and test; two at least."""
    vary = [(share > 0) & (share < 1) for share in (held(truth).double().mean(0) for truth in (truth_train, truth_test))]
    kept = (vary[0] & vary[1]).nonzero().flatten().tolist()
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} concepts vary in both splits, at least 2 are needed; give more images")
    return kept


def ideal_reading(truth_train: Tensor, truth_test: Tensor) -> Tensor:
    """Return P*, the AUC (L, L) of each concept that varies told from each other's truth, 1 on the diagonal."""
    learn, judge = (t[:, varying(truth_train, truth_test)] for t in (truth_train, truth_test))
    return readable(learn.double(), learn, judge.double(), judge).fill_diagonal_(1.0)


def readable(u: Tensor, a: Tensor, u_test: Tensor, a_test: Tensor) -> Tensor:
    """Return the AUC (L, L) of each concept of a_test (columns) told from each score of u_test (rows)."""
    centre, size = u.mean(0), u.std(0, correction=0).clamp_min(1e-12)
    learn, judge = (powers((part - centre) / size) for part in (u, u_test))  # (L, n, 4)
    told = judge @ readers(learn, a.double().T.contiguous()).mT  # (L, n, L)
    return area(told, a_test)


def area(told: Tensor, truth: Tensor) -> Tensor:
    """Return areas under the ROC curve, ties half: scores (L, n, A) of concepts (n, A) -> (L, A)."""
    ranks = torch.from_numpy(rankdata(told.numpy().round(9), axis=1))  # what rounding alone parts is a tie
    there = truth.double()
    yes, no = there.sum(0), (1 - there).sum(0)
    return ((ranks * there).sum(1) - yes * (yes + 1) / 2) / (yes * no)


def powers(u: Tensor) -> Tensor:
    """Return 1, u, u^2 and u^3 of scores (n, L), (L, n, 4)."""
    return torch.stack([torch.ones_like(u), u, u**2, u**3], -1).transpose(0, 1)


def readers(x: Tensor, target: Tensor, *, steps: int = 30) -> Tensor:
    """Return logistic regressions of every target (A, n) on every set of features (L, n, f), the first 1; (L, A, f).

    The sum of losses plus |w|^2 / 2, without the first weight, by Newton steps that are halved where a loss would rise.
    """
    ridge = torch.ones(x.shape[2], dtype=x.dtype)
    ridge[0] = 1e-9
    squares = (x[..., :, None] * x[..., None, :]).flatten(2)  # (L, n, f f)
    w = x.new_zeros(len(x), len(target), x.shape[2])

    def cost(w: Tensor) -> Tensor:
        z = w @ x.mT
        return (torch.nn.functional.softplus(z) - target * z).sum(2) + (ridge * w.square()).sum(2) / 2

    before = cost(w)
    for _ in range(steps):
        p = (w @ x.mT).sigmoid()
        bend = ((p * (1 - p)) @ squares).unflatten(2, (x.shape[2], -1)) + torch.diag(ridge)
        step = torch.linalg.solve(bend, ((p - target) @ x + ridge * w)[..., None])[..., 0]
        for _ in range(10):
            after = cost(w - step)
            worse = after > before * (1 + 1e-12)  # at the optimum rounding alone moves a loss either way
            if not worse.any():
                break
            step = torch.where(worse[..., None], step / 2, step)
        w, before = torch.where(worse[..., None], w, w - step), torch.where(worse, before, after)
        if worse.all() or step.abs().max() < 1e-6:  # Newton's next step would be of its square
            break
    return w


def soft_over_hard(
    u_train: Tensor, y_train: Tensor, u_test: Tensor, y_test: Tensor, *, thresholds: Tensor | None = None
) -> float:  # fmt: skip
    """Return the accuracy of a head on scores less that of one on scores > thresholds (L,), the training median by default.

    Both are softmax regressions: what is positive is told by how much a concept is there, which its name does not say.
    """
    cut = u_train.median(0).values if thresholds is None else thresholds
    hard = head_accuracy((u_train > cut).double(), y_train, (u_test > cut).double(), y_test)
    return head_accuracy(u_train, y_train, u_test, y_test) - hard


def head_accuracy(u: Tensor, y: Tensor, u_test: Tensor, y_test: Tensor) -> float:
    """Return the test accuracy of softmax regression on standardised scores."""
    scale = StandardScaler().fit(u.numpy())
    head = LogisticRegression(max_iter=2000).fit(scale.transform(u.numpy()), checks.labels(y, len(u)).numpy())
    return float(head.score(scale.transform(u_test.numpy()), y_test.numpy()))
