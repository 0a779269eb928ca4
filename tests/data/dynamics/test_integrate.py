"""Integrators keep their order, and refuse what explodes."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp

from lib.data.dynamics import integrate


def test_runge_kutta_has_order_four():
    x0 = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    field = lambda x: torch.stack([x[:, 1], -x[:, 0]], 1)  # noqa: E731
    exact = torch.tensor([math.cos(2.0), -math.sin(2.0)], dtype=torch.float64)
    errors = [(integrate.rk4(field, x0, steps=1, dt=2.0, longest=h)[0, 1] - exact).norm() for h in (0.1, 0.05)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.05)


def test_exponential_runge_kutta_has_order_four_where_it_is_stiff():
    linear_part, v0 = (
        torch.tensor([0.0, -1.0, -50.0], dtype=torch.float64),
        torch.tensor([[0.5, 0.4, 0.3]], dtype=torch.complex128),
    )
    nonlinear = lambda v: torch.stack([-v[:, 0] * v[:, 1], v[:, 0] ** 2, v[:, 1] ** 2], 1)  # noqa: E731
    field = lambda t, v: (linear_part * torch.from_numpy(v) + nonlinear(torch.from_numpy(v)[None]).real[0]).numpy()  # noqa: E731
    exact = torch.from_numpy(solve_ivp(field, (0, 1), v0[0].real.numpy(), method="Radau", rtol=1e-12, atol=1e-13).y[:, -1])
    errors = []
    for n in (10, 20):
        step, v = integrate.etdrk4(linear_part, nonlinear, 1 / n), v0
        for _ in range(n):
            v = step(v)
        errors.append(float((v[0].real - exact).norm()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)


def test_a_solution_that_explodes_is_refused():
    with pytest.raises(ValueError, match=r"grew without bound at dt = 1\.0; give a smaller dt"):
        integrate.rk4(lambda x: x**3, torch.full((1, 1), 9.0, dtype=torch.float64), steps=30, dt=1.0, longest=1.0)
