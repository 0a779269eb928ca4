"""How much scores say that they should not: impurity split into leakage and weakness, and what a head draws from softness."""

import warnings
from typing import NamedTuple

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lib import checks
from lib.concepts.agreement import held


class Impurity(NamedTuple):
    """How well each concept can be told from the score of each other."""

    found: Tensor  # P (L, L): AUC on test data of concept j told from score i
    ideal: Tensor  # the same told from the true concept i, 1 on the diagonal
    score: float  # |P - P*|_F / (L / 2), as published: leaky and weak scores alike raise it
    leakage: float  # mean over i != j of max(P - P*, 0): what a score says of other concepts beyond what the truth does
    weakness: float  # mean of 1 - P_ii: what it fails to say of its own
    kept: list[int]  # concepts that vary in training and test; others have no AUC


def oracle_impurity(u_train: Tensor, truth_train: Tensor, u_test: Tensor, truth_test: Tensor) -> Impurity:
    """Return the oracle impurity of scores (n, L) against true concepts (n, L), and its two parts.

    The reader of a score is logistic regression on u, u^2 and u^3, fitted on one split for P and P* alike; the published one
    is a small network on two random splits. Source: [espinosazarlenga2023towards]; the split in two parts is ours.
    """
    kept = [j for j in range(truth_train.shape[1]) if all(0 < t[:, j].double().mean() < 1 for t in (truth_train, truth_test))]
    held(truth_train), held(truth_test)
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} concepts vary in both splits, at least 2 are needed; give more images")
    learn, judge = (t[:, kept] for t in (truth_train, truth_test))
    found = readable(u_train[:, kept].double(), learn, u_test[:, kept].double(), judge)
    ideal = readable(learn.double(), learn, judge.double(), judge).fill_diagonal_(1.0)
    size, other = len(kept), ~torch.eye(len(kept), dtype=torch.bool)
    leak = (found - ideal).clamp_min(0)[other].mean().item()
    weak = (1 - found.diagonal()).mean().item()
    return Impurity(found, ideal, ((found - ideal).norm() / (size / 2)).item(), leak, weak, kept)


def readable(u: Tensor, a: Tensor, u_test: Tensor, a_test: Tensor) -> Tensor:
    """Return the AUC (L, L) of each concept of a_test (columns) told from each score of u_test (rows)."""
    made = torch.empty(u.shape[1], a.shape[1], dtype=torch.float64)
    for i in range(u.shape[1]):
        scale = StandardScaler().fit(powers(u[:, i]))
        features, later = scale.transform(powers(u[:, i])), scale.transform(powers(u_test[:, i]))
        for j in range(a.shape[1]):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # scores that separate have no finite optimum
                reader = LogisticRegression(max_iter=200).fit(features, a[:, j].numpy())
            made[i, j] = roc_auc_score(a_test[:, j].numpy(), reader.decision_function(later))
    return made


def powers(u: Tensor) -> Tensor:
    """Return u, u^2 and u^3 of a standardised score, (n, 3) as an array."""
    u = (u - u.mean()) / u.std(correction=0).clamp_min(1e-12)
    return torch.stack([u, u**2, u**3], 1).numpy()


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
