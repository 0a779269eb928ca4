"""The contest of concept methods: every method in one table, embeddings that come back from a folder as they went."""

import math

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from lib.concepts import posthoc, sparse
from lib.concepts.bottleneck import accuracy
from lib.contests import concept_methods, concepts
from lib.data.embeddings import planted_embeddings, read_embeddings, write_embeddings
from lib.types import Words

DATA = planted_embeddings(240, seed=3)
CASE = concept_methods.case(DATA, 0)


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
        [{"method": name} | concepts.judged(method(CASE), DATA, 0.75, ideal) for name, method in concepts.METHODS.items()]
    ).set_index("method")
    assert (rows.accuracy > 0.4).all() and rows.accuracy.idxmin() in {"random words", "random vectors"}
    known = rows.impurity.notna()
    assert set(rows.index[~known]) == {"linear probe", "zero-shot", "random words", "random vectors", "discover, then name"}
    assert (rows.existence_1[known] > rows.chance[known] + 0.2).all() and (
        rows.area[known] > rows.wrong_area[known] + 0.3
    ).all()
    assert (rows.faithful.drop("PCBM-h") == 1).all() and (rows.nats <= math.log(240) + 1e-9).all()


def test_what_methods_share_is_learnt_once_and_is_what_each_would_learn_alone():
    own = concept_methods.case(DATA, 5)
    assert own.path("words") is own.path("words") and own.dictionary() is own.dictionary()
    bank = concept_methods.BANKS["directions"](DATA, 5)
    alone = posthoc.pcbm(DATA.train, DATA.valid, bank, count=own.budget.path)
    assert torch.equal(concept_methods.METHODS["PCBM directions"](own).weights, alone.weights)
    alone = sparse.sparse_cbm(DATA.train, DATA.concepts, kind="bernoulli", seed=5)
    torch.testing.assert_close(concept_methods.METHODS["SparseCBM bernoulli"](own).weights, alone.weights)
    whole = concepts.shots(own, {"LaBo": concept_methods.METHODS["zero-shot"](own)})["shots"]
    given = [row["accuracy"] for row in whole if row["method"] == "LaBo" and not row["shots"]]
    assert given == [accuracy(concept_methods.METHODS["zero-shot"](own), *DATA.test)], "a fitted model is fitted again"


def test_levels_are_of_all_banks_and_shots_of_the_rows_they_say():
    found = pd.DataFrame(concepts.levels(CASE))
    assert set(found.concepts) == set(concepts.BANKS) and len(found) == 4 * len(concepts.RUNGS)
    part = concepts.few(DATA.train, 3, 1)
    assert part.y.bincount().tolist() == [3] * 6 and not torch.equal(part.x, concepts.few(DATA.train, 3, 2).x)
    assert (DATA.train.x[:, None] == part.x).all(2).any(0).all()
    assert len(concepts.few(DATA.train, 10**6, 0).y) == 240


def test_a_choice_takes_the_concepts_of_a_class():
    owners = concept_methods.chosen(DATA, k=1, alpha=1.0, beta=0.0)
    assert owners == {k: [k] for k in range(6)}


def test_tables_of_seeds_come_together(monkeypatch):
    monkeypatch.setattr(concepts, "METHODS", {k: concepts.METHODS[k] for k in ("linear probe", "CMS")})
    monkeypatch.setattr(concepts, "FEW", {"CMS": concepts.METHODS["CMS"]})
    made = concepts.measure([0, 1], lambda seed: planted_embeddings(300, seed=seed), more=concepts.shots, workers=1)
    assert made["methods"].groupby("seed").size().tolist() == [2, 2]
    assert set(made["shots"].shots) == {0, 1, 4, 16} and set(made["levels"].level) == {1, 2, 3, 5}
    assert isinstance(DATA.concepts, Words)
