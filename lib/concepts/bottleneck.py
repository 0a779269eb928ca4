"""What every concept model is here, whoever fits it: scores of named concepts, a linear head, and nothing else that decides.

Logits are W u(x) + b, plus R x + r where a model keeps a residual. All take embeddings x (n, d), and count in double.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.core.digits import settled
from lib.core.types import Words

Score = Callable[[Tensor], Tensor]


class ConceptModel(NamedTuple):
    """A linear head of K classes on L concepts."""

    score: Score  # (n, d) -> (n, L)
    weights: Tensor  # W, (K, L)
    bias: Tensor  # b, (K,)
    concepts: list[str]  # L
    centre: Tensor  # (L,) mean training score
    absent: Tensor  # (L,) 5 % quantile of the training scores: what a concept is set to where it is not there
    present: Tensor  # (L,) 95 % quantile
    residual: tuple[Tensor, Tensor] | None = None  # R (K, d) and r (K,): what bypasses the concepts


class Explanation(NamedTuple):
    """Why a class was predicted: logit = sum of contributions + rest, exactly."""

    label: Tensor  # (n,)
    contributions: Tensor  # (n, L) W_kj (u_j - centre_j) of that class k
    rest: Tensor  # (n,) what no concept of this image says: W_k centre + b_k, and the residual


def words(found: Words, name: str, *, width: int | None = None) -> Words:
    """Refuse words that are none, empty, doubled, or whose vectors are zero, not finite or of another width."""
    vectors, names = checks.single(found.vectors, f"vectors of {name}"), [str(n) for n in found.names]
    if len(names) != len(vectors):
        raise ValueError(f"{name} has {len(names)} names and {len(vectors)} vectors; give each name one vector")
    if blank := [i for i, n in enumerate(names) if not n.strip()]:
        raise ValueError(f"{name} has blank names at {blank}; leave them out")
    if doubled := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"{name} has {doubled} more than once; keep one of each")
    if zero := [names[i] for i in (vectors.norm(dim=1) == 0).nonzero().flatten().tolist()]:
        raise ValueError(f"{name} {zero} are zero vectors, which have no direction; leave them out")
    if width is not None and vectors.shape[1] != width:
        raise ValueError(f"{name} have {vectors.shape[1]} columns and embeddings {width}; use the backbone of both")
    return Words(names, vectors.double())


def unit(x: Tensor) -> Tensor:
    """Return rows of length 1; a row of zeros, which has no direction, is an error."""
    size = x.norm(dim=-1, keepdim=True)
    if (size == 0).any():
        raise ValueError(f"{int((size == 0).sum())} rows are zero and have no direction; leave them out")
    return x / size


def cosines(x: Tensor, vectors: Tensor) -> Tensor:
    """Return the cosines of rows (n, d) and (m, d), (n, m) in double."""
    return unit(x.double()) @ unit(vectors.double()).T


def standardised(score: Score, x: Tensor) -> Score:
    """Return a score of mean 0 and deviation 1 over x; one that never varies becomes 0."""
    u = score(x)
    centre, size = u.mean(0), u.std(0, correction=0)
    # Rounding alone gives a constant a deviation: it would be blown up to 1.
    scale = torch.where(size > 1e-10 * u.abs().amax(0).clamp_min(1e-300), 1 / size.clamp_min(1e-300), 0)
    return lambda z: (score(z) - centre) * scale


def model_of(
    score: Score,
    weights: Tensor,
    bias: Tensor,
    x: Tensor,
    *,
    concepts: Sequence[str],
    residual: tuple[Tensor, Tensor] | None = None,
) -> ConceptModel:
    """Return a model with the mean and the extremes of its scores on training embeddings x (n, d)."""
    u = score(x)
    low, high = u.quantile(torch.tensor([0.05, 0.95], dtype=u.dtype), dim=0)
    return ConceptModel(score, weights, bias, list(concepts), u.mean(0), low, high, residual)


def bypass(model: ConceptModel, x: Tensor) -> Tensor:
    """Return what the residual adds to the logits, (n, K)."""
    if model.residual is None:
        return model.bias.new_zeros(len(x), len(model.bias))
    return x.double() @ model.residual[0].T + model.residual[1]


def logits(model: ConceptModel, x: Tensor) -> Tensor:
    """Return the logits of embeddings (n, d), (n, K)."""
    return model.score(checks.single(x, "x")) @ model.weights.T + model.bias + bypass(model, x)


def predict(model: ConceptModel, x: Tensor) -> Tensor:
    """Return the classes of embeddings (n, d), (n,); of equal logits the first."""
    return settled(logits(model, x)).argmax(1)


def accuracy(model: ConceptModel, x: Tensor, y: Tensor) -> float:
    """Return the share of embeddings (n, d) whose class (n,) is predicted."""
    return (predict(model, x) == checks.labels(y, len(x))).double().mean().item()


def explain(model: ConceptModel, x: Tensor, *, label: Tensor | None = None) -> Explanation:
    """Return what each concept adds to the logit of the predicted class, or of `label` (n,)."""
    found = logits(model, x)
    label = found.argmax(1) if label is None else checks.labels(label, len(x))
    parts = model.weights[label] * (model.score(x) - model.centre)
    return Explanation(label, parts, found.gather(1, label[:, None])[:, 0] - parts.sum(1))


def intervene(model: ConceptModel, x: Tensor, truth: Tensor, chosen: Tensor, *, rivals: Tensor | None = None) -> Tensor:
    """Return the logits (n, K) after concepts are set to what a person says.

    truth: (n, L) 0 or 1; chosen: (n, L) or (L,) bool, which concepts are set. A score becomes its 95 % training quantile where
    the concept is there and its 5 % quantile where it is not; the residual stays. Without `rivals` each concept is set by
    itself; with them, (L,) whole numbers, concepts of one number exclude each other (the shape is one of six), and to say that
    one is there says that the others are not. Source: [koh2020concept].
    """
    wish = (len(x), len(model.concepts))
    if tuple(truth.shape) != wish or not ((truth == 0) | (truth == 1)).all():
        raise ValueError(f"truth must have shape {wish} and hold 0 and 1, got {tuple(truth.shape)}; one column a concept")
    if chosen.dtype != torch.bool or tuple(chosen.shape) not in (wish, wish[1:]):
        raise ValueError(f"chosen must be bool {wish} or {wish[1:]}, got {chosen.dtype} {tuple(chosen.shape)}")
    if rivals is not None:
        chosen = cleared(truth.bool(), chosen, rivals)
    told = torch.where(truth.bool(), model.present, model.absent)
    return torch.where(chosen, told, model.score(x)) @ model.weights.T + model.bias + bypass(model, x)


def cleared(truth: Tensor, chosen: Tensor, rivals: Tensor) -> Tensor:
    """Return `chosen` with all rivals of a chosen concept that is there; (n, L) bool, (n, L) or (L,) bool, (L,) -> (n, L)."""
    if rivals.shape != truth.shape[1:] or rivals.dtype != torch.int64:
        wish, got = (truth.shape[1],), f"{rivals.dtype} {tuple(rivals.shape)}"
        raise ValueError(f"rivals must be {wish} int64, got {got}; give each concept the number of what it is a value of")
    same = (rivals[:, None] == rivals).double()  # (L, L)
    if (most := (truth.double() @ same).max()) > 1:
        raise ValueError(f"{int(most)} concepts that exclude each other are true of one image; give one at most")
    return chosen | ((truth & chosen).double() @ same > 0)
