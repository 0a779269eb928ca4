"""Forecasts taken apart by eigenpair add up again, and come back from disk."""

import torch

from lib.experiments.koopman_spectra import systems
from lib.koopman import modes
from lib.koopman.dictionaries import monomials
from lib.koopman.edmd import edmd
from lib.koopman.linear import rollout


def test_the_pieces_add_up_to_the_rollout():
    data, fresh = systems.both("slow_manifold", 0, trajectories=20, steps=30, dt=0.02)
    model = edmd(data, lift=monomials(2, degree=3))
    pieces = modes.taken_apart(model, fresh, steps=30)
    whole = modes.forecast(pieces, torch.ones(10, dtype=torch.bool), 30)
    torch.testing.assert_close(whole, rollout(model, fresh.x[:1, 0], 30, mode="linear").x[0, 1:], atol=1e-9, rtol=0)
    assert modes.forecast(pieces, torch.zeros(10, dtype=torch.bool), 30).abs().max() == 0


def test_models_come_back_from_disk(tmp_path, waves):
    modes.save({"b": waves, "a": waves}, tmp_path / "x.safetensors")
    back = modes.load(tmp_path / "x.safetensors")
    assert list(back) == ["a", "b"] and back["a"].truth.shape == (11, 1, 8, 8)
    for ours, theirs in zip(waves, back["a"], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
