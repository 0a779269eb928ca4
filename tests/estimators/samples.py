"""What several files of this room need: means over seeds, Gram matrices, stacked pairs, and an independent library."""

import math
import warnings

import numpy as np
import torch

from lib.data.synthetic import gaussian_pair

# hyppo's kernel is exp(-gamma |a - b|^2), gamma = 1 / (2 width^2). Its unbiased HSIC is ours over the root of both self
# values, its biased one the root of that; its MMD class scales by a factor of n and m, so MMD is compared through HSIC with
# the label of a sample.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hyppo.independence import Hsic as Hsic

NATS = {"base": math.e}  # npeet_plus gives bits if not asked


def mean_of_seeds(f, seeds=range(5)):
    return float(np.mean([float(f(seed)) for seed in seeds]))


def gram(z, width):
    return torch.exp(-torch.cdist(z, z).square() / (2 * width**2))


def stacked(rho, d=1, n=2000, seeds=5):
    draws = [gaussian_pair(n, rho, d=d, seed=s) for s in range(seeds)]
    return (torch.stack([getattr(draw, side) for draw in draws]) for side in "xy")
