"""Networks on fields: halved and doubled as torch does it, each member as if alone, and used through a shape."""

import pytest
import torch
import torch.nn.functional as F

from lib.koopman.autoencoder import Autoencoder, Recipe, information_ae_terms
from lib.koopman.forecast import rollout, settle
from lib.nets.convolutions import Convolutions, chains
from tests.samples import normal

SHAPE = {"fields": [2, 8, 12], "channels": [3, 5], "hidden": [6], "code": 4, "decoder": [7], "activation": "tanh"}


def generators(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def windows(members, b=3, t=4):
    return normal(1, b, t, 192, seed=0).float().expand(members, -1, -1, -1)


@pytest.mark.parametrize(("up", "side"), [(False, (2, 3)), (True, (8, 12))])
def test_a_convolution_is_torchs_own_for_every_member(up, side):
    layer = Convolutions((3, 4, 6), 5, generators(0, 1), 1.0, up=up)
    x = normal(2, 7, 72, seed=1).float()
    own = torch.nn.ConvTranspose2d(3, 5, 4, 2, 1) if up else torch.nn.Conv2d(3, 5, 4, 2, 1)
    with torch.no_grad():
        layer.bias.add_(normal(2, 5, seed=2))
        own.weight.copy_(layer.weight[1]), own.bias.copy_(layer.bias[1])
    assert layer(x).shape == (2, 7, 5 * side[0] * side[1])
    torch.testing.assert_close(layer(x)[1], own(x[1].unflatten(1, (3, 4, 6))).flatten(1))


@pytest.mark.parametrize("up", [False, True])
def test_values_keep_their_size_through_a_layer(up):
    layer = Convolutions((20, 16, 16), 20, generators(*range(5)), 1.0, up=up)
    inner = layer(normal(5, 20, 20 * 256, seed=0).float()).unflatten(2, (20, 8 * 4**up, 8 * 4**up))[..., 1:-1, 1:-1]
    assert inner.std().item() == pytest.approx(0.8796, rel=0.03)  # a normal cut at two deviations


def test_the_way_up_mirrors_the_way_down():
    down, up, flat = chains((2, 16, 8), (3, 5, 7), generators(0), 1.0, ())
    assert [d.field for d in down] == [(2, 16, 8), (3, 8, 4), (5, 4, 2)] and flat == 7 * 2 * 1
    assert [(u.field, u.up) for u in up] == [((7, 2, 1), True), ((5, 4, 2), True), ((3, 8, 4), True)]
    x = normal(1, 2, 256, seed=0).float()
    for layer in (*down, *up):
        x = layer(x)
    assert x.shape == (1, 2, 256)


@pytest.mark.parametrize("activation", ["tanh", "srelu"])
def test_an_autoencoder_of_fields_is_its_formula(activation):
    model = Autoencoder([3], 192, SHAPE | {"activation": activation})
    x, state = windows(1), {name: value[0] for name, value in model.state_dict().items()}
    assert [tuple(p.shape[1:]) for p in model.output.parameters()] == [(3, 2, 4, 4), (2,)]
    if activation == "tanh":
        h = x[0].flatten(0, 1).unflatten(1, (2, 8, 12))
        for i in range(2):
            h = F.conv2d(h, state[f"encoder.{i}.weight"], state[f"encoder.{i}.bias"], 2, 1).tanh()
        h = (h.flatten(1) @ state["encoder.2.weight"] + state["encoder.2.bias"]).tanh()
        code = h @ state["mean_head.weight"] + state["mean_head.bias"]
        torch.testing.assert_close(model.codes(x)[0].flatten(0, 1), code)
        for i in range(2):
            code = (code @ state[f"decoder.{i}.weight"] + state[f"decoder.{i}.bias"]).tanh()
        h = F.conv_transpose2d(code.unflatten(1, (5, 2, 3)), state["decoder.2.weight"], state["decoder.2.bias"], 2, 1).tanh()
        h = F.conv_transpose2d(h, state["output.weight"], state["output.bias"], 2, 1)
        torch.testing.assert_close(model.frames(model.codes(x))[0].flatten(0, 1), h.flatten(1))
    assert model.frames(model.codes(x)).shape == x.shape


def test_a_member_is_the_same_alone_and_in_company_and_feels_no_other():
    together, alone = Autoencoder([5, 7, 5], 192, SHAPE), Autoencoder([7], 192, SHAPE)
    for name, weights in together.state_dict().items():
        assert torch.equal(weights[1], alone.state_dict()[name][0]) and torch.equal(weights[0], weights[2])
    torch.testing.assert_close(together.frames(together.codes(windows(3)))[1], alone.frames(alone.codes(windows(1)))[0])
    recipe = Recipe(alpha=0.5, gamma=0.1, reach=1)
    terms = information_ae_terms(together, windows(3), windows(3)[:, :, 1:, :0], windows(3), recipe=recipe)
    (terms.fit + terms.price)[1].backward()
    for name, p in together.named_parameters():
        if p.grad is not None and p.numel():
            assert p.grad[[0, 2]].abs().max() == 0, name
            assert p.grad[1].abs().max() > 0, name


@pytest.mark.parametrize("up", [False, True])
def test_gradients_are_those_of_differences(up):
    layer = Convolutions((2, 4, 4), 3, generators(0), 1.0, up=up).double()
    x = normal(1, 2, 32, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z, w: torch.func.functional_call(layer, {"weight": w}, z), (x, layer.weight))


def test_forecasts_of_fields_are_rows_of_fields():
    model = Autoencoder([0, 1], 192, SHAPE)
    made = rollout(settle(model, windows(2), windows(2)[:, :, 1:, :0]), windows(2)[:, :, 0], 3, mode="relift")
    assert made.x.shape == (2, 3, 4, 192) and made.x.isfinite().all()


def test_what_cannot_be_a_field_is_refused():
    with pytest.raises(ValueError, match=r"fields \(2, 8, 12\) make 192 values a row, got 100"):
        Autoencoder([0], 100, SHAPE)
    with pytest.raises(ValueError, match="8 x 12 cannot be halved 3 times"):
        Autoencoder([0], 192, SHAPE | {"channels": [3, 4, 5]})
    with pytest.raises(ValueError, match="multiples of 2"):
        chains((1, 8, 8), (), generators(0), 1.0, ())
    with pytest.raises(ValueError, match=r"fields must be \(channels, height, width\), got \(8, 8\)"):
        chains((8, 8), (2,), generators(0), 1.0, ())
    with pytest.raises(ValueError, match="a size of fields or channels must be a whole number >= 1, got 0"):
        chains((1, 8, 8), (0,), generators(0), 1.0, ())
    with pytest.raises(ValueError, match=r"x must be rows \(R, n, 72\) of fields \(3, 4, 6\), got \(1, 2, 71\)"):
        Convolutions((3, 4, 6), 5, generators(0), 1.0)(torch.zeros(1, 2, 71))
