r"""Language in a bottle: a few sentences for each class, chosen among many so that they tell classes apart and cover the rest.

F(C_y) = alpha sum_{c in C_y} D(c) + beta sum_{s in S_y} max_{c in C_y} phi(s, c), |C_y| = k, is submodular where D and phi are
not negative: the greedy choice has at least 1 - 1/e of the best value, and the lazy greedy choice is the same one.
"""

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np
import torch
from torch import Tensor

from lib.concepts.baselines import classes_of
from lib.concepts.bottleneck import ConceptModel, cosines, model_of, words
from lib.core import checks
from lib.core.digits import settled
from lib.core.types import Rows, Words

SCALE = 100.0
AT_ONCE = 16  # gains that are counted together


def class_similarity(x: Tensor, y: Tensor, vectors: Tensor) -> Tensor:
    """Return the mean cosine of each concept with the images of each class, (M, K)."""
    u, y = cosines(x, vectors), classes_of(y)
    total = u.new_zeros(int(y.max()) + 1, u.shape[1]).index_add_(0, y, u)
    return (total / y.bincount()[:, None]).T


def shares(similarity: Tensor) -> Tensor:
    """Return p(y | c) = Sim(y, c) / sum_y Sim(y, c), and refuse a negative similarity, whose logarithm is NaN."""
    if similarity.ndim != 2 or not (similarity >= 0).all() or not (similarity.sum(1) > 0).all():
        raise ValueError(
            f"similarities must be (M, K), >= 0 and > 0 in some class, got least {similarity.min():.3g}; clip at 0"
        )
    return similarity / similarity.sum(1, keepdim=True)


def discriminability(similarity: Tensor) -> Tensor:
    """Return D(c) + log K = log K + sum_y p(y | c) log p(y | c), nats, in [0, log K]; (M, K) -> (M,).

    The shift by log K, which no choice of k sentences feels, makes F non-negative. Source: [yang2023language].
    """
    p = shares(similarity)
    return (math.log(p.shape[1]) - torch.special.entr(p).sum(1)).clamp_min(0)


def prior_weighted(similarity: Tensor) -> Tensor:
    r"""Return m(c) (D(c) + log K), m(c) the share of all similarity that c has: what the public code maximises instead of D.

    P(c, y) = Sim / (K sum_c Sim), m = sum_y P, and its score sum_y P log(P K / m) is this, with q = P / m in place of p.
    """
    shares(similarity)
    joint = similarity / (similarity.shape[1] * similarity.sum(0))
    prior = joint.sum(1)
    return prior * discriminability(joint)


def value(chosen: Sequence[int], worth: Tensor, likeness: Tensor) -> float:
    """Return F of a choice: sum of worth (M,) plus coverage, likeness (M, M) >= 0 with weights already in both."""
    chosen = list(chosen)
    return (worth[chosen].sum() + likeness[:, chosen].amax(1).sum()).item() if chosen else 0.0


def checked(worth: Tensor, likeness: Tensor, k: int) -> int:
    """Refuse terms under which greedy has no guarantee, and return how many can be chosen."""
    shaped = likeness.shape == (len(worth), len(worth)) and likeness.equal(likeness.T)
    if not shaped or (worth < 0).any() or (likeness < 0).any():
        raise ValueError(f"worth {tuple(worth.shape)} and likeness {tuple(likeness.shape)} must be (M,) and symmetric, >= 0")
    return min(checks.counted(k, "k"), len(worth))


def greedy(worth: Tensor, likeness: Tensor, k: int) -> list[int]:
    """Choose k candidates one by one, each of the greatest gain over all; of equal gains the first. O(k M^2)."""
    k, chosen = checked(worth, likeness, k), []
    own, near = worth.numpy(), likeness.numpy()
    best = np.zeros_like(own)
    for _ in range(k):
        gains = [-math.inf if j in chosen else gain([j], own, near, best)[0] for j in range(len(own))]
        chosen.append(max(range(len(gains)), key=gains.__getitem__))
        best = np.maximum(best, near[chosen[-1]])
    return chosen


def gain(places: list[int], worth: np.ndarray, likeness: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return what each of some candidates adds to the choice that covers `best` (M,); what rounding alone parts is equal."""
    return (worth[places] + np.maximum(likeness[places] - best, 0).sum(1)).round(9)


def lazy_greedy(worth: Tensor, likeness: Tensor, k: int) -> list[int]:
    """Choose as `greedy` does, but count a gain anew only where its old value, an upper bound, is among the greatest.

    A few are counted at a time, which costs little more than one. Source: [minoux1978accelerated]; the guarantee is of
    [nemhauser1978analysis].
    """
    k, chosen = checked(worth, likeness, k), []
    own, near = worth.numpy(), likeness.numpy()
    best = np.zeros_like(own)
    # A sum in another order may round below a gain, which a bound must not.
    heap = [(-bound, j, -1) for j, bound in enumerate(((own + near.sum(0)) * (1 + 1e-12) + 1e-9).tolist())]
    heapify(heap)
    while len(chosen) < k:
        if heap[0][2] == len(chosen):
            chosen.append(heappop(heap)[1])
            best = np.maximum(best, near[chosen[-1]])
        else:
            few = [heappop(heap)[1] for _ in range(min(AT_ONCE, len(heap)))]
            for j, value in zip(few, gain(few, own, near, best).tolist(), strict=True):
                heappush(heap, (-value, j, len(chosen)))
    return chosen


def select(
    candidates: dict[int, Sequence[int]], vectors: Tensor, similarity: Tensor, *, k: int, alpha: float = 1.0, beta: float = 1.0,
    score: str = "printed",
) -> dict[int, list[int]]:  # fmt: skip
    """Return for each class the k sentences of the greatest F, as places in `vectors` (M, d); a shorter list is taken whole.

    candidates: sentences of each class 0..K-1, which may share some. similarity: (M, K). score: "printed" is D, "coded" what
    the public code computes. Weights alpha, beta >= 0.
    """
    worth = checks.known(score, SCORES, "score of sentences")(similarity)
    if wanted := [y for y in range(similarity.shape[1]) if not len(candidates.get(y, ()))]:
        raise ValueError(f"classes {wanted} have no candidate sentences; write some for each")
    if min(alpha, beta) < 0:
        raise ValueError(f"alpha and beta must be >= 0, got {alpha} and {beta}; greedy has no guarantee otherwise")
    chosen = {}
    for y, places in sorted(candidates.items()):
        own = torch.tensor(list(places))
        likeness = cosines(vectors[own], vectors[own]).clamp(0, 1)
        likeness = (likeness + likeness.T) / 2  # exactly symmetric, which rounding need not leave it
        chosen[y] = own[lazy_greedy(alpha * worth[own], beta * likeness, k)].tolist()
    return chosen


SCORES = {"coded": prior_weighted, "printed": discriminability}


def labo(
    train: Rows, valid: Rows, bank: Words, *, owners: dict[int, Sequence[int]], epochs: int = 300, lr: float = 0.05,
    prior: bool = True,
) -> ConceptModel:  # fmt: skip
    """Fit logits = 100 cos(x, c) softmax(W)^T: each class weighs all concepts by shares that sum to 1.

    bank: chosen sentences; owners: those written for each class, whose W starts at 1 where others start at 0 (`prior`; else
    all at 0). Full batches, Adam, no penalty; the epoch of the best validation accuracy, of every tenth, is kept.
    Source: [yang2023language]; the axis of the softmax is that of its code.
    """
    bank, y = words(bank, "concepts", width=train.x.shape[1]), classes_of(train.y)
    raw = torch.zeros(int(y.max()) + 1, len(bank.names), dtype=torch.float64)
    for k, places in owners.items() if prior else ():
        raw[k, list(places)] = 1.0
    raw.requires_grad_()
    u, held = (SCALE * cosines(part.x, bank.vectors) for part in (train, valid))
    adam, best, told = torch.optim.Adam([raw], lr, fused=True), (-1.0, None), checks.labels(valid.y, len(valid.x))
    for epoch in range(checks.counted(epochs, "epochs")):
        if epoch % 10 == 0 or epoch == epochs - 1:
            weights = raw.detach().softmax(1)
            right = (settled(held @ weights.T).argmax(1) == told).double().mean().item()
            best = max(best, (right, weights), key=lambda pair: pair[0])
        adam.zero_grad()
        torch.nn.functional.cross_entropy(u @ raw.softmax(1).T, y).backward()
        adam.step()
    score = lambda z: SCALE * cosines(z, bank.vectors)  # noqa: E731
    return model_of(score, best[1], best[1].new_zeros(len(best[1])), train.x, concepts=bank.names)
