"""Metrics on attributes that are known exactly: what leaks, what is missed, and how few do."""

import pytest
import torch

from lib.concepts import posthoc
from lib.concepts.bottleneck import accuracy
from lib.data.annotations import ANNOTATED, Annotated
from lib.experiments.concepts_on_real_data import annotations
from lib.workbook import runs
from tests import ROOT


def told(n: int = 1200, seed: int = 0) -> Annotated:
    """Six independent attributes; the class counts in binary by the first two, the others mean nothing."""
    truth = torch.randint(2, (n, 6), generator=torch.Generator().manual_seed(seed))
    return Annotated(truth, list("abcdef"), 2 * truth[:, 0] + truth[:, 1], ["none", "b", "a", "both"])


def test_a_split_has_each_image_once_and_attributes_that_vary():
    found = told(100)
    found.truth[:, 3] = 1
    tagged = found._replace(truth=torch.cat([found.truth, (torch.arange(100)[:, None] >> torch.arange(7)) & 1], 1))
    data = annotations.split(tagged, 100, 5)
    assert [len(part.y) for part in data] == [64, 16, 20] and data.train.x.shape[1] == 12, "a constant attribute is left"
    rows = torch.cat([part.x[:, 5:].long() for part in data])
    assert (rows * 2 ** torch.arange(7)).sum(1).sort().values.tolist() == list(range(100))
    assert all(torch.equal(part.y, (2 * part.x[:, 0] + part.x[:, 1]).long()) for part in data)
    assert not torch.equal(annotations.split(tagged, 100, 6).train.x, data.train.x)
    with pytest.raises(ValueError, match=r"3 images leave no training image of .*; give more rows"):
        annotations.split(found, 3, 0)


def test_of_many_classes_twenty_are_drawn():
    found = told(400)._replace(y=torch.arange(400) % 40, classes=[f"class {k}" for k in range(40)])
    some = annotations.fewer(found, 3)
    assert len(some.classes) == 20 and some.y.bincount().tolist() == [10] * 20
    named = [int(some.classes[k].split()[1]) for k in some.y.tolist()]
    own = torch.isin(found.y, torch.tensor(named))
    assert named == found.y[own].tolist() and torch.equal(some.truth, found.truth[own])
    assert annotations.fewer(found, 4).classes != some.classes
    assert annotations.fewer(few := told(50), 3) is few


def test_errors_are_weakness_and_leaks_are_leakage():
    true, noisy, leaky = annotations.impure(annotations.split(told(), 1200, 0), 0)
    assert true == {"seed": 0, "scores": "true", "impurity": 0, "leakage": 0, "weakness": 0}
    assert noisy["weakness"] > 0.15 and noisy["leakage"] < 0.02
    assert leaky["leakage"] > 0.08 and leaky["weakness"] < 0.01  # a fifth of the pairs leak, from 1/2 to nearly 1
    assert min(noisy["impurity"], leaky["impurity"]) > 0.1, "the published score tells neither from the other"


def test_few_attributes_do_and_shuffled_ones_do_not():
    found = told()
    rows = {(r["concepts"], r["level"]): r["accuracy"] for r in annotations.levels(annotations.split(found, 1200, 1), 1)}
    assert rows["attributes", 3] == 1.0 > rows["mixtures", 3] and rows["shuffled", 5] < 0.4
    draw = torch.Generator().manual_seed(0)
    data = annotations.split(found, 1200, 1)
    mixed = annotations.shuffled(data, draw)
    assert torch.equal(mixed.test.x.sum(0), data.test.x.sum(0)) and not torch.equal(mixed.test.x, data.test.x)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_path_goes_on_beyond_the_head_that_validation_chooses(seed):
    data = annotations.split(told(), 1200, seed)
    turn = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    fitted = annotations.path(data, lambda x: x @ turn)  # weak penalties: what tells a class is spread over all scores
    chosen = posthoc.best(fitted, data.train, data.valid)
    assert accuracy(chosen, *data.valid) == 1.0 and not torch.equal(chosen.weights, fitted.path.weights[-1])


def test_a_head_on_noisy_scores_listens_to_corrections():
    row = annotations.headed(annotations.split(told(), 1200, 2), 2)
    assert row["attributes"] == 6 and row["probe"] == row["head"] == row["completeness"] == 1.0
    assert row["unsure"] < 0.9 and row["all_right"] > 0.99 and row["wrong_area"] < row["unsure"] < row["area"]
    # Half of what leads is absent: a class without an attribute is told by its absence.
    assert 0.2 < row["existence_1"] < 0.9 and row["chance"] == pytest.approx(0.5, abs=0.05)


def test_tables_have_a_row_a_seed():
    found = annotations.measure(told(300), [0, 1], rows=300, workers=1)
    assert {name: len(table) for name, table in found.items()} == {"heads": 2, "levels": 24, "impure": 6}
    again = annotations.measure(told(300), [1], rows=300, workers=1)["heads"]
    assert again.iloc[0].to_dict() == found["heads"][found["heads"].seed == 1].iloc[0].to_dict()


def test_sets_that_are_named_can_be_read():
    record = runs.read_yaml(ROOT / "notebooks/concepts/concepts_on_real_data/record.yaml")
    named = [given["runs"]["annotations"]["parameters"]["sets"] for given in (record, runs.parameters(ROOT))]
    assert sorted(named[0] + named[1]) == sorted(ANNOTATED), "a set is judged nowhere, or named and not known"
