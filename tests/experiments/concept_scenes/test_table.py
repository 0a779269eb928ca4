"""Concept methods compared: every method in one table, names judged, units of one name counted as one."""

import math

import pandas as pd
import torch

from lib.concepts import methods
from lib.concepts.bottleneck import accuracy
from lib.core.types import Words
from lib.data.embeddings import planted_embeddings
from lib.experiments.concept_scenes import table as concepts

DATA = planted_embeddings(240, seed=3)
CASE = methods.case(DATA, 0)


def test_every_method_is_in_the_table_and_random_concepts_are_told_from_words():
    ideal = concepts.oracle(DATA)
    rows = pd.DataFrame(
        [{"method": name} | concepts.judged(name, method(CASE), DATA, 0.75, ideal) for name, method in concepts.METHODS.items()]
    ).set_index("method")
    assert (rows.accuracy > 0.4).all() and rows.accuracy.idxmin() in {"random words", "random vectors"}
    known = rows.impurity.notna()
    assert set(rows.index[~known]) == {"linear probe", "zero-shot", "random words", "random vectors", "discover, then name"}
    mixed = rows.index.isin([f"SparseCBM {kind}" for kind in ("contrastive", "gumbel", "gumbel_all")])
    # Nothing holds the layers of these at the concepts that their scores are called by.
    assert (rows.existence_1 > rows.chance + 0.3)[known & ~mixed].all() and (rows.existence_1 > rows.chance)[known].all()
    assert (rows.area > rows.wrong_area + 0.3)[known].all()
    assert (rows.faithful.drop("PCBM-h") == 1).all() and (rows.nats <= math.log(240) + 1e-9).all()


def test_levels_are_of_all_methods_and_shots_of_the_rows_they_say():
    models = {name: concepts.METHODS[name](CASE) for name in ("PCBM words", "random vectors", "CMS")}
    found = pd.DataFrame(concepts.levels(CASE, models)).set_index(["method", "level"])
    assert len(found) == 3 * len(concepts.RUNGS) and (found.found <= [level for _, level in found.index]).all()
    assert found.accuracy["CMS", 30] == accuracy(models["CMS"], *DATA.test) and found.reached["PCBM words", 2]
    assert found.accuracy["PCBM words", 1] > found.accuracy["random vectors", 1] + 0.2
    part = concepts.few(DATA.train, 3, 1)
    assert part.y.bincount().tolist() == [3] * 6 and not torch.equal(part.x, concepts.few(DATA.train, 3, 2).x)
    assert (DATA.train.x[:, None] == part.x).all(2).any(0).all()
    assert len(concepts.few(DATA.train, 10**6, 0).y) == 240


def test_tables_of_seeds_come_together(monkeypatch):
    monkeypatch.setattr(concepts, "METHODS", {k: concepts.METHODS[k] for k in ("linear probe", "CMS")})
    monkeypatch.setattr(concepts, "FEW", {"CMS": concepts.METHODS["CMS"]})
    made = concepts.measure([0, 1], lambda seed: planted_embeddings(300, seed=seed), more=concepts.shots, workers=1)
    assert made["methods"].groupby("seed").size().tolist() == [2, 2]
    assert set(made["shots"].shots) == {0, 1, 2, 4, 8, 16} and set(made["levels"].level) == {1, 2, 3, 5, 10, 15, 20, 25, 30}
    assert isinstance(DATA.concepts, Words)


def test_levels_join_the_methods_of_their_own_seed_and_knob():
    same = {"rho": 0.0, "seed": 20, "method": "CMS"}
    other, net = same | {"rho": 0.95}, same | {"method": "net"}
    methods_table = pd.DataFrame([same, other, net]).assign(accuracy=0.5)
    rows = [same | {"level": k, "accuracy": k / 100, "reached": k <= 10} for k in concepts.RUNGS]
    rows += [other | {"level": k, "accuracy": 0.9, "reached": False} for k in concepts.RUNGS]
    found = concepts.add_levels(methods_table, pd.DataFrame(rows), level=5)
    assert found.five.tolist()[:2] == [0.05, 0.9] and math.isnan(found.five[2])
    assert math.isclose(found.thirty[0], 0.175) and found.reached.tolist()[:2] == [2, 0]
    assert concepts.add_levels(methods_table, pd.DataFrame(rows), level=3).five[0] == 0.03
    assert found.accuracy.tolist() == [0.5] * 3
