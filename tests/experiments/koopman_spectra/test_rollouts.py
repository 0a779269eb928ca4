"""Forecasts of linear fits: errors in both modes, rhythms of fields, models to look at."""

import pytest
import torch

from lib.data.dynamics import DYNAMICS
from lib.experiments.koopman_spectra import rollouts
from lib.widgets import eigenpairs
from tests.samples import field_of_waves


def test_lorenz_errors_depend_on_the_mode_unless_the_state_is_all():
    table = rollouts.lorenz(0, degrees={0.01: [1, 3]}, pairs=1000, starts=20).set_index(["degree", "mode", "steps"])
    assert table.nrmse[1, "linear", 20] == pytest.approx(table.nrmse[1, "relift", 20])
    assert table.nrmse[3, "relift", 20] < 0.01 < 0.1 < table.nrmse[3, "linear", 20]
    assert (table.valid <= table.longest).all() and table.longest.iloc[0] == pytest.approx(4 * 0.9056)


def test_standardised_is_in_units_of_the_first():
    data = DYNAMICS["lorenz"](trajectories=2, steps=100, dt=0.01, seed=0)
    train, test = rollouts.standardised(data, data._replace(x=data.x + 1))
    assert train.x.mean((0, 1)).abs().max() < 1e-12 and (train.x.std((0, 1)) - 1).abs().max() < 1e-12
    torch.testing.assert_close(test.x - train.x, (1 / data.x.std((0, 1))).expand_as(data.x))


def test_dmd_of_a_field_finds_its_rhythm_and_foretells_it():
    data = field_of_waves()
    found = rollouts.rhythms(data, ranks=[4], steps=10).iloc[0]
    assert found.angle == pytest.approx(0.4, abs=1e-9) and found.modulus == pytest.approx(1, abs=1e-9)
    assert found.error < 1e-8 and found.residual < 1e-8 and (found.flow, found["rank"]) == (0, 4)


def test_a_field_too_short_to_hold_frames_back_is_refused():
    with pytest.raises(ValueError, match="41 snapshots are too few to hold back 21; give at least 43"):
        rollouts.field(field_of_waves(), rank=4, steps=21)


def test_models_to_look_at_have_a_trajectory_and_pairs():
    found = rollouts.models(0)
    assert {name: len(p.values) for name, p in found.items()}["slow manifold, degree 4"] == 15
    assert all(p.parts.shape[1] == p.truth[0].numel() for p in found.values())
    assert eigenpairs.error(found["slow manifold, degree 4"], 1e-8) < 1e-8
