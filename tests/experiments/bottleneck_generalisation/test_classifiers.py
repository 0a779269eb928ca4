"""The grid of classifiers: trained as torch's own optimiser would, one by one or together, and measured by the definitions."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from lib.bottlenecks.stochastic import Layout, StochasticNets, initial, target_information_terms
from lib.core.types import Rows
from lib.data.blobs import blobs
from lib.estimators.channel import log_densities, mi_channel, mi_channel_jensen
from lib.experiments.bottleneck_generalisation import classifiers
from lib.experiments.bottleneck_generalisation.classifiers import Budget, Grid, Member
from lib.training import swag

LAYOUT = Layout((2, 8, 8, 4, 4, 5))
WHO = [Member(0, 3, 0.0), Member(1, 3, 0.05), Member(0, 4, 0.05)]
SHORT = Budget(epochs=12, path_from=6, rank=4, draws=3)
SMALL = Grid(seeds=[0, 2], instances=[0, 1], widths=[8, 16], decays=[0.0, 0.1], rates=[0.0, 5e-4])


def training_rows(who=WHO):
    rows = classifiers.stacked({i: blobs(i) for i in (0, 1)}, who, "train")
    return Rows(rows.x.double(), rows.y)


@pytest.fixture(scope="module")
def trained():
    return classifiers.train(LAYOUT, WHO, training_rows(), decay=0.1, budget=SHORT)


@pytest.fixture(scope="module")
def table():
    return classifiers.measure(SMALL, SHORT, workers=1)


def by_torch(place):
    """Train one network with torch.optim.SGD, the ascent of its target's weight written out."""
    generator, who = torch.Generator().manual_seed(WHO[place].seed), WHO[place]
    weights = torch.nn.Parameter(initial(LAYOUT, generator)[None].double())
    optimizer = torch.optim.SGD([weights], lr=0.01, momentum=0.9, weight_decay=0.1)
    x, y = (z[place : place + 1] for z in training_rows())
    weight, path = 0.0, []
    for _ in range(SHORT.epochs):
        noise = torch.randn(50, 4, generator=generator, dtype=torch.float64)
        terms = target_information_terms(StochasticNets(weights, LAYOUT), x, y, noise[None])
        optimizer.zero_grad()
        (terms.fit + weight * terms.price).sum().backward()
        optimizer.step()
        weight += who.rate * terms.price.item()
        path.append(weights.detach()[0].clone())
    return path, weight


@pytest.mark.parametrize("place", range(3))
def test_trains_as_torch_does_one_by_one(trained, place):
    path, weight = by_torch(place)
    torch.testing.assert_close(trained.model.rows[place], path[-1])
    assert trained.weight[place].item() == pytest.approx(weight, abs=1e-9) and (weight != 0) == (WHO[place].rate > 0)
    late = torch.stack(path[SHORT.path_from - 1 :])
    torch.testing.assert_close(trained.posterior.mean[place], late.mean(0))
    torch.testing.assert_close(trained.posterior.variance[place], late.var(0, correction=0) + 1e-6)


def test_a_network_is_the_same_alone_and_in_company(trained):
    alone = classifiers.train(LAYOUT, WHO[1:2], training_rows(WHO[1:2]), decay=0.1, budget=SHORT)
    torch.testing.assert_close(alone.model.rows[0], trained.model.rows[1])
    torch.testing.assert_close(alone.posterior.deviations[0], trained.posterior.deviations[1])


def test_every_network_has_a_row(table):
    keys = [*Grid._fields]
    names = {"seeds": "seed", "instances": "instance", "widths": "width", "decays": "decay", "rates": "rate"}
    assert len(table) == math.prod(len(values) for values in SMALL) == 32
    assert not table.duplicated([names[key] for key in keys]).any() and not table.isna().any().any()


def test_it_does_not_matter_who_computes(table):
    pd.testing.assert_frame_equal(classifiers.measure(SMALL, SHORT, workers=2), table)


def test_losses_and_informations_are_those_of_the_networks(trained):
    data = {i: blobs(i) for i in (0, 1)}
    data = {i: type(d)(*(Rows(rows.x.double(), rows.y) for rows in d)) for i, d in data.items()}
    states = {seed: g.clone_state() for seed, g in trained.generators.items()}
    fresh = trained._replace(generators={seed: g.clone_state() for seed, g in states.items()})
    found = classifiers.losses(fresh, WHO, data) | classifiers.informations(fresh, WHO, classifiers.stacked(data, WHO, "probe"))
    logs = {}
    for part in ("train", "test", "probe"):
        x, y = getattr(data[1], part)
        noise = torch.randn(len(x), 4, generator=states[3], dtype=torch.float64)
        mean, deviation = (z[1] for z in trained.model.encode(x.expand(3, -1, -1)))
        code = mean + deviation * noise
        logs[part] = F.cross_entropy(trained.model.decode(code.expand(3, -1, -1))[1], y), (code, mean, deviation), y
    assert found["train_loss"][1] == pytest.approx(logs["train"][0].item())
    assert found["gap"][1] == pytest.approx((logs["test"][0] - logs["train"][0]).item())
    pairs, labels = log_densities(*logs["probe"][1]), logs["probe"][2]
    assert found["xz_given_y_mc"][1] == pytest.approx(mi_channel(pairs, labels).item())
    assert found["xz_jensen"][1] == pytest.approx(mi_channel_jensen(pairs).item())


def test_weights_tell_their_data_set_by_the_two_formulas():
    """Two data sets, two seeds, posteriors written down: every average by hand."""
    grid, g = Grid(seeds=[5, 6], instances=[0, 1], widths=[8], decays=[0.0], rates=[0.0]), torch.Generator().manual_seed(0)
    m = LAYOUT.weights
    posterior = swag.Posterior(
        0.05 * torch.randn(4, m, generator=g), 0.4 + 0.2 * torch.rand(4, m, generator=g), torch.zeros(4, 4, m)
    )
    model = StochasticNets(posterior.mean, LAYOUT)
    trained = classifiers.Trained(model, posterior, torch.zeros(4), {s: torch.Generator().manual_seed(s) for s in (5, 6)})
    found = classifiers.weight_informations(trained, grid, 3)
    logs = np.zeros((2, 2, 3, 2, 2))
    for (d, s), place in {(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 1): 3}.items():
        theta = swag.sample(posterior.of(place), 3, torch.Generator().manual_seed((5, 6)[s]))
        for (e, u), other in {(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 1): 3}.items():
            logs[d, s, :, e, u] = swag.log_density(posterior.of(other), theta)
    own = [np.mean([logs[d, s, :, d, s] - logs[d, s, :, :, s].mean(1) for d in (0, 1)]) for s in (0, 1)]
    mixed = np.log(np.exp(logs - logs.max()).mean(-1)) + logs.max()
    pooled = np.mean([mixed[d, :, :, d] - mixed[d].mean(-1) for d in (0, 1)])
    assert found["all_single_jensen"] == pytest.approx([*own, *own], rel=1e-4)
    assert found["all_multi_jensen"] == pytest.approx([pooled] * 4, rel=1e-4)
    told = [np.mean([logs[d, s, :, d, s] - np.logaddexp(*logs[d, s, :, :, s].T) for d in (0, 1)]) + np.log(2) for s in (0, 1)]
    assert found["all_single_mc"] == pytest.approx([*told, *told], abs=1e-4) and max(told) < 0.9 * np.log(2)


def test_information_on_which_data_set_was_seen_is_at_most_the_log_of_their_number(table):
    for name in ("encoder_single", "encoder_multi", "all_single", "all_multi"):
        assert (
            table[f"{name}_mc"].between(0, math.log(2) + 1e-9).all() and (table[f"{name}_mc"] <= table[f"{name}_jensen"]).all()
        )
    assert table.groupby(["seed", "width", "decay", "rate"]).all_single_jensen.nunique().eq(1).all()
    assert table.groupby(["width", "decay", "rate"]).all_multi_jensen.nunique().eq(1).all()


def test_a_rate_drives_the_information_towards_its_target():
    grid = Grid(seeds=[0, 1, 2, 3, 4], instances=[0], widths=[16], decays=[0.0], rates=[0.0, 5e-4])
    budget = Budget(path_from=290)
    found = classifiers.measure(grid, budget, workers=1).set_index(["seed", "rate"]).xz_mc.unstack()
    assert ((found[5e-4] - 1.5).abs() < (found[0.0] - 1.5).abs()).all()


def test_a_network_that_diverges_is_an_outcome():
    grid = Grid(seeds=[0], instances=[0, 1], widths=[8], decays=[0.0], rates=[0.0, 1e3])
    found = classifiers.measure(grid, SHORT._replace(epochs=60), workers=1)
    lost = found[found.rate > 0]
    assert set(lost.status) == {"diverged"} and lost[["gap", "xz_mc", "all_single_jensen"]].isna().all().all()
    assert (lost.train_accuracy < 0.85).all()
    fine = found[found.rate == 0]
    assert set(fine.status) == {"ok"} and not fine.isna().any().any()


@pytest.mark.parametrize(
    ("grid", "budget", "message"),
    [
        (SMALL._replace(seeds=[]), SHORT, r"seeds must be a list of distinct values, got \[\]"),
        (SMALL._replace(widths=[8, 8]), SHORT, r"widths must be a list of distinct values, got \[8, 8\]"),
        (SMALL, SHORT._replace(epochs=5), "epochs must be a whole number >= 6, got 5"),
    ],
)
def test_refuses_what_cannot_be(grid, budget, message):
    with pytest.raises(ValueError, match=message):
        classifiers.measure(grid, budget)
