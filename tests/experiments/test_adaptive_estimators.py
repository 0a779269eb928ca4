"""Networks of many activations: their split, their pairs with and without the price, their tables, whoever computes them."""

import pandas as pd
import pytest
import torch

from lib.data.synthetic import twelve_bit
from lib.experiments import adaptive_estimators as networks

PLAN = {"epochs": 2, "batch": 512, "lr": 0.004, "records": 2}
ESTIMATORS = {"binning_adaptive": {"bins": 30}, "kde_upper_adaptive": {"rows": 64}}
ASKED = [
    networks.Networks("relu", "shuffled", [0, 3], [0.0, 0.015]),
    networks.Networks("prelu", "counting", [0], [0.0, 0.015]),
]


@pytest.fixture(scope="module")
def tables():
    return networks.run(ASKED, PLAN, ESTIMATORS, accelerator="cpu", workers=1)


def test_a_split_in_counting_order_has_other_labels_in_training_than_in_testing():
    counting, shuffled = (networks.words([0, 1], order) for order in ("counting", "shuffled"))
    assert counting.train.x.shape == (2, 3277, 12) and counting.test.x.shape == (2, 819, 12)
    ones = [part.y.double().mean().item() for part in (counting.train, counting.test)]
    assert ones == pytest.approx([0.437, 0.836], abs=5e-4)
    task = twelve_bit()
    assert torch.equal(torch.cat([counting.train.y, counting.test.y], 1)[1], task.y)
    assert shuffled.train.y.double().mean(1).sub(2118 / 4096).abs().max() < 0.02
    words = torch.cat([shuffled.train.x, shuffled.test.x], 1)
    assert all(len(seed.unique(dim=0)) == 4096 for seed in words) and not torch.equal(words[0], words[1])


def test_there_is_a_row_for_every_network_epoch_layer_and_estimator(tables):
    planes, scores = tables
    assert len(scores) == 6 and len(planes) == 6 * 2 * 6 * 2
    assert not planes.duplicated(["order", "activation", "seed", "beta", "epoch", "layer", "estimator"]).any()
    relu = planes.query("activation == 'relu' and epoch == 1 and layer == 1 and estimator == 'binning_adaptive'")
    assert relu.seed.tolist() == [0, 0, 3, 3] and relu.beta.tolist() == [0.0, 0.015] * 2


def test_scores_are_those_of_the_last_weights(tables):
    (row,) = tables[1].query("activation == 'relu' and seed == 3 and beta == 0").to_dict("records")
    alone = networks.Networks("relu", "shuffled", [3], [0.0])
    again = networks.measured(PLAN, {}, "cpu", alone)[1].iloc[0]
    assert again.test_accuracy == pytest.approx(row["test_accuracy"], abs=2 / 819)
    assert again.train_loss == pytest.approx(row["train_loss"], rel=1e-3)


def test_accuracy_is_the_share_of_right_answers_of_each_member():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    assert networks.accuracy(logits, torch.tensor([[0, 1]]), 2).tolist() == [1.0, 0.5]


def test_it_does_not_matter_who_computes(tables):
    for here, there in zip(tables, networks.run(ASKED, PLAN, ESTIMATORS, accelerator="cpu", workers=2), strict=True):
        pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_compressions_are_those_of_each_layers_course():
    rows = [
        {
            "order": "shuffled",
            "activation": "tanh",
            "seed": 0,
            "beta": 0.0,
            "estimator": "e",
            "epoch": e,
            "layer": layer,
            "mi_xt": v,
        }
        for layer, course in ((1, [1.0, 2.0, 4.0]), (2, [2.0, 4.0, 1.0]))
        for e, v in reversed(list(enumerate(course)))
    ]
    found = networks.compressions(pd.DataFrame(rows))
    assert found.index.names == ["order", "activation", "beta", "seed", "estimator"]
    assert found.iloc[0].to_dict() == {1: 0.0, 2: 0.75}


def test_only_relu_like_floors_are_bins_of_their_own():
    assert networks.floor_of("binning_adaptive", "relu") == {"floor": 0.0}
    assert networks.floor_of("binning_adaptive", "tanh") == {"floor": None} and networks.floor_of("kde_upper", "relu") == {}


@pytest.mark.parametrize(
    ("asked", "plan", "message"),
    [
        (networks.Networks("sine", "shuffled", [0], [0.0]), PLAN, "unknown activation 'sine'"),
        (networks.Networks("tanh", "sorted", [0], [0.0]), PLAN, "unknown order of words 'sorted'; known: counting, shuffled"),
        (networks.Networks("tanh", "shuffled", [0], [0.0]), PLAN | {"epoch": 3}, "a plan has no 'epoch'"),
    ],
)
def test_refuses_what_it_does_not_know(asked, plan, message):
    with pytest.raises(ValueError, match=message):
        networks.run([asked], plan, ESTIMATORS, accelerator="cpu", workers=1)
