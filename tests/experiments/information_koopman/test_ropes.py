"""Ropes as graphs: planted springs are found from short ropes and lead long ones."""

import pandas as pd
import pytest
import torch

from lib.core.types import Trajectories
from lib.experiments.information_koopman import ropes
from lib.koopman.operators import graph_ridge, graph_step
from tests.samples import normal


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
