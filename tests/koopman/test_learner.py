"""Members train as if alone, one that diverges is an outcome, and plans that cannot be are refused."""

import math
from functools import partial

import pytest
import torch

from lib.koopman.autoencoder import Autoencoder, Recipe, information_ae_terms, information_vae_terms
from lib.koopman.learner import fit
from tests.koopman.samples import PLAN, SHAPE, embedded, part


@pytest.mark.parametrize("kind", ["dense", "pooled", "averaged"])
def test_members_train_as_if_alone(kind):
    data, shape = embedded(2, trajectories=20, frames=8, wide=5), SHAPE | {"operator": kind}
    gamma = torch.tensor([0.1, -0.1])
    recipe = Recipe(alpha=1.0, beta=0.1, reach=2)
    together = Autoencoder([3, 3, 4, 4], 5, shape)
    terms = partial(information_vae_terms, recipe=recipe._replace(gamma=gamma.repeat(2)))
    rows = fit(together, terms, part(data), seeds=[3, 4], plan=PLAN)
    alone = Autoencoder([3], 5, shape)
    terms = partial(information_vae_terms, recipe=recipe._replace(gamma=-0.1))
    own = fit(alone, terms, part(data[:1]), seeds=[3], plan=PLAN)
    for name, weights in together.state_dict().items():
        torch.testing.assert_close(weights[1:2], alone.state_dict()[name], atol=2e-5, rtol=1e-4)
    last = [row for row in rows if (row["seed"], row["variant"], row["epoch"]) == (3, 1, 3)]
    assert last[0]["entropy"] == pytest.approx(own[-1]["entropy"], rel=1e-4) and len(rows) == 12
    assert {"information", "consistency", "effective_dimension", "fill", "top_share"} <= set(last[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 21}, "batch 21 is larger than the 20 training windows"),
        ({"select": "validation"}, 'set select to "last"'),
        ({"lr": 1e9}, "seed 0, variant 0: not finite at epoch 3; lower lr"),
    ],
)
def test_training_refuses_what_cannot_be(change, message):
    data = embedded(1, trajectories=20, frames=8, wide=5) * (1e30 if "lr" in change else 1)
    with pytest.raises((ValueError, FloatingPointError), match=message):
        terms = partial(information_ae_terms, recipe=Recipe())
        fit(Autoencoder([0], 5, SHAPE), terms, part(data), seeds=[0], plan=PLAN._replace(**change, records=1))


def test_a_member_that_diverges_is_an_outcome_and_the_others_do_not_feel_it():
    data = embedded(3, trajectories=20, frames=8, wide=5)
    sick = data.clone()
    sick[1] *= 1e30
    recipe, plan = Recipe(gamma=0.1), PLAN._replace(on_divergence="record")
    both = [Autoencoder([3, 4, 5], 5, SHAPE) for _ in range(2)]
    terms = partial(information_ae_terms, recipe=recipe)
    rows, fine = (fit(m, terms, part(x), seeds=[3, 4, 5], plan=plan) for m, x in zip(both, (sick, data), strict=True))
    assert {row["status"] for row in rows if row["seed"] == 4} == {"diverged at epoch 1"}
    assert all(math.isnan(row["fit"]) and math.isnan(row["entropy"]) for row in rows if row["seed"] == 4)
    assert [row for row in rows if row["seed"] != 4] == [row for row in fine if row["seed"] != 4]
    assert {row["status"] for row in fine} == {"ok"}
    for ours, theirs in zip(*(m.parameters() for m in both), strict=True):
        torch.testing.assert_close(ours[[0, 2]], theirs[[0, 2]], rtol=0, atol=0)
        assert (ours[1] == 0).all()


def test_members_without_windows_of_their_own_are_refused():
    with pytest.raises(ValueError, match=r"3 members and windows \(2, .* want distinct seeds, one an entry of x, got \[0, 1\]"):
        fit(Autoencoder([0, 1, 2], 5, SHAPE), information_ae_terms, part(embedded(2, wide=5)), seeds=[0, 1], plan=PLAN)
