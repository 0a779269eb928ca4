"""Concept metrics where every score may be exact: heads on annotations, what errors and leaks do to them, beside chance.

With true attributes as scores nothing is left to a backbone, so what a metric still says against a head is the metric's own.
"""

from functools import partial

import pandas as pd
import torch
from torch import Tensor

from lib.concepts import agreement, capacity, leakage, posthoc
from lib.concepts.baselines import linear_probe
from lib.concepts.bottleneck import ConceptModel, Score, accuracy, explain, standardised
from lib.core import checks
from lib.core.types import Rows, Split
from lib.data.annotations import Annotated
from lib.experiments.tables import Tables, together

PATH = 60  # penalties of a head, each lower by 2^(1/4): 24 end before the one that validation chooses on digits of 28 x 28
RUNGS = (1, 2, 3, 5)  # effective concepts
CLASSES, READ = 20, 30  # at most so many classes, and attributes whose impurity is read: what takes seconds, not minutes
NOISE = 1.0  # deviation of what an annotator, or a network, might err by
LEAK = 0.5  # how much of the next attribute a leaky score carries


def measure(found: Annotated, seeds: list[int], *, rows: int, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `heads`, `levels` and `impure`, a split of at most `rows` images a seed."""
    return together(partial(unit, found, rows), seeds, workers=workers)


def unit(found: Annotated, rows: int, seed: int) -> Tables:
    """Measure one split."""
    data = split(found, rows, seed)
    return {"heads": [{"seed": seed} | headed(data, seed)], "levels": levels(data, seed), "impure": impure(data, seed)}


def split(found: Annotated, rows: int, seed: int) -> Split:
    """Return 64, 16 and 20 % of at most `rows` images, drawn by the seed, and only attributes that vary in each part.

    Of more than 20 classes 20 are drawn. Errors: fewer images than classes need.
    """
    found = fewer(found, seed)
    order = torch.randperm(len(found.y), generator=torch.Generator().manual_seed(seed))[: checks.counted(rows, "rows")]
    cuts = [int(0.64 * len(order)), int(0.8 * len(order))]
    parts = [order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] :]]
    present = found.y[parts[0]].unique()
    if len(present) < len(found.classes):
        lost = [name for k, name in enumerate(found.classes) if k not in present]
        raise ValueError(f"{len(order)} images leave no training image of {', '.join(lost[:5])}; give more rows")
    truth = [found.truth[own].double() for own in parts]
    varies = torch.stack([(t.mean(0) > 0) & (t.mean(0) < 1) for t in truth]).all(0)
    return Split(*(Rows(t[:, varies], found.y[own]) for t, own in zip(truth, parts, strict=True)))


def fewer(found: Annotated, seed: int) -> Annotated:
    """Return the images of 20 classes, drawn by the seed, or all of no more."""
    if len(found.classes) <= CLASSES:
        return found
    drawn = torch.randperm(len(found.classes), generator=torch.Generator().manual_seed(seed))[:CLASSES].sort().values
    own = torch.isin(found.y, drawn)
    return found._replace(
        truth=found.truth[own], y=torch.searchsorted(drawn, found.y[own]), classes=[found.classes[k] for k in drawn.tolist()]
    )


def noisy(seed: int) -> Score:
    """Return scores that miss the truth by normal errors, the same for the same rows."""
    return lambda x: x + NOISE * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)


def leaky(x: Tensor) -> Tensor:
    """Return scores of which each carries some of the next attribute."""
    return x + LEAK * x.roll(-1, 1)


def impure(data: Split, seed: int) -> list[dict]:
    """Return impurity, leakage and weakness of scores that are true, that miss by chance, and that leak; of the first 30."""
    made: dict[str, Score] = {"true": lambda x: x, "noisy": noisy(seed), "leaky": leaky}
    rows = []
    for name, score in made.items():
        some = [(score(x)[:, :READ], x[:, :READ].long()) for x in (data.train.x, data.test.x)]
        found = leakage.oracle_impurity(*some[0], *some[1])
        parts = {"impurity": found.score, "leakage": found.leakage, "weakness": found.weakness}
        rows.append({"seed": seed, "scores": name} | parts)
    return rows


def path(data: Split, score: Score) -> posthoc.Fitted:
    """Return sparse heads on a score, standardised."""
    names = [f"score {j}" for j in range(score(data.train.x[:1]).shape[1])]
    return posthoc.head_path(data.train, standardised(score, data.train.x), names, count=PATH)


def levels(data: Split, seed: int) -> list[dict]:
    """Return test accuracies at few effective concepts of attributes, of as many random mixtures, and of shuffled columns.

    A mixture is a direction drawn evenly from the sphere: nothing is lost by all of them together, and none means anything.
    """
    draw = torch.Generator().manual_seed(seed)
    width = data.train.x.shape[1]
    turn = torch.randn(width, width, generator=draw, dtype=torch.float64)
    made = {
        "attributes": (data, lambda x: x),
        "mixtures": (data, lambda x: x @ turn),
        "shuffled": (shuffled(data, draw), lambda x: x),
    }
    return [
        {"seed": seed, "concepts": name} | level._asdict()
        for name, (own, score) in made.items()
        for level in capacity.at_effective(path(own, score), own.train, own.test, levels=RUNGS)
    ]


def shuffled(data: Split, draw: torch.Generator) -> Split:
    """Return every column in an order of its own: as often there as before, and with nothing to do with the class."""
    return Split(*(Rows(p.x.gather(0, torch.rand(p.x.shape, generator=draw).argsort(0)), p.y) for p in data))


def headed(data: Split, seed: int) -> dict[str, float]:
    """Return accuracy of a probe and of a sparse head, whether its leading attributes are there, and what corrections do.

    Corrections are made on noisy scores, one attribute after another at random, to the truth and to its opposite.
    """
    exact = posthoc.best(path(data, lambda x: x), data.train, data.valid, budget=float(RUNGS[-1]))
    importance, truth = explain(exact, data.test.x).contributions, data.test.x.long()
    first, third = (agreement.concept_existence(importance, truth, most=m) for m in (1, 3))
    unsure = corrected(data, posthoc.best(path(data, noisy(seed)), data.train, data.valid), truth, seed)
    probe = accuracy(linear_probe(data.train, data.valid), *data.test)
    found = {"attributes": truth.shape[1], "probe": probe, "head": accuracy(exact, *data.test)}
    found["completeness"] = capacity.completeness(found["head"], probe, data.test.y)
    return found | {"existence_1": first.value, "existence_3": third.value, "chance": first.chance} | unsure


def corrected(data: Split, model: ConceptModel, truth: Tensor, seed: int) -> dict[str, float]:
    """Return the accuracy of a model as it is, and its mean while attributes are set right, and while they are set wrong."""
    right, wrong = (
        capacity.intervention_curve(model, data.test, told, policy="random", seed=seed) for told in (truth, 1 - truth)
    )
    return {
        "unsure": right.accuracy[0].item(),
        "area": right.area,
        "all_right": right.accuracy[-1].item(),
        "wrong_area": wrong.area,
    }
