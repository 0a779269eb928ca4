"""The loop: finds known optima, resumes bit for bit, trains members together as it would alone, names what diverges."""

import math
import os

import pytest
import torch

from lib.bottlenecks import chosen
from lib.core.plan import Plan
from lib.core.types import Rows, Split
from lib.nets.stacked import Bottleneck
from lib.training import checkpoint, loop
from tests.training.samples import PLAN, SHAPE, data


@pytest.mark.filterwarnings("error")
def test_one_device_is_alone_whatever_cluster_there_is(tmp_path, monkeypatch):
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert loop.one_device("cpu").world_size == 1
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "sweep", "SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "2"}
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    own = loop.one_device("cpu")
    assert (own.world_size, own.global_rank, own.is_global_zero) == (1, 0, True)


def fitted(fabric, split, *, seeds=(0, 1), betas=(0.0, 0.1), label="vib", plan=PLAN, path=None, after=None):
    terms, _ = chosen(label, {"betas": list(betas)})
    model = Bottleneck([s for s in seeds for _ in betas], 3, 1, SHAPE)
    members = loop.Members(label, list(seeds), list(betas))
    try:
        result = loop.fit(fabric, model, after or terms, split, plan, members, checkpoint=path)
    except KeyboardInterrupt:
        return model, None
    return model, result


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_linear_net_finds_the_least_squares_solution(fabric):
    split = data(seeds=1, n=400)
    model = Bottleneck([0], 3, 1, {"hidden": [], "code": 3, "activation": "tanh"})
    terms, betas = chosen("plain", {"betas": [0.0]})
    plan = Plan(epochs=300, batch=400, lr=0.02, select="last", records=1)
    loop.fit(fabric, model, terms, split, plan, loop.Members("plain", [0], betas))
    x = torch.cat([split.train.x[0], torch.ones(400, 1)], 1)
    best = torch.linalg.lstsq(x, split.train.y[0]).solution
    with torch.no_grad():
        got = model.decode(model.mean(split.train.x))[0]
    assert (got - x @ best).abs().max() < 1e-3
    assert (got - split.train.y[0]).square().mean().item() == pytest.approx(0.25, rel=0.15)  # the noise's variance


def test_repeats_are_bit_identical_and_seeds_differ(fabric):
    split = data()
    first, second = (fitted(fabric, split)[0] for _ in "ab")
    assert same(first, second)
    assert not same(first, fitted(fabric, split, seeds=(2, 3))[0])


def test_members_train_together_as_alone(fabric):
    split = data()
    together, _ = fitted(fabric, split)
    part = Split(*(Rows(rows.x[1:], rows.y[1:]) for rows in split))
    alone, _ = fitted(fabric, part, seeds=(1,), betas=(0.1,))
    for name, weights in together.state_dict().items():
        torch.testing.assert_close(weights[3:4], alone.state_dict()[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("label", ["vib", "nib", "exp_nib", "cs_ib_sse"])
def test_without_a_price_beta_changes_nothing_and_with_it_the_price_falls(fabric, label):
    split = data()
    _, result = fitted(fabric, split, label=label, betas=(0.0, 3.0), plan=PLAN._replace(epochs=40, records=1, select="last"))
    price = {(row["seed"], row["beta"]): row["price"] for row in result.history}
    assert all(price[seed, 3.0] < price[seed, 0.0] for seed in (0, 1))


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resumes_bit_for_bit(fabric, tmp_path, monkeypatch, stop):
    split, path = data(), tmp_path / "checkpoint.safetensors"
    plan = PLAN._replace(snapshots=True)
    whole, result = fitted(fabric, split, plan=plan)
    monkeypatch.setattr(loop, "SAVE_EVERY", -1.0)
    save, saves = checkpoint.Progress.save, []

    def interrupted(self, *arguments):
        save(self, *arguments)
        saves.append(self.epoch)
        if self.epoch == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Progress, "save", interrupted)
    assert fitted(fabric, split, plan=plan, path=path)[1] is None
    assert path.exists() and saves[-1] == stop
    monkeypatch.setattr(checkpoint.Progress, "save", save)
    again, resumed = fitted(fabric, split, plan=plan, path=path)
    assert same(whole, again)
    assert resumed.history == result.history and torch.equal(resumed.best_epoch, result.best_epoch)
    assert all(torch.equal(resumed.snapshots[name], film) for name, film in result.snapshots.items())
    assert not path.exists(), "a finished run leaves no checkpoint"


def test_selection_keeps_the_best_validation_epoch_of_each_member(fabric):
    split = data()
    plan = PLAN._replace(epochs=40, records=40, lr=0.05)
    model, result = fitted(fabric, split, label="plain", betas=(0.0,), plan=plan)
    terms, _ = chosen("plain", {"betas": [0.0]})
    scores = loop.score(model, terms, split.valid, loop.Members("plain", [0, 1], [0.0]))
    for seed in (0, 1):
        valid = {row["epoch"]: row["valid"] for row in result.history if row["seed"] == seed}
        assert scores[seed].item() == pytest.approx(min(valid.values()), rel=1e-6)
        assert valid[result.best_epoch[seed].item()] == min(valid.values())


def test_scores_do_not_depend_on_the_blocks(fabric):
    split = data(n=300)
    model, _ = fitted(fabric, split, label="nib", plan=PLAN._replace(epochs=1))
    terms, _ = chosen("nib", {"betas": [0.0, 0.1]})
    members = loop.Members("nib", [0, 1], [0.0, 0.1])
    whole, parts = (loop.score(model, terms, split.train, members, block=b) for b in (1000, 299))
    torch.testing.assert_close(whole, parts)


def nan_from(step):
    """An objective whose second member stops being finite at a step."""
    terms, _ = chosen("plain", {"betas": [0.0]})
    calls = []

    def broken(model, x, y, noise):
        calls.append(1)
        found = terms(model, x, y, noise)
        spoil = torch.tensor([1.0, math.nan if len(calls) >= step else 1.0])
        return found._replace(fit=found.fit * spoil)

    return broken


def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(fabric):
    with pytest.raises(FloatingPointError, match=r"vib with beta=0.0, seed=1: the loss is not finite at epoch \d; lower lr"):
        fitted(fabric, data(), betas=(0.0,), after=nan_from(8))


def test_divergence_can_be_recorded_and_leaves_the_others_alone(fabric):
    split, plan = data(), PLAN._replace(on_divergence="record")
    model, result = fitted(fabric, split, label="plain", betas=(0.0,), plan=plan, after=nan_from(12))
    status = {row["seed"]: row["status"] for row in result.history if row["epoch"] == 6}
    assert status[0] == "ok" and status[1].startswith("diverged at epoch ")
    clean, _ = fitted(fabric, split, label="plain", betas=(0.0,))
    for name, weights in clean.state_dict().items():
        assert torch.equal(weights[0], model.state_dict()[name][0]) and model.state_dict()[name].isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"plan": PLAN._replace(batch=81)}, "batch 81 is larger than the 80 training rows"),
        ({"seeds": (0, 0)}, "distinct seeds"),
    ],
)
def test_refuses_members_and_data_that_do_not_fit(fabric, options, message):
    with pytest.raises(ValueError, match=message):
        fitted(fabric, data(), **options)
