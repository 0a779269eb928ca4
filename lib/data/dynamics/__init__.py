"""Dynamical systems by name: each generator returns `Trajectories` with what is known of them, seeded and in float64.

`steps` counts steps of dt after the first snapshot, so T = steps + 1. A map has no dt to give; its own is 1.
"""

from lib.data.dynamics import linear as of_matrices
from lib.data.dynamics import lorenz, maps, oscillators, pendulum, rope, shallow_water, wake, waves

DYNAMICS = {
    "linear": of_matrices.linear,
    "slow_manifold": of_matrices.slow_manifold,
    "noisy_logistic": maps.noisy_logistic,
    "pendulum": pendulum.pendulum,
    "pendulum_embedded": pendulum.pendulum_embedded,
    "pendulum_pixels": pendulum.pendulum_pixels,
    "duffing": oscillators.duffing,
    "van_der_pol": oscillators.van_der_pol,
    "mean_field": oscillators.mean_field,
    "lorenz": lorenz.lorenz,
    "kuramoto_sivashinsky": waves.kuramoto_sivashinsky,
    "burgers": waves.burgers,
    "wake": wake.wake,
    "dam_break": shallow_water.dam_break,
    "dam_break_square": shallow_water.dam_break_square,
    "rope": rope.rope,
}
