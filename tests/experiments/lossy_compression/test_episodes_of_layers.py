"""Compressions of layers beside the fall of the loss, on a made-up network."""

import math

import numpy as np
import pandas as pd
import pytest

from lib.experiments.lossy_compression import episodes_of_layers, noisy_cnn


def test_coincidences_of_a_made_up_network():
    t = np.arange(31)
    step = -np.tanh((t - 8.5) / 1.5)
    rows = [
        {"seed": 0, "step": i, "layer": layer, "mi_xt": 0.3 * i + height * step[i] + 1e-6 * (-1) ** i, "loss": step[i]}
        for i in t
        for layer, height in zip(noisy_cnn.LAYERS, (3, 3, 3, 0, 0), strict=True)
    ]
    found = episodes_of_layers.coincidences(pd.DataFrame(rows), window=7, deviations=3.0).squeeze()
    assert (found.compressions, found.inside) == (1.0, pytest.approx(0.6)) and found["rank"] < 0.1
    listed = episodes_of_layers.found_episodes(pd.DataFrame(rows), window=7, deviations=3.0)
    assert set(listed[listed.change < 0].layer) == set(noisy_cnn.LAYERS[:3])
    assert math.isclose(episodes_of_layers.falls(pd.DataFrame(rows), window=7)[0], 8, abs_tol=1)
