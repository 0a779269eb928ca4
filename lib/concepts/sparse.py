r"""Sparse concept bottlenecks: a square layer on concept cosines, what its output is charged, and search without training.

z = A phi, phi_j = scale cos(x, c_j). Gates s(z) let concepts through, logits = F (s * phi); without a gate logits = F z.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.concepts.baselines import classes_of
from lib.concepts.bottleneck import ConceptModel, cosines, model_of, unit, words
from lib.core import checks
from lib.core.types import Rows, Words

SCALE = 10.0
RATE = 0.05  # of a gate that is open, what Bernoulli gates are drawn to
EPS = 1e-12


def contrastive(z: Tensor, *, noise: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    """Return -(mean_k log softmax_row(z)_kk + mean_k log softmax_column(z)_kk) / 2, nats; (n, L), n >= L, or n < L.

    The first rows are matched with concepts by their place alone: image k has nothing to do with concept k, so that the term
    pulls every image to the first concepts of a batch. With Gumbel noise it is the printed sparse objective.
    Source: [semenov2024sparse].
    """
    z = perturbed(z, noise, temperature)
    rows, columns = (z.log_softmax(axis).diagonal().mean() for axis in (1, 0))
    return -(rows + columns) / 2


def gumbel_all(z: Tensor, *, noise: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    """Return the same with means over all entries in place of the diagonal, as the public code trains it; nats.

    Without noise the row term is log L + KL(uniform | softmax z_i), least where all of z_i are equal; with noise it is convex
    and symmetric in concepts, so that the same holds of its mean. It is the opposite of sparse. Source: [semenov2024sparse].
    """
    z = perturbed(z, noise, temperature)
    return -(z.log_softmax(1).mean() + z.log_softmax(0).mean()) / 2


def perturbed(z: Tensor, noise: Tensor | None, temperature: float) -> Tensor:
    """Return (z + noise) / temperature; logarithms of its softmax are taken as such, and never of an underflow."""
    return (z if noise is None else z + noise) / checks.positive(temperature, "temperature")


def gumbel(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    """Return standard Gumbel noise. Source: [jang2017categorical]."""
    return -torch.empty(shape, dtype=torch.float64).exponential_(generator=draw).clamp_min(1e-300).log()


def sparsemax(z: Tensor) -> Tensor:
    """Return the point of the simplex nearest to z, (..., L): max(z - tau, 0), with exact zeros. Source: [martins2016from]."""
    ordered = z.sort(-1, descending=True).values
    places = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype, device=z.device)
    inside = 1 + places * ordered > ordered.cumsum(-1)
    size = inside.sum(-1, keepdim=True)
    tau = (torch.where(inside, ordered, 0).sum(-1, keepdim=True) - 1) / size
    return (z - tau).clamp_min(0)


def bernoulli_price(z: Tensor, *, rate: float = RATE) -> Tensor:
    """Return mean_i sum_j KL(Bern(sigmoid z_ij) | Bern(rate)), nats, zero where every gate opens at that rate."""
    q = z.sigmoid()
    price = q * (F.logsigmoid(z) - math.log(rate)) + (1 - q) * (F.logsigmoid(-z) - math.log1p(-rate))
    return price.sum(1).mean()


def usage_price(s: Tensor) -> Tensor:
    """Return log L - H(mean_i s_i), nats: gates that each choose few concepts shall together use all; (n, L) on the simplex."""
    mean = s.mean(0)
    return math.log(len(mean)) - torch.special.entr(mean).sum()


def no_gate(z: Tensor, phi: Tensor, draw: torch.Generator | None) -> Tensor:
    """Return z itself."""
    return z


def entmax_gate(z: Tensor, phi: Tensor, draw: torch.Generator | None) -> Tensor:
    """Return phi through a gate of the simplex."""
    return sparsemax(z) * phi


def concrete_gate(z: Tensor, phi: Tensor, draw: torch.Generator | None, *, temperature: float = 0.5) -> Tensor:
    """Return phi through relaxed Bernoulli gates while training, through z > 0 after. Source: [maddison2017concrete]."""
    if draw is None:
        return (z > 0) * phi
    u = torch.rand(z.shape, generator=draw, dtype=z.dtype).clamp(EPS, 1 - EPS)
    return ((z + u.logit()) / temperature).sigmoid() * phi


Gate = Callable[[Tensor, Tensor, torch.Generator | None], Tensor]
# Of each kind its gate and its price (layer A, z, noise) -> nats; the price of "l1" is |A|_1 / L.
KINDS: dict[str, tuple[Gate, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "l1": (no_gate, lambda layer, z, noise: layer.abs().sum() / len(layer)),
    "contrastive": (no_gate, lambda layer, z, noise: contrastive(z)),
    "gumbel": (no_gate, lambda layer, z, noise: contrastive(z, noise=noise)),
    "gumbel_all": (no_gate, lambda layer, z, noise: gumbel_all(z, noise=noise)),
    "entmax": (entmax_gate, lambda layer, z, noise: usage_price(sparsemax(z))),
    "bernoulli": (concrete_gate, lambda layer, z, noise: bernoulli_price(z)),
}


def sparse_cbm(
    train: Rows, bank: Words, *, kind: str, beta: float = 0.1, epochs: int = 40, batch: int = 128, lr: float = 0.01,
    seed: int = 0,
) -> ConceptModel:  # fmt: skip
    """Train layer and head together: CE + beta * price of the kind, Adam, batches drawn anew each epoch.

    The layer starts at the identity and the head at zero, so that every kind starts from the same model; both do train.
    Source: [semenov2024sparse], whose public code leaves its head out of the optimiser.
    """
    return side_by_side(train, bank, [kind], beta=beta, epochs=epochs, batch=batch, lr=lr, seed=seed)[kind]


def side_by_side(
    train: Rows, bank: Words, kinds: Sequence[str], *, beta: float = 0.1, epochs: int = 40, batch: int = 128, lr: float = 0.01,
    seed: int = 0,
) -> dict[str, ConceptModel]:  # fmt: skip
    """Train a bottleneck of each kind as one program, each with draws of its own, so that it is what it would be alone."""
    parts = [checks.known(kind, KINDS, "kind of sparse bottleneck") for kind in kinds]
    bank, y = words(bank, "concepts", width=train.x.shape[1]), classes_of(train.y)
    phi, draws = SCALE * cosines(train.x, bank.vectors), [torch.Generator().manual_seed(seed) for _ in kinds]
    layers = torch.eye(len(bank.names), dtype=torch.float64).repeat(len(kinds), 1, 1).requires_grad_()
    heads = torch.zeros(len(kinds), int(y.max()) + 1, len(bank.names), dtype=torch.float64).requires_grad_()
    adam = torch.optim.Adam([layers, heads], lr, fused=True)
    for _ in range(checks.counted(epochs, "epochs")):
        orders = torch.stack([torch.randperm(len(y), generator=draw) for draw in draws])
        for rows in orders.split(checks.counted(batch, "batch"), 1):
            own = phi[rows]  # (kinds, batch, L)
            members = list(zip(parts, own @ layers.mT, own, draws, layers, strict=True))
            noise = [gumbel(z.shape, draw) for _, z, _, draw, _ in members]
            seen = torch.stack([gate(z, u, draw) for (gate, _), z, u, draw, _ in members])
            charged = sum(price(a, z, e) for ((_, price), z, _, _, a), e in zip(members, noise, strict=True))
            miss = F.cross_entropy((seen @ heads.mT).flatten(0, 1), y[rows].flatten()) * len(kinds)  # a mean for each
            adam.zero_grad()
            (miss + beta * charged).backward()
            adam.step()
    trained = zip(parts, layers.detach(), heads.detach(), strict=True)
    models = [of_gate(gate, layer, head, bank, train.x) for (gate, _), layer, head in trained]
    return dict(zip(kinds, models, strict=True))


def of_gate(gate: Gate, layer: Tensor, weights: Tensor, bank: Words, x: Tensor) -> ConceptModel:
    """Return the model of a trained layer and head."""

    def score(z: Tensor) -> Tensor:
        own = SCALE * cosines(z, bank.vectors)
        return gate(own @ layer.T, own, None)

    return model_of(score, weights, weights.new_zeros(len(weights)), x, concepts=bank.names)


def active(model: ConceptModel, x: Tensor) -> float:
    """Return how many concepts an image has whose score is more than 1 % of its largest, in the mean over x."""
    u = model.score(x).abs()
    return ((u > 0.01 * u.amax(1, keepdim=True)) & (u > 0)).double().sum(1).mean().item()


def concept_matrix_search(prompts: Words, bank: Words, x: Tensor, *, centre: bool) -> ConceptModel:
    """Compare images with classes by their profiles over concepts, without training: logit_k = cos(V, Q_k).

    V_j = cos(x, c_j) and Q_kj = cos(prompt_k, c_j), less their means over training images x and over classes where `centre`
    is set. With G = sum_j c_j c_j^T it is x^T G t_k / sqrt(t_k^T G t_k) up to what no class changes: zero-shot in another
    metric, and zero-shot itself where concepts are isotropic. Division of rows by their sums, as the public code does, moves
    no argmax unless a sum is negative, where it turns the order round. Source: [semenov2024sparse].
    """
    prompts, bank = words(prompts, "class prompts", width=x.shape[1]), words(bank, "concepts", width=x.shape[1])
    profile = cosines(prompts.vectors, bank.vectors)
    mean = cosines(x, bank.vectors).mean(0) if centre else torch.zeros(len(bank.names), dtype=torch.float64)
    weights = unit(profile - profile.mean(0) if centre else profile)
    return model_of(
        lambda z: unit(cosines(z, bank.vectors) - mean), weights, weights.new_zeros(len(weights)), x, concepts=bank.names
    )
