"""Contests on fields, pictures and graphs: exact eigenvalues, planted springs, splits that share nothing, bad input."""

import math

import pandas as pd
import pytest
import torch

from lib.core.types import Trajectories
from lib.data.dynamics.pendulum import pendulum_pixels
from lib.experiments.information_koopman import flow_scores, pictures, ropes
from lib.experiments.information_koopman import flows as fields
from lib.koopman.autoencoder import Autoencoder
from lib.koopman.forecast import Settled
from lib.koopman.linear import Rollout
from lib.koopman.members import Trained
from lib.koopman.operators import graph_ridge, graph_step
from tests.samples import normal

TURN = 0.37  # angle of one step
SMALL = fields.Budget(epochs=1, batch=4, code=4, channels=(3, 4), rank=2, windows=8)


def waves(trajectories=4, frames=30, side=16):
    """A plane wave that travels along a square, each trajectory from a phase of its own, in two channels."""
    at, t = torch.arange(side).double() * 2 * math.pi / side, torch.arange(frames).double()
    phase = torch.arange(trajectories).double()
    angle = (at + TURN * t[:, None])[None] + phase[:, None, None]  # (B, T, side)
    x = torch.stack([angle.cos(), (angle + 1).cos()], 2)[:, :, :, None].expand(-1, -1, -1, side, -1)
    return Trajectories(x, 1.0, {"angle": torch.full((trajectories,), TURN, dtype=torch.float64)})


# Flows.


def test_no_trajectory_that_is_tested_trains_and_only_training_is_standardised():
    x = normal(5, 12, 2, 4, 4, seed=0) * torch.arange(1, 6).double()[:, None, None, None, None]
    made = flow_scores.sets(Trajectories(x, 1.0, {}), [0, 3], held=0.3)
    assert made.train.shape == (2, 3, 12, 32) and made.truth.shape == (2, 2, 8, 32) and made.past.shape == (2, 2, 5, 32)
    for i, out in ((0, [0, 1]), (1, [1, 2])):
        kept = [j for j in range(5) if j not in out]
        mean, spread = x[kept].mean((0, 1, 3, 4)), x[kept].std((0, 1, 3, 4))
        torch.testing.assert_close(made.truth[i, 0], ((x[out[0], 4:] - mean[:, None, None]) / spread[:, None, None]).flatten(1))
        torch.testing.assert_close(made.train[i].unflatten(2, (2, 16)).mean((0, 1, 3)), torch.zeros(2).double())
    assert made.angle.isnan().all()


def test_forecasts_start_where_delays_can_and_reach_as_far_as_frames():
    past, truth = flow_scores.started(torch.arange(70.0)[None, :, None])
    assert past[:, :, 0].tolist() == [[0, 1, 2, 3, 4], [8, 9, 10, 11, 12]]
    assert truth[:, [0, -1], 0].tolist() == [[4, 54], [12, 62]]
    assert flow_scores.started(torch.zeros(2, 12, 3))[1].shape == (2, 8, 3)


def test_a_field_is_judged_by_error_likeness_and_spectrum():
    truth = waves().x[:, 4:].flatten(2)
    stayed = torch.full((4,), -1)
    perfect = flow_scores.judged(Rollout(truth, stayed, "linear"), truth, (2, 16, 16))
    assert perfect["nrmse_20"] == 0 and perfect["ssim_20"] == pytest.approx(1) and perfect["spectrum_error"] == 0
    half = torch.cat([truth[:, :1], truth[:, 1:] / 2], 1)
    worse = flow_scores.judged(Rollout(half, stayed, "relift"), truth, (2, 16, 16))
    assert worse["spectrum_error"] == pytest.approx(0.75) and worse["nrmse_20"] == pytest.approx(0.5, rel=0.01)
    assert worse["ssim_20"] < 0.9 and "nrmse_50" not in worse and worse["mode"] == "relift"


@pytest.mark.parametrize("size", [1.0, 1.02])
def test_the_rhythm_is_the_pair_that_still_moves_the_code(size):
    c, s = size * math.cos(TURN), size * math.sin(TURN)
    operator = torch.block_diag(torch.tensor([[c, s], [-s, c]]), 0.5 * torch.tensor([[0.0, 1], [-1, 0]]), torch.eye(1)).double()
    basis = torch.linalg.qr(normal(5, 5, seed=0)).Q
    z = normal(200, 5, seed=1) * torch.tensor([1.0, 1, 50, 50, 9]).double()
    assert flow_scores.rhythm(basis.T @ operator @ basis, z @ basis) == pytest.approx(TURN)
    assert math.isnan(flow_scores.rhythm(torch.diag(torch.tensor([0.9, -0.5]).double()), normal(9, 2, seed=0)))


@pytest.mark.parametrize("name", ["dmd", "delay_dmd", "edmd_2"])
def test_a_travelling_wave_is_forecast_exactly_by_its_two_eigenvalues(name):
    rows = pd.DataFrame(fields.unit({"wave": waves()}, [0, 1], SMALL, ("wave", name))["members"])
    assert len(rows) == 4 and (rows.outcome == "ok").all() and rows.nrmse_20.max() < (1e-3 if name == "edmd_2" else 1e-9)
    assert (rows.angle - TURN).abs().max() < 1e-3 and (rows.true_angle - TURN).abs().max() < 1e-12
    assert rows.ssim_20.min() > 0.999


def test_persistence_of_a_wave_has_the_error_of_its_angle():
    row = fields.unit({"wave": waves()}, [0], SMALL, ("wave", fields.PERSISTENCE))["members"][0]
    # The mean square of cos a - cos(a + h) is 1 - cos h, of a wave 1 / 2; the standard deviation is about each place's mean.
    truth = flow_scores.sets(waves(), [0], held=0.25).truth[0]
    wave = (1 - math.cos(20 * TURN)) / 0.5
    size = (truth - truth.mean((0, 1))).square().mean() / truth.square().mean()
    assert row["nrmse_20"] == pytest.approx(math.sqrt(wave / size), rel=0.02)


@pytest.mark.parametrize("name", fields.NETWORKS)
def test_networks_learn_a_wave_and_come_alone_as_in_company(name):
    budget = SMALL._replace(epochs=3)
    both = pd.DataFrame(fields.unit({"wave": waves()}, [0, 1], budget, ("wave", name))["members"])
    alone = pd.DataFrame(fields.unit({"wave": waves()}, [1], budget, ("wave", name))["members"])
    assert len(both) == 4 * len(fields.NETWORKS[name].recipes) and both.nrmse_5.between(0.01, 5).all()
    same = both[both.seed == 1].reset_index(drop=True)
    assert same.nrmse_5.to_numpy() == pytest.approx(alone.nrmse_5.to_numpy(), rel=1e-3)
    assert same.effective_dimension.to_numpy() == pytest.approx(alone.effective_dimension.to_numpy(), rel=1e-3)


def test_orthogonal_coordinates_are_the_leading_directions():
    x = normal(3, 20, 6, seed=0) * torch.tensor([5.0, 3, 1, 0.1, 0.1, 0.1]).double()
    basis = fields.orthogonal(x, 3)
    found = torch.linalg.eigh(x.flatten(0, 1).T @ x.flatten(0, 1)).eigenvectors[:, -3:]
    torch.testing.assert_close(basis @ basis.T, found @ found.T)


def test_a_place_where_nothing_moves_has_the_range_of_its_channel():
    x = normal(1, 2, 3, 8, seed=0)
    x[..., 1] = 0
    box = flow_scores.ranges(x, (2, 2, 2))
    assert torch.equal(box[0, 1, :4], x[..., :4].max().float().expand(4)) and box[0, 0, 1] == x[..., :4].min().float()


def test_flows_that_cannot_be_split_are_refused():
    with pytest.raises(ValueError, match=r"fields must be \(B, T, c, h, w\) with B >= 2 and T >= 10, got \(1, 30, 2, 16, 16\)"):
        flow_scores.sets(waves(trajectories=1), [0], held=0.25)
    with pytest.raises(ValueError, match="T >= 10, got"):
        flow_scores.sets(waves(frames=9), [0], held=0.25)
    with pytest.raises(ValueError, match="rank must be a whole number >= 1, got 0"):
        fields.unit({"wave": waves()}, [0], SMALL._replace(rank=0), ("wave", "dmd"))


# Pictures.


def swings():
    return pendulum_pixels(trajectories=5, steps=15, dt=0.1, seed=0)


def test_pictures_are_split_by_swing_and_shrunk_by_means():
    data = swings()
    made = pictures.sets(data, [0, 1], held=0.25, shrink=2)
    assert made.train.shape == (2, 4, 16, 2 * 24 * 24) and torch.equal(made.test_states[1], data.truth["states"][[1]])
    blocks = data.x.unflatten(-1, (24, 2)).unflatten(-3, (24, 2)).mean((-1, -3)).flatten(2)
    kept = blocks[1:]
    spread = (kept - kept.mean((0, 1))).square().mean().sqrt()
    torch.testing.assert_close(made.test[0, 0].double(), (blocks[0] - kept.mean((0, 1))) / spread, atol=1e-5, rtol=1e-5)


def test_a_code_that_holds_the_state_is_read_without_loss_on_other_swings():
    states = swings().truth["states"]
    code = torch.stack([states[..., 0].cos() * 3 + 1, states[..., 0].sin(), states[..., 1]], -1) @ normal(3, 3, seed=1)
    found = pictures.correlations(code[:4], states[:4], code[4:], states[4:])
    assert min(found.values()) > 1 - 1e-9
    circle = code.clone()
    circle = torch.stack([states[..., 0].cos(), states[..., 0].sin()], -1)
    without = pictures.correlations(circle[:4], states[:4], circle[4:], states[4:])
    assert without["angle"] > 1 - 1e-9 and abs(without["speed"]) < 0.9
    noise = pictures.correlations(normal(4, 16, 2, seed=1), states[:4], normal(1, 16, 2, seed=2), states[4:])
    assert abs(noise["sine"]) < 0.8 and abs(noise["speed"]) < 0.8


def test_each_variant_is_measured_on_swings_that_it_has_not_seen():
    budget = pictures.Budget(epochs=1, batch=4, code=4, channels=(2, 3))
    found = [pictures.unit(swings(), [3, 4], budget, name) for name in ("whole", "no gamma")]
    whole, cut = (pd.DataFrame(tables["members"]) for tables in found)
    assert len(whole) == 2 and (whole.error != cut.error).all() and whole.cosine.between(-1, 1).all()
    assert len(found[0]["codes"]) == 16 and set(found[0]["codes"][0]) == {
        "seed",
        "variant",
        "first",
        "second",
        "angle",
        "speed",
    }
    with pytest.raises(ValueError, match='with the truth "states"'):
        pictures.sets(waves(), [0], held=0.25, shrink=2)


def test_a_lost_member_has_no_numbers():
    made = pictures.sets(swings(), [0], held=0.25, shrink=2)
    shape = {"fields": (2, 24, 24), "channels": (2,), "hidden": [], "code": 3, "activation": "tanh"}
    model = Autoencoder([0], 1152, shape)
    found = Trained(Settled(model, torch.eye(3)[None], torch.zeros(1, 2, 1152)), [], ["diverged at epoch 1"])
    row = pictures.scored(found, [{"seed": 0}], made)[0]
    assert math.isnan(row["cosine"]) and math.isnan(row["error"]) and row["outcome"] == "diverged at epoch 1"


# Ropes.


def chain(balls, steps, k):
    """A linear chain of the kinds of edges of a rope, led by planted matrices, (4, T, N, 3)."""
    z, graph = [normal(4, balls, 3, seed=balls)], ropes.adjacency(balls, edges=True)
    for _ in range(steps):
        z.append(graph_step(z[-1], graph, k))
    return torch.stack(z, 1)


def test_planted_matrices_are_found_from_short_chains_and_lead_long_ones():
    k = 0.2 * normal(8, 3, 3, seed=0)
    graphs = [ropes.adjacency(n, edges=True) for n in (5, 7)]
    whole = torch.stack([torch.block_diag(*kinds) for kinds in zip(*graphs, strict=True)])
    z = torch.cat([chain(5, 20, k), chain(7, 20, k)], 2)
    found = graph_ridge(z[:, :-1], z[:, 1:], whole, ridge=1e-14)
    torch.testing.assert_close(found, k, atol=1e-6, rtol=0)
    far = chain(12, 10, k)
    torch.testing.assert_close(graph_step(far[:, 9], ropes.adjacency(12, edges=True), found), far[:, 10], atol=1e-6, rtol=1e-5)


def springs(balls, steps=30):
    """Balls on a line of linear springs to neighbours and next ones, the first pushed: x (6, T, N, 4), an exact linear map."""
    generator = torch.Generator().manual_seed(balls)
    x = torch.cat([torch.arange(balls).double()[:, None].expand(6, -1, 1), normal(6, balls, 1, seed=balls)], 2)
    v, pushes = normal(6, balls, 2, seed=balls + 1), torch.randn(6, steps, 1, generator=generator).double()
    out = [torch.cat([x, v], 2)]
    for t in range(steps):
        v = v.clone()
        v[:, 0, :1] += pushes[:, t]
        force = torch.zeros_like(x)
        for hop, share in ((1, 1.0), (2, 0.5)):
            pull = share * (x[:, hop:] - x[:, :-hop])
            force[:, :-hop] += pull
            force[:, hop:] -= pull
        v = v + 0.1 * (0.5 * force - 0.3 * v)
        x = x + 0.1 * v
        out.append(torch.cat([x, v], 2))
    return Trajectories(torch.stack(out, 1), 0.1, {"gravity": torch.zeros(6).double()}, pushes)


@pytest.mark.parametrize(("balls", "share"), [(8, 0.5), (9, 0.5), (14, 0.75)])
def test_edges_help_linear_springs_at_lengths_that_were_learnt_and_longer_ones(balls, share):
    # Not exact: a ball next to an end has fewer neighbours two links away, which the kinds of edges do not tell.
    short, far = [springs(n) for n in (6, 7, 8)], springs(balls, steps=40)
    fits = {name: ropes.fitted(short, method, 1e-12) for name, method in ropes.METHODS.items() if name != "graph"}
    errors = {name: ropes.judged(ropes.led(fit, far, mode="linear")[..., :2], far.x[..., :2]) for name, fit in fits.items()}
    assert errors["graph_of_states"]["nrmse_10"] < share * errors["objects"]["nrmse_10"]


def test_observables_of_a_ball_are_those_of_its_springs():
    x = normal(3, 5, 4, seed=0)
    z = ropes.observed(x, torch.tensor([-2.0, -3, -4]).double(), ropes.METHODS["graph"])
    assert z.shape == (3, 5, 14) and torch.equal(z[..., :4], x) and z[1, :, 5].tolist() == [-3.0] * 5
    to = [(x[0, j, :2] - x[0, 1, :2]) / (x[0, j, :2] - x[0, 1, :2]).norm() for j in (0, 2)]
    torch.testing.assert_close(z[0, 1, 6:8], to[0] + to[1])
    drag = [((x[0, j, 2:] - x[0, 1, 2:]) @ u) * u for j, u in zip((0, 2), to, strict=True)]
    torch.testing.assert_close(z[0, 1, 8:10], drag[0] + drag[1])
    u = (x[0, 3, :2] - x[0, 1, :2]) / (x[0, 3, :2] - x[0, 1, :2]).norm()
    torch.testing.assert_close(z[0, 1, 10:12], u)


def test_ropes_of_one_budget_are_scored_for_every_length():
    found = pd.DataFrame(ropes.unit([0, 1], ropes.Budget(ropes=3, steps=12, ahead=12))["members"])
    assert len(found) == 2 * 10 * 7 and found.nrmse_10.notna().all() and "nrmse_50" not in found
    near = found[found.balls < 10].groupby("method").nrmse_10.median()
    assert near["graph"] < near["objects"] < near[ropes.PERSISTENCE]
    with pytest.raises(ValueError, match="balls must be a whole number >= 3, got 2"):
        ropes.adjacency(2, edges=True)
    with pytest.raises(ValueError, match="unknown mode of a rollout 'both'"):
        ropes.led(None, None, mode="both")
