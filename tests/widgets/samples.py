"""Tables and models taken apart, as views are given them, and what their pictures hold."""

import re

import pandas as pd
import torch

from lib.concepts.bottleneck import ConceptModel, model_of
from lib.data.embeddings import Embedded, Places, planted_embeddings
from lib.koopman.modes import Pieces


def three():
    values = torch.tensor([1.0, 0.8j, -0.8j], dtype=torch.complex128)
    parts = torch.tensor([[1.0, 0.0], [0.5, 1.0], [0.5, 1.0]], dtype=torch.complex128)
    t = torch.arange(6, dtype=torch.float64)
    truth = (values[:, None, None] ** t[:, None] * parts[:, None]).sum(0).real
    return Pieces(values, torch.tensor([1e-9, 0.1, 0.1], dtype=torch.float64), parts, truth)


def paths(epochs=40, layers=5, seeds=20):
    grid = pd.MultiIndex.from_product(
        [range(1, epochs + 1), range(1, layers + 1), range(seeds)], names=["epoch", "layer", "seed"]
    )
    table = grid.to_frame(index=False)
    values = {
        "mi_xt": 8 - table.layer + table.epoch / epochs + 0.01 * table.seed,
        "mi_ty": 0.1 * table.layer + 0.001 * table.epoch,
    }
    return table.assign(run="tanh", estimator="binning", **values)


def codes():
    rows = [
        {"run": "diabetes", "method": m, "beta": b, "seed": s, "capacity": b / 2 + s / 10, "performance": 1 - b}
        for m in ("vib", "nib<&>")
        for b in (0.0, 0.1, 1.0)
        for s in (0, 1)
    ]
    return pd.DataFrame(rows)


def dots(svg):
    found = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)" r="3.5" fill="(#\w+)"><title>([^<]*)</title>', svg)
    return [(float(x), float(y), colour, title) for x, y, colour, title in found]


NAMES, CLASSES = ["red", "round", "<grass>"], ["apple", "ball"]


def model() -> ConceptModel:
    """Two classes on three concepts: red and grass speak for an apple, round for a ball."""
    weights = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]], dtype=torch.float64)
    levels = [torch.full((3,), v, dtype=torch.float64) for v in (0.5, 0.0, 1.0)]
    return ConceptModel(lambda u: u, weights, torch.zeros(2, dtype=torch.float64), NAMES, *levels)


def data_of_pixels() -> tuple[Embedded, torch.Tensor]:
    """Planted embeddings whose tokens are the embedding four times, and a picture for each, its number in its pixels."""
    data = planted_embeddings(60, seed=0)
    tokens = data.test.x[:, None, None].expand(-1, 2, 2, -1).contiguous()
    images = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    return data._replace(places=Places(tokens, torch.full((60, 12, 2), -1), (4, 4))), images


def probe(data: Embedded) -> ConceptModel:
    """Scores of the concepts themselves, and a head that is right but for noise."""
    weights = torch.eye(12, dtype=torch.float64)[:6]
    score = lambda x: x @ data.concepts.vectors.T  # noqa: E731 - a score is a function of embeddings
    return model_of(score, weights, weights.new_zeros(6), data.train.x, concepts=data.concepts.names)
