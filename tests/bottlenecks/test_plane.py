"""The information plane against exact cases: clusters, functions of the label, scale, chance."""

import math

import pytest
import torch

from lib.bottlenecks import plane
from lib.nets.stacked import Bottleneck

SHAPE = {"hidden": [4], "code": 2, "activation": "tanh", "activate_code": True}


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def words(n=8):
    return (torch.arange(2**n)[:, None] >> torch.arange(n)) & 1


@pytest.mark.parametrize("name", plane.LAYER)
def test_layers_that_keep_k_bits_are_measured_exactly(name):
    options = {
        "binning_range": {"low": -1.0, "high": 1.0, "bins": 30},
        "binning_width": {"width": 0.07},
        "kde_upper": {"width": 0.01},
        "kde_lower": {"width": 0.01},
        "binning_adaptive": {"bins": 2},
        "kde_upper_adaptive": {"factor": 1e-4},
        "kde_lower_adaptive": {"factor": 1e-4},
    }[name]
    bits, labels = words(), words()[:, 0]
    t = bits[:, :3].double() * 1.8 - 0.9
    mi_xt, mi_ty = (float(v) for v in plane.LAYER[name](t, labels, **options))
    assert mi_xt == pytest.approx(3 * math.log(2), abs=1e-6)
    assert mi_ty == pytest.approx(math.log(2), abs=1e-6)
    assert float(plane.LAYER[name](bits[:, 1:3].double(), labels, **options)[1]) == pytest.approx(0, abs=1e-6)


def test_layers_gives_a_row_for_every_snapshot_layer_member_and_estimator():
    x, labels = words(5).float(), words(5)[:, 0]
    models = [Bottleneck([s, s + 9], 5, 2, SHAPE) for s in (0, 1)]
    film = {k: torch.stack([m.state_dict()[k] for m in models]) for k in models[0].state_dict()}
    rows = plane.layers(models[0], film, [1, 10], x, labels, {"binning_range": {"low": -1.0, "high": 1.0}})
    assert len(rows) == 2 * 3 * 2
    assert {(r["epoch"], r["layer"], r["member"]) for r in rows} == {
        (e, a, m) for e in (1, 10) for a in (1, 2, 3) for m in (0, 1)
    }
    with torch.no_grad():
        hidden = Bottleneck([1, 10], 5, 2, SHAPE).hidden(x.expand(2, -1, -1))[0][1]
    expected = plane.LAYER["binning_range"](hidden, labels, low=-1.0, high=1.0)
    (row,) = (r for r in rows if (r["epoch"], r["layer"], r["member"]) == (10, 1, 1))
    assert (row["mi_xt"], row["mi_ty"]) == tuple(map(float, expected))


def test_an_unknown_layer_estimator_is_refused():
    with pytest.raises(ValueError, match="unknown layer estimator 'bins'; known: binning_adaptive, binning_range"):
        plane.layers(Bottleneck([0], 5, 2, SHAPE), {}, [], words(5).float(), words(5)[:, 0], {"bins": {}})


@pytest.mark.parametrize("name", plane.LAYER)
def test_stacked_layers_are_measured_as_one_by_one(name):
    options = {"binning_range": {"low": -1.0, "high": 1.0}, "kde_upper": {"width": 0.3}, "kde_lower": {"width": 0.3}}
    options = options.get(name, {"floor": 0.0} if name == "binning_adaptive" else {})
    t, labels = normal(3, 256, 4).relu() * torch.tensor([0.1, 1.0, 10.0])[:, None, None], words()[:, 0]
    together = torch.stack(plane.LAYER[name](t, labels, **options))
    alone = torch.stack([torch.stack(plane.LAYER[name](member, labels, **options)) for member in t], 1)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_adaptive_noise_and_bins_do_not_see_the_scale_that_fixed_ones_do():
    t, labels = normal(256, 3), words()[:, 0]
    for name, options in (("binning_adaptive", {}), ("kde_upper_adaptive", {"factor": 0.1})):
        small, large = (plane.LAYER[name](s * t, labels, **options)[0].item() for s in (1.0, 64.0))
        # adaptive noise has variance in proportion to max |T|, so its width grows as the root only
        assert large == pytest.approx(small, abs=1e-12) if name == "binning_adaptive" else large > small
    width = math.sqrt(0.1 * t.abs().max().item())
    fixed = plane.LAYER["kde_upper"](t, labels, width=width)
    torch.testing.assert_close(plane.LAYER["kde_upper_adaptive"](t, labels, factor=0.1), fixed, rtol=1e-9, atol=1e-9)


def test_a_sample_of_rows_is_the_same_for_every_layer_and_ends_at_its_own_logarithm():
    t, labels = normal(2, 256, 3) * 1e3, words()[:, 0]
    t[1] = t[0]
    sampled = plane.LAYER["kde_upper_adaptive"](t, labels, factor=1e-9, rows=64)
    assert sampled[0].tolist() == pytest.approx([math.log(64)] * 2) and sampled[1][0] == sampled[1][1]
    rows = torch.randperm(256, generator=torch.Generator().manual_seed(0))[:64]
    share = labels[rows].double().mean()
    assert sampled[1][0].item() == pytest.approx(-(share * share.log() + (1 - share) * (1 - share).log()).item())


def test_compression_is_the_share_lost_since_the_peak():
    path = torch.tensor([[0.0, 1.0, 2.0, 0.0], [4.0, 2.0, 2.0, 0.0], [1.0, 3.0, 2.0, 0.0]])
    assert plane.compression(path).tolist() == [0.75, 0.0, 0.0, 0.0]


def test_dependence_of_a_code_does_not_see_its_scale_or_place():
    x, code = normal(3, 200, 4), normal(3, 200, 2, seed=1)
    code = code + x[..., :2]
    first, second = plane.code_dependence(x, code), plane.code_dependence(x * 7 - 3, code * 1e-3 + 100)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-6, atol=1e-6)


def test_dependence_is_zero_by_chance_and_for_collapsed_codes_and_falls_with_noise():
    x = normal(20, 300, 3)
    own = normal(20, 300, 3, seed=1)
    unrelated = plane.code_dependence(x, own)
    steps = [plane.code_dependence(x, x + s * own) for s in (0.0, 0.5, 1.0, 2.0, 4.0)]
    for name in unrelated:
        assert abs(unrelated[name].mean()) < 0.01
        values = [step[name].mean().item() for step in steps]
        assert values == sorted(values, reverse=True)
        assert 0.7 < values[0] <= 1.0
        assert plane.code_dependence(x, torch.full_like(own, 3.0))[name].abs().max() < 1e-9
