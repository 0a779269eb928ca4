"""Baselines: probes against scikit-learn, the nearest prompt, random words that are seeded."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from lib.concepts import baselines
from lib.concepts.bottleneck import accuracy, cosines, logits, predict
from lib.core.types import Rows, Words
from tests.concepts.samples import rows


def test_a_probe_is_logistic_regression_of_the_best_strength():
    train, valid = rows()[0], rows(300, seed=1)[0]
    probe = baselines.linear_probe(train, valid)
    u = probe.score(train.x)
    found = {}
    for strength in baselines.STRENGTHS:
        peer = LogisticRegression(C=strength, max_iter=2000).fit(u.numpy(), train.y.numpy())
        found[strength] = peer.score(probe.score(valid.x).numpy(), valid.y.numpy())
    assert accuracy(probe, valid.x, valid.y) == pytest.approx(max(found.values())) and max(found.values()) > 0.95


def test_a_probe_of_two_classes_has_two_rows_that_decide():
    train, _, _ = rows()
    two = Rows(train.x, train.y % 2)
    probe = baselines.linear_probe(two, two, strengths=[1.0])
    torch.testing.assert_close(probe.weights[0], -probe.weights[1])
    peer = LogisticRegression(C=1.0, max_iter=2000).fit(probe.score(two.x).numpy(), two.y.numpy())
    want = torch.from_numpy(peer.decision_function(probe.score(two.x).numpy()))
    made = logits(probe, two.x)
    torch.testing.assert_close(made[:, 1] - made[:, 0], want)


def test_zero_shot_takes_the_nearest_prompt():
    train, _, bank = rows()
    prompts = Words(["k0", "k1", "k2", "k3"], 7 * bank.vectors[:4])
    model = baselines.zero_shot(prompts, train.x)
    assert torch.equal(predict(model, train.x), (train.x @ bank.vectors[:4].T).argmax(1))
    torch.testing.assert_close(logits(model, train.x), 100 * cosines(train.x, bank.vectors[:4]))


def test_random_concepts_are_seeded_unit_and_without_repetition():
    made = baselines.random_vectors(2000, 3, seed=4)
    assert torch.equal(made.vectors, baselines.random_vectors(2000, 3, seed=4).vectors)
    torch.testing.assert_close(made.vectors.square().mean(0), torch.full((3,), 1 / 3).double(), atol=0.03, rtol=0)
    few = baselines.random_words(made, 50, seed=1)
    assert len(set(few.names)) == 50 and few.names != baselines.random_words(made, 50, seed=2).names
    assert torch.equal(few.vectors[3], made.vectors[int(few.names[3].split()[1])])
    with pytest.raises(ValueError, match="give a longer one"):
        baselines.random_words(few, 51, seed=0)


def test_training_labels_need_every_class():
    with pytest.raises(ValueError, match=r"none of \[1\]"):
        baselines.classes_of(torch.tensor([0, 2, 2]))
