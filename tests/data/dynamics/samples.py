"""Small requests for trajectories, and what is made of snapshots and eigenvalues."""

SMALL = {"trajectories": 3, "steps": 4, "dt": 0.05, "seed": 0}
SHORT = {"trajectories": 2, "steps": 3, "dt": 0.05, "seed": 0}
LONGER = {"trajectories": 4, "steps": 20, "dt": 0.1, "seed": 0}


def pairs(x):
    """All neighbouring snapshots, as rows."""
    return x[:, :-1].flatten(0, 1), x[:, 1:].flatten(0, 1)


def near(found, wanted):
    """Largest distance from a wanted eigenvalue to the nearest found one."""
    return float((wanted[:, None] - found[None]).abs().min(1).values.max())
