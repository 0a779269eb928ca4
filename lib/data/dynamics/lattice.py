"""A lattice Boltzmann channel with an obstacle: nine velocities, regularised collisions, walls half-way between cells."""

from typing import NamedTuple

import numpy as np

from lib.data.dynamics.integrate import compiled

# The nine velocities: rest, along the axes, along the diagonals; the opposite of i is OPPOSITE[i].
CX, CY = np.array([0, 1, 0, -1, 0, 1, -1, -1, 1]), np.array([0, 0, 1, 0, -1, 1, 1, -1, -1])
OPPOSITE = np.array([0, 3, 4, 1, 2, 7, 8, 5, 6])
# Single precision throughout: one double among the factors would make all sums double.
REST, AXIS, DIAGONAL = np.float32(4 / 9), np.float32(1 / 9), np.float32(1 / 36)
ONE, THIRD, THREE_HALVES, TWO, THREE, NINE_HALVES = (np.float32(a) for a in (1, 1 / 3, 1.5, 2, 3, 4.5))


class Channel(NamedTuple):
    """The state of a lattice (width, height + 2), whose first and last row are walls, and what drives it."""

    f: np.ndarray  # (9, width, height + 2) float32 populations after collision
    spare: np.ndarray  # the same, of the step before
    moments: np.ndarray  # (6, width, height + 2) float32: density, momentum (2), stress out of equilibrium xx, xy, yy
    fluid: np.ndarray  # (width, height + 2) float32: 1 in fluid, 0 elsewhere
    links: np.ndarray  # (links, 5): a direction, the wall's cell it comes from, the fluid's cell it goes to
    inflow: np.ndarray  # (height + 2,) float32 velocity along the channel at its inlet


def still(solid: np.ndarray, inflow: np.ndarray) -> Channel:
    """Return a channel at rest. solid: (width, height) bool, the obstacle; inflow: (height,), in cells a step."""
    wall = np.pad(solid, ((0, 0), (1, 1)), constant_values=True)
    weights = np.array([REST, *[AXIS] * 4, *[DIAGONAL] * 4])
    f = np.broadcast_to(weights[:, None, None], (9, *wall.shape)).copy()
    moments = np.zeros((6, *wall.shape), np.float32)
    moments[0] = 1
    return Channel(f, f.copy(), moments, (~wall).astype(np.float32), facing(wall), np.pad(inflow, 1).astype(np.float32))


def facing(wall: np.ndarray) -> np.ndarray:
    """Return the links (n, 5) by which walls send back what comes at them; columns at both ends take no part."""
    x, y = np.nonzero(~wall[1:-1])
    x, found = x + 1, []
    for i in range(1, 9):
        hit = wall[x - CX[i], y - CY[i]]
        a, b = x[hit], y[hit]
        found.append(np.stack([np.full(len(a), i), a - CX[i], b - CY[i], a, b], 1))
    return np.concatenate(found)


@compiled
def stream(f: np.ndarray, moments: np.ndarray, fluid: np.ndarray, x: int) -> None:
    """Gather what arrives in column x, and write its moments."""
    n = fluid.shape[1] - 2
    f0, f2, f4 = f[0, x, 1:-1], f[2, x, 0:n], f[4, x, 2:]
    f1, f5, f8 = f[1, x - 1, 1:-1], f[5, x - 1, 0:n], f[8, x - 1, 2:]
    f3, f6, f7 = f[3, x + 1, 1:-1], f[6, x + 1, 0:n], f[7, x + 1, 2:]
    rho, jx, jy, xx, xy, yy = (
        moments[0, x, 1:-1], moments[1, x, 1:-1], moments[2, x, 1:-1],
        moments[3, x, 1:-1], moments[4, x, 1:-1], moments[5, x, 1:-1],
    )  # fmt: skip
    inside = fluid[x, 1:-1]
    for y in range(n):
        diagonal = f5[y] + f6[y] + f7[y] + f8[y]
        along, across = f1[y] + f3[y] + diagonal, f2[y] + f4[y] + diagonal
        r = f0[y] + f1[y] + f2[y] + f3[y] + f4[y] + diagonal
        u = f1[y] - f3[y] + f5[y] + f8[y] - f6[y] - f7[y]
        v = f2[y] - f4[y] + f5[y] + f6[y] - f7[y] - f8[y]
        m = inside[y]
        rho[y], jx[y], jy[y] = ONE + m * (r - ONE), m * u, m * v
        xx[y] = m * (along - THIRD * r - u * u / r)
        yy[y] = m * (across - THIRD * r - v * v / r)
        xy[y] = m * (f5[y] + f7[y] - f6[y] - f8[y] - u * v / r)


@compiled
def collide(f: np.ndarray, moments: np.ndarray, x: int, keep: np.float32) -> None:
    """Write column x after collision: equilibrium and the share `keep` = 1 - omega of the stress, to second order in c."""
    rho, jx, jy, pxx, pxy, pyy = (
        moments[0, x, 1:-1], moments[1, x, 1:-1], moments[2, x, 1:-1],
        moments[3, x, 1:-1], moments[4, x, 1:-1], moments[5, x, 1:-1],
    )  # fmt: skip
    f0, f1, f2, f3, f4 = f[0, x, 1:-1], f[1, x, 1:-1], f[2, x, 1:-1], f[3, x, 1:-1], f[4, x, 1:-1]
    f5, f6, f7, f8 = f[5, x, 1:-1], f[6, x, 1:-1], f[7, x, 1:-1], f[8, x, 1:-1]
    for y in range(len(rho)):
        r, u, v = rho[y], jx[y], jy[y]
        xx, xy, yy = u * u / r + keep * pxx[y], u * v / r + keep * pxy[y], v * v / r + keep * pyy[y]
        base, a, b = r - THREE_HALVES * (xx + yy), THREE * u, THREE * v
        f0[y] = REST * base
        even = base + NINE_HALVES * xx
        f1[y], f3[y] = AXIS * (even + a), AXIS * (even - a)
        even = base + NINE_HALVES * yy
        f2[y], f4[y] = AXIS * (even + b), AXIS * (even - b)
        even = base + NINE_HALVES * (xx + yy + TWO * xy)
        f5[y], f7[y] = DIAGONAL * (even + a + b), DIAGONAL * (even - a - b)
        even = base + NINE_HALVES * (xx + yy - TWO * xy)
        f8[y], f6[y] = DIAGONAL * (even + a - b), DIAGONAL * (even - a + b)


@compiled
def ends(moments: np.ndarray, inflow: np.ndarray, start: np.float32) -> None:
    """Set both ends: at the inlet the velocity, at the outlet the density 1; all else is that of the neighbour."""
    last = moments.shape[1] - 1
    moments[:, 0], moments[:, last] = moments[:, 1], moments[:, last - 1]
    for y in range(1, len(inflow) - 1):
        moments[1, 0, y], moments[2, 0, y] = start * inflow[y] * moments[0, 0, y], np.float32(0)
        moments[1, last, y] /= moments[0, last, y]
        moments[2, last, y] /= moments[0, last, y]
        moments[0, last, y] = ONE


@compiled
def march(channel: Channel, start: np.ndarray, omega: float, probe: tuple[int, int], record: np.ndarray) -> None:
    """Advance a channel in place by len(start) steps, the inflow times `start`; write the cross-flow at the probe."""
    f, spare, moments, fluid, links, inflow = channel
    keep, width = np.float32(1 - omega), fluid.shape[0]
    for t in range(len(start)):
        for link in range(len(links)):
            i, a, b, x, y = links[link]
            f[i, a, b] = f[OPPOSITE[i], x, y]
        for x in range(1, width - 1):
            stream(f, moments, fluid, x)
            collide(spare, moments, x, keep)
        ends(moments, inflow, start[t])
        collide(spare, moments, 0, keep)
        collide(spare, moments, width - 1, keep)
        f, spare = spare, f
        record[t] = moments[2, probe[0], probe[1]] / moments[0, probe[0], probe[1]]
    if len(start) % 2:
        spare[:] = f
