"""The contest of concept methods: every method in one table, embeddings that come back from a folder as they went."""

import math

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from lib.concepts import methods
from lib.concepts.bottleneck import accuracy
from lib.core.types import Words
from lib.data.embeddings import planted_embeddings, read_embeddings, write_embeddings
from lib.experiments.concept_scenes import table as concepts

DATA = planted_embeddings(240, seed=3)
CASE = methods.case(DATA, 0)


def test_planted_embeddings_are_made_of_their_concepts():
    data = planted_embeddings(4000, seed=0, correlation=0.9)
    near = data.test.x @ data.concepts.vectors.T
    assert ((near > near.mean(0)) == data.test_truth.bool()).double().mean() > 0.9
    own = data.test_truth[torch.arange(4000), data.test.y]
    assert own.double().mean().item() == pytest.approx(0.9, abs=0.02)
    tied = [
        (t[:, -1] == y % 2).double().mean().item()
        for t, y in ((data.train_truth, data.train.y), (data.test_truth, data.test.y))
    ]
    assert tied == pytest.approx([0.95, 0.5], abs=0.03)
    again = planted_embeddings(4000, seed=0, correlation=0.9)
    assert torch.equal(data.train.x, again.train.x)
    with pytest.raises(ValueError, match="correlation must lie"):
        planted_embeddings(10, seed=0, correlation=1.5)


def parts():
    def part(rows, truth):
        return {"images": rows.x, "attributes": truth, "labels": rows.y}

    return {"train": part(DATA.train, DATA.train_truth), "test": part(DATA.test, DATA.test_truth)}


def test_a_folder_gives_back_what_was_written(tmp_path):
    texts = {"concepts": DATA.concepts, "classes": DATA.classes, "vocabulary": DATA.vocabulary}
    write_embeddings(tmp_path / "e", parts(), texts)
    found = read_embeddings(tmp_path / "e", valid=0.25, seed=1)
    assert len(found.train.y) == 180 and len(found.valid.y) == 60 and torch.equal(found.test.x, DATA.test.x)
    together = torch.cat([found.train.x, found.valid.x])
    assert torch.equal(together.sort(0).values, DATA.train.x.sort(0).values)
    row = int((DATA.train.x == found.train.x[5]).all(1).nonzero()[0])
    assert torch.equal(found.train_truth[5], DATA.train_truth[row]) and found.train.y[5] == DATA.train.y[row]
    assert found.concepts.names == list(DATA.concepts.names) and torch.equal(found.classes.vectors, DATA.classes.vectors)


def test_a_folder_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"lacks \['train.safetensors'"):
        read_embeddings(tmp_path)
    write_embeddings(tmp_path, parts(), {"concepts": DATA.concepts, "classes": DATA.classes, "vocabulary": DATA.vocabulary})
    with pytest.raises(ValueError, match="valid must lie"):
        read_embeddings(tmp_path, valid=1.0)
    short = load_file(tmp_path / "test.safetensors")
    save_file(short | {"attributes": short["attributes"][:, :3].contiguous()}, tmp_path / "test.safetensors")
    with pytest.raises(ValueError, match="attributes of test must have shape"):
        read_embeddings(tmp_path)


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
