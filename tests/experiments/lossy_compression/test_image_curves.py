"""Curves over known information: the table is whole, codes are fitted apart, and whitening sees what scaling does not."""

import numpy as np
import pandas as pd
import pytest

from lib.data.images import gaussian_images
from lib.experiments.lossy_compression import image_curves
from lib.experiments.lossy_compression.image_curves import Budget

BUDGET = Budget(n=400, fitted=300, size=8, k=15, steps=40)


def test_every_code_of_every_pair_has_an_estimate_whoever_computes_it():
    asked = {"seeds": [0, 1], "budget": BUDGET}
    table = image_curves.curves(["gaussian", "rectangles"], [0.0, 4.0], workers=1, **asked)
    assert len(table) == 2 * 4 * 2 * 2 and not table.duplicated(["family", "code", "seed", "truth"]).any()
    assert np.isfinite(table.mi).all()
    means = table.pivot_table(index=["family", "code"], columns="truth", values="mi")
    assert (means[4.0] > means[0.0] + 0.3).all()
    pd.testing.assert_frame_equal(image_curves.curves(["gaussian", "rectangles"], [0.0, 4.0], workers=2, **asked), table)


def test_parameters_have_their_information():
    budget = BUDGET._replace(n=2000, steps=1)
    table = image_curves.curves(["gaussian"], [0.0, 2.0, 4.0], seeds=[0, 1, 2], budget=budget, workers=1)
    means = table[table.code == "parameters"].groupby("truth").mi.mean()
    assert (means - means.index).abs().max() < 0.3


def test_codes_are_fitted_on_images_of_their_own(monkeypatch):
    seen = []
    monkeypatch.setattr(image_curves, "pca", lambda x, dim: seen.append((x, dim)) or (lambda z: z[:, :2]))
    image_curves.fit("gaussian", 0, BUDGET._replace(steps=1, fitted=400))
    (images, dim), measured = seen[0], gaussian_images(400, mi=0.0, size=8, seed=0).x
    assert images.shape == (400, 64) and dim == 2
    assert not (images[:, None] == measured[None]).all(-1).any()


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="unknown family of images 'circles'; known: gaussian, rectangles"):
        image_curves.curves(["circles"], [0.0], seeds=[0], budget=BUDGET)
