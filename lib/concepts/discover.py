r"""Discover, then name: a sparse autoencoder finds directions in embeddings, a vocabulary names them, a sparse head decides.

f = ReLU(E (a - b_d) + b_e), a' = f D + b_d, rows of D of length 1; loss = mean_i |a' - a|^2 + lambda |f|_1, both sums over
coordinates and units. Members, seeds x lambdas, train as one program.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lib.concepts.bottleneck import ConceptModel, Score, cosines, words
from lib.concepts.posthoc import Fitted, best, head_path
from lib.core import checks
from lib.core.types import Rows, Words


class Dictionary(NamedTuple):
    """Sparse autoencoders of h units, one a member, on embeddings less their centre, times scale."""

    encoder: Tensor  # E (m, h, d)
    offset: Tensor  # b_e (m, h)
    atoms: Tensor  # D (m, h, d), rows of length 1
    base: Tensor  # b_d (m, d)
    centre: Tensor  # (d,)
    scale: Tensor  # () that makes the mean square of a coordinate 1
    firing: Tensor  # (m, h) share of training rows on which a unit is > 0


class Naming(NamedTuple):
    """What a vocabulary calls the units of a dictionary."""

    names: list[str]  # h: the nearest word
    cosine: Tensor  # (h,) to it
    margin: Tensor  # (h,) by which it is nearer than the next word
    dead: Tensor  # (h,) bool: never fired in training


def learn(
    x: Tensor, *, units: int, prices: Sequence[float], seeds: Sequence[int], steps: int = 2000, batch: int = 256,
    lr: float = 3e-3, periods: int = 5,
) -> Dictionary:  # fmt: skip
    """Train one autoencoder for each pair of price (lambda, in sums) and seed; (n, d) -> Dictionary.

    Adam; the part of a gradient along an atom is taken out, and atoms are scaled to length 1 after each step. Steps fall into
    `periods`; after each but the last, units that did not fire in it start anew at badly reconstructed rows.
    Embeddings are centred and scaled first, our choice. Source: [rao2024discover] [bricken2023towards].
    """
    x, prices = checks.single(x, "x").double(), [checks.positive(float(p), "price") for p in prices]
    if checks.counted(units, "units") < x.shape[1] or len(prices) != len(seeds) or not prices:
        raise ValueError(f"units must be >= {x.shape[1]} and prices and seeds pair, got {units}, {len(prices)}, {len(seeds)}")
    centre, draws = x.mean(0), [torch.Generator().manual_seed(s) for s in seeds]
    scale = 1 / (x - centre).square().mean().sqrt().clamp_min(1e-12)
    a = (x - centre) * scale
    weights = [part.requires_grad_() for part in begin(units, x.shape[1], draws)]
    adam, charge = torch.optim.Adam(weights, lr, fused=True), torch.tensor(prices, dtype=a.dtype)
    fired, every = torch.zeros(len(seeds), units, dtype=torch.bool), max(1, steps // checks.counted(periods, "periods"))
    for step in range(checks.counted(steps, "steps")):
        rows = a[torch.stack([torch.randint(len(a), (batch,), generator=g) for g in draws])]  # (m, batch, d)
        f, again = through(weights, rows)
        loss = (again - rows).square().sum(2).mean(1) + charge * f.sum(2).mean(1)
        adam.zero_grad()
        loss.sum().backward()
        atoms = weights[2]
        with torch.no_grad():
            atoms.grad -= (atoms.grad * atoms).sum(2, keepdim=True) * atoms
            adam.step()
            atoms /= atoms.norm(dim=2, keepdim=True)
            fired |= (f > 0).any(1)
            if (step + 1) % every == 0 and step + every < steps:
                resample(weights, adam, ~fired, a, draws)
                fired.zero_()
    with torch.no_grad():
        firing = (through(weights, a.expand(len(seeds), -1, -1))[0] > 0).double().mean(1)
    return Dictionary(*(w.detach() for w in weights), centre, scale, firing)


def begin(units: int, width: int, draws: list[torch.Generator]) -> list[Tensor]:
    """Return encoder, offsets, atoms and base: atoms uniform on the sphere, the encoder their transpose."""
    atoms = torch.stack([torch.randn(units, width, generator=g, dtype=torch.float64) for g in draws])
    atoms = atoms / atoms.norm(dim=2, keepdim=True)
    return [atoms.clone(), atoms.new_zeros(len(draws), units), atoms, atoms.new_zeros(len(draws), width)]


def through(weights: Sequence[Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes (m, n, h) and reconstructions (m, n, d) of rows (m, n, d)."""
    encoder, offset, atoms, base = weights
    f = ((rows - base[:, None]) @ encoder.mT + offset[:, None]).relu()
    return f, f @ atoms + base[:, None]


def resample(weights: list[Tensor], adam: torch.optim.Adam, dead: Tensor, a: Tensor, draws: list[torch.Generator]) -> None:
    """Start dead units (m, h) anew at rows drawn with the squares of their losses, with a fifth of the mean encoder's norm."""
    encoder, offset, atoms, base = weights
    for i, draw in enumerate(draws):
        lost = dead[i].nonzero().flatten()
        if len(lost) == len(dead[i]):
            raise ValueError(f"all {len(lost)} units of member {i} are dead; lower its price")
        if not len(lost):
            continue
        part = [w[i : i + 1] for w in weights]
        miss = (through(part, a[None])[1][0] - a).square().sum(1)
        picked = a[torch.multinomial(miss.square(), len(lost), replacement=len(lost) > len(a), generator=draw)]
        axis = picked - base[i]
        axis = axis / axis.norm(dim=1, keepdim=True).clamp_min(1e-12)
        atoms[i, lost] = axis
        encoder[i, lost] = axis * 0.2 * encoder[i, ~dead[i]].norm(dim=1).mean()
        offset[i, lost] = 0
        for weight in (encoder, offset, atoms):
            for moment in ("exp_avg", "exp_avg_sq"):
                adam.state[weight][moment][i, lost] = 0


def codes(found: Dictionary, member: int) -> Score:
    """Return the code of one member as a score, (n, d) -> (n, h)."""
    part = [w[member : member + 1] for w in found[:4]]
    return lambda x: through(part, ((x.double() - found.centre) * found.scale)[None])[0][0]


def explained(found: Dictionary, x: Tensor) -> Tensor:
    """Return the share of the variance of x (n, d) that each member reconstructs, (m,)."""
    a = (x.double() - found.centre) * found.scale
    again = through(found[:4], a.expand(len(found.base), -1, -1))[1]
    return 1 - (again - a).square().sum((1, 2)) / (a - a.mean(0)).square().sum()


def name_units(found: Dictionary, member: int, vocabulary: Words) -> Naming:
    """Call each unit by the word nearest to its atom in cosine, and say how near and how clearly; two words at least."""
    vocabulary = words(vocabulary, "vocabulary", width=found.atoms.shape[2])
    near = cosines(found.atoms[member], vocabulary.vectors).topk(2, dim=1)
    names = [vocabulary.names[j] for j in near.indices[:, 0].tolist()]
    return Naming(names, near.values[:, 0], near.values[:, 0] - near.values[:, 1], found.firing[member] == 0)


def unit_path(train: Rows, found: Dictionary, member: int, vocabulary: Words, *, count: int = 40) -> Fitted:
    """Fit sparse heads without bias on the units that fire, each named by the vocabulary; equal names are numbered.

    Codes are divided by their deviation and not centred, so that a unit which does not fire says nothing. The public code
    charges mean |W| by Adam, which leaves no weight at zero; the elastic net does. Source: [rao2024discover].
    """
    naming, raw = name_units(found, member, vocabulary), codes(found, member)
    alive = (raw(train.x) > 0).any(0)
    if not alive.any():
        raise ValueError(f"no unit of member {member} fires on these embeddings; train its dictionary on such ones")
    spread = raw(train.x)[:, alive].std(0, correction=0).clamp_min(1e-12)
    names = numbered([name for name, lives in zip(naming.names, alive.tolist(), strict=True) if lives])
    return head_path(train, lambda x: raw(x)[:, alive] / spread, names, count=count, bias=False)


def discovered(
    train: Rows, valid: Rows, found: Dictionary, member: int, vocabulary: Words, *, count: int = 40, budget: float | None = None
) -> ConceptModel:
    """Return the head of `unit_path` that validation chooses, with at most `budget` effective concepts."""
    return best(unit_path(train, found, member, vocabulary, count=count), train, valid, budget=budget)


def numbered(names: Sequence[str]) -> list[str]:
    """Return names with a number where one comes again: word, word 2, word 3."""
    seen, made = {}, []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return made
