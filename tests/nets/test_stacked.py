"""Stacked networks are the single ones side by side."""

import pytest
import torch

from lib.nets.stacked import ACTIVATIONS, LEARNED, Bottleneck, clip_members, prelu, srelu

SHAPE = {"hidden": [6, 5], "code": 3, "decoder": [4], "activation": "tanh"}


def inputs(members, n=7, d=4):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0)).expand(members, -1, -1)


def test_a_member_is_the_same_whatever_it_is_stacked_with():
    together, alone = Bottleneck([5, 7, 5], 4, 2, SHAPE), Bottleneck([7], 4, 2, SHAPE)
    for name, weights in together.state_dict().items():
        assert torch.equal(weights[1], alone.state_dict()[name][0])
        assert torch.equal(weights[0], weights[2])
    x = inputs(3)
    torch.testing.assert_close(together.decode(together.mean(x))[1:2], alone.decode(alone.mean(x[:1])))


def test_members_do_not_touch_each_other():
    model = Bottleneck([0, 1], 4, 2, SHAPE)
    model.decode(model.mean(inputs(2)))[0].sum().backward()
    assert all(p.grad[1].abs().max() == 0 for p in model.parameters() if p.grad is not None)
    assert all(p.grad[0].abs().max() > 0 for name, p in model.named_parameters() if p.grad is not None)


def test_equals_torchs_own_layers():
    model, x = Bottleneck([3], 4, 2, SHAPE | {"activation": "relu"}), inputs(1)
    state = {name: value[0] for name, value in model.state_dict().items()}
    h = x[0]
    for i in range(2):
        h = torch.relu(torch.nn.functional.linear(h, state[f"encoder.{i}.weight"].T, state[f"encoder.{i}.bias"][0]))
    mean = torch.nn.functional.linear(h, state["mean_head.weight"].T, state["mean_head.bias"][0])
    torch.testing.assert_close(model.mean(x)[0], mean)
    torch.testing.assert_close(model.encode(x)[0][0], mean)


def test_first_weights_have_the_deviation_and_the_cut_they_claim():
    wide = Bottleneck(range(4), 100, 1, {"hidden": [400], "code": 2, "activation": "relu"})
    weights = wide.encoder[0].weight
    scale = 2 / 100**0.5
    assert weights.abs().max() <= 2 * scale
    assert weights.std().item() == pytest.approx(0.8796 * scale, rel=0.01)  # a normal cut at two deviations


def test_hidden_layers_end_in_probabilities():
    shape = SHAPE | {"decoder": [], "activate_code": True}
    layers = Bottleneck([0, 1], 4, 2, shape).hidden(inputs(2))
    assert [tuple(layer.shape) for layer in layers] == [(2, 7, 6), (2, 7, 5), (2, 7, 3), (2, 7, 2)]
    assert all(layer.abs().max() <= 1 for layer in layers[:-1])
    torch.testing.assert_close(layers[-1].sum(-1), torch.ones(2, 7))


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="unknown activation 'sine'; known: abs, elu"):
        Bottleneck([0], 4, 1, SHAPE | {"activation": "sine"})


@pytest.mark.parametrize("name", ["prelu", "srelu"])
def test_learned_activations_belong_to_a_member_and_a_unit_and_start_alike_whatever_the_company(name):
    shape = SHAPE | {"activation": name, "activate_code": True}
    model, x = Bottleneck([0, 1], 4, 2, shape), inputs(2)
    learned = {n: p for n, p in model.named_parameters() if ".learned." in n}
    assert len(learned) == len(LEARNED[name]) * 4 and all(p.shape[:2] == (2, 1) for p in learned.values())
    assert {n.split(".learned")[0] for n in learned} == {"encoder.0", "encoder.1", "mean_head", "decoder.0"}
    model.decode(model.mean(3 * x))[0].sum().backward()
    assert all(p.grad[1].abs().max() == 0 for p in learned.values()) and learned["encoder.0.learned.0"].grad[0].abs().max() > 0
    with torch.no_grad():
        model.encoder[0].learned[0][1, 0, 2] = 0.7
        moved = model.features(x)[0][1] - Bottleneck([0, 1], 4, 2, shape).features(x)[0][1]
    assert moved[:, 2].abs().max() > 0 and moved[:, [0, 1, 3, 4, 5]].abs().max() == 0


def test_prelu_is_torchs_own_and_srelu_has_its_three_pieces():
    x = torch.linspace(-3, 3, 61, dtype=torch.float64)
    slope = torch.tensor(0.3, dtype=torch.float64)
    torch.testing.assert_close(prelu(x, slope), torch.nn.functional.prelu(x, slope))
    low, low_slope, high, high_slope = torch.tensor([-1.0, 0.2, 1.5, 2.0], dtype=torch.float64)
    pieces = torch.where(x <= low, low + low_slope * (x - low), torch.where(x >= high, high + high_slope * (x - high), x))
    torch.testing.assert_close(srelu(x, low, low_slope, high, high_slope), pieces)


@pytest.mark.parametrize("name", LEARNED)
def test_learned_activations_start_as_leaky_relus(name):
    x = torch.linspace(-3, 3, 13)
    started = ACTIVATIONS[name](x, *map(torch.tensor, LEARNED[name]))
    torch.testing.assert_close(started, torch.nn.functional.leaky_relu(x, 0.25 if name == "prelu" else 0.2))


def test_clipping_bounds_each_members_gradient_alone():
    model = Bottleneck([0, 1], 3, 1, {"hidden": [8], "code": 2, "decoder": [8], "activation": "tanh"})
    for p in model.parameters():
        p.grad = torch.ones_like(p)
        p.grad[1] *= 1e-6
    before = [p.grad[1].clone() for p in model.parameters()]
    clip_members(model, 1.0)
    norm = torch.cat([p.grad[0].flatten() for p in model.parameters()]).norm()
    assert norm.item() == pytest.approx(1.0, rel=1e-5)
    assert all(torch.equal(p.grad[1], b) for p, b in zip(model.parameters(), before, strict=True))
