"""Latent operators have the spectra they promise, and estimates find what was planted."""

import pytest
import torch

from lib.koopman.operators import (
    LEARNED,
    averaged_ridge,
    graph_matrix,
    graph_ridge,
    graph_step,
    operator,
    orthogonal,
    pooled_ridge,
)
from tests.koopman.samples import generators
from tests.samples import normal


def test_the_pooled_estimate_finds_a_rotation_and_the_average_of_windows_does_not():
    k = orthogonal(64, generators(0)).double()
    z = [normal(1, 16, 64, seed=1)]
    for _ in range(16):
        z.append(z[-1] @ k)
    z = torch.stack(z, 2)
    errors, radii = [], []
    for found in (averaged_ridge(z[:, :, :-1], z[:, :, 1:]), pooled_ridge(z[:, :, :-1], z[:, :, 1:])):
        errors.append(((found - k).norm() / k.norm()).item())
        radii.append(torch.linalg.eigvals(found).abs().max().item())
    assert errors[0] == pytest.approx(0.76, abs=0.03) and errors[1] < 0.002
    assert radii[0] < 0.6 and radii[1] == pytest.approx(0.9997, abs=5e-4)


def test_the_average_of_windows_is_the_ridge_of_each_window():
    p, f = normal(2, 3, 5, 4, seed=0), normal(2, 3, 5, 4, seed=1)
    each = [torch.linalg.solve(p[1, b].T @ p[1, b] + 0.1 * torch.eye(4).double(), p[1, b].T @ f[1, b]) for b in range(3)]
    torch.testing.assert_close(averaged_ridge(p, f)[1], torch.stack(each).mean(0))
    torch.testing.assert_close(pooled_ridge(p, f, ridge=0.0)[1], torch.linalg.lstsq(p[1].flatten(0, 1), f[1].flatten(0, 1))[0])


@pytest.mark.parametrize("kind", LEARNED)
def test_learned_operators_have_the_spectrum_they_promise_wherever_their_weights_go(kind):
    op = operator(kind, 6, generators(0, 1)).double()
    with torch.no_grad():
        op.weights.add_(2 * normal(*op.weights.shape, seed=3))
    radius = torch.linalg.eigvals(op()).abs()
    assert op().shape == (2, 6, 6)
    if kind == "unitary":
        torch.testing.assert_close(radius, torch.ones_like(radius))
    elif kind in ("stable", "dissipative"):
        assert (radius <= 1 + 1e-9).all() and (radius < 0.9).any()
    elif kind == "spectral":
        m, o = op.weights[1]
        want = torch.exp(torch.complex(torch.cat([m, m]), torch.cat([o, -o])))
        found = torch.linalg.eigvals(op())[1]
        assert (found[:, None] - want).abs().min(1).values.max() < 1e-9
    else:
        assert (radius > 1).any()


def test_controls_are_found_beside_the_operator():
    k, b = 0.9 * orthogonal(4, generators(0))[0].double(), normal(2, 4, seed=1)
    z, a = [normal(1, 6, 4, seed=2)], normal(1, 6, 7, 2, seed=3)
    for t in range(7):
        z.append(z[-1] @ k + a[:, :, t] @ b)
    z = torch.stack(z, 2)
    w = operator("pooled", 4, generators(0), controls=2)(torch.cat([z[:, :, :-1], a], -1), z[:, :, 1:])
    torch.testing.assert_close(w[0], torch.cat([k, b]), atol=5e-3, rtol=0)
    assert operator("dense", 4, generators(0), controls=2)().shape == (1, 6, 4)


def test_one_small_operator_moves_graphs_of_any_size():
    k = normal(2, 3, 3, seed=0)
    for nodes in (4, 6):
        ring = torch.eye(nodes).roll(1, 0).double()
        adjacency = torch.stack([torch.eye(nodes).double(), ring + 2 * ring.T @ ring.T])
        z = normal(5, nodes, 3, seed=1)
        torch.testing.assert_close(graph_step(z, adjacency, k).flatten(1), z.flatten(1) @ graph_matrix(adjacency, k))
        torch.testing.assert_close(graph_ridge(z, graph_step(z, adjacency, k), adjacency, ridge=1e-12), k, atol=1e-6, rtol=0)
