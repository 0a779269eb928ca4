"""Parts of networks are torch's, member by member, or counted by hand."""

import math

import pytest
import torch
from torch import nn

from lib.forecast.layers import AttentionLayer, CausalBlock, CausalConv, LayerNorm, Noise, RevIN, dropped, level, sinusoids
from tests.forecast.samples import generators, normal


def test_revin_comes_back_and_counts_filled_zeros():
    x = 3 * normal(2, 5, 24, 4) + 7
    by, revin = level(x), RevIN(2)
    inner = revin(x, by)
    torch.testing.assert_close(inner.mean(2), torch.zeros(2, 5, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(inner.var(2, correction=0), torch.ones(2, 5, 4), atol=1e-4, rtol=0)
    with torch.no_grad():
        revin.weight.copy_(torch.tensor([0.5, 3.0]).view(2, 1, 1, 1)), revin.bias.fill_(-2.0)
    torch.testing.assert_close(revin.restore(revin(x, by), by), x)
    half = torch.cat([x[:, :, :12], torch.zeros(2, 5, 12, 4)], 2)
    torch.testing.assert_close(level(half).mean, half.sum(2, keepdim=True) / 24)


@pytest.mark.parametrize("dilation", [1, 2])
def test_the_causal_convolution_is_torchs_and_reads_nothing_later(dilation):
    conv, x = CausalConv(3, 5, dilation, generators(0, 1)), normal(2, 4, 7, 3)
    with torch.no_grad():
        conv.gain.mul_(torch.tensor([0.5, 2.0]).view(2, 1, 1)), conv.bias.copy_(normal(2, 1, 5, seed=4))
        out = conv(x)
    for r in range(2):
        direction = conv.direction[r].detach().view(3, 3, 5).permute(2, 1, 0)  # (out, in, taps)
        weight = conv.gain[r].detach().view(5, 1, 1) * direction / direction.flatten(1).norm(dim=1).view(5, 1, 1)
        padded = nn.functional.pad(x[r].transpose(1, 2), (2 * dilation, 0))
        want = nn.functional.conv1d(padded, weight, conv.bias[r, 0].detach(), dilation=dilation).transpose(1, 2)
        torch.testing.assert_close(out[r], want, atol=1e-5, rtol=1e-4)
    block = CausalBlock(3, 5, dilation, 0.0, generators(0, 1))
    later = torch.cat([x[:, :, :4], normal(2, 4, 3, 3, seed=8)], 2)
    assert torch.equal(block(x, None)[:, :, :4], block(later, None)[:, :, :4])


def test_attention_is_torchs_encoder_layer():
    ours, theirs = AttentionLayer(8, 2, 0.0, generators(5, 6)), nn.TransformerEncoderLayer(8, 2, 32, 0.0, batch_first=True)
    x = normal(2, 3, 11, 8)
    with torch.no_grad():
        for name in ("query", "key", "value", "out", "up", "down"):
            getattr(ours, name).bias.copy_(normal(*getattr(ours, name).bias.shape, seed=len(name)))
        projections = (ours.query, ours.key, ours.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([layer.weight[1].T for layer in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([layer.bias[1, 0] for layer in projections]))
        pairs = ((theirs.self_attn.out_proj, ours.out), (theirs.linear1, ours.up), (theirs.linear2, ours.down))
        for module, layer in pairs:
            module.weight.copy_(layer.weight[1].T), module.bias.copy_(layer.bias[1, 0])
        out = ours(x, None)
        assert out.shape == x.shape
        torch.testing.assert_close(out[1], theirs.train()(x[1]), atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="width must be a multiple of heads, got 8 and 3"):
        AttentionLayer(8, 3, 0.0, generators(0))


def test_keys_and_values_have_their_own_projections():
    layer, x = AttentionLayer(8, 2, 0.0, generators(5)), normal(1, 3, 11, 8)
    layer.attend(x).square().sum().backward()
    grads = [getattr(layer, name).weight.grad.abs().sum() for name in ("query", "key", "value")]
    assert all(g > 0 for g in grads) and len({float(g) for g in grads}) == 3


def test_layer_norm_is_torchs_for_every_member():
    norm, x = LayerNorm(6, 2), normal(2, 3, 4, 6)
    with torch.no_grad():
        norm.weight.copy_(normal(2, 1, 6, seed=1)), norm.bias.copy_(normal(2, 1, 6, seed=2))
        want = nn.functional.layer_norm(x[1], (6,), norm.weight[1, 0], norm.bias[1, 0])
        torch.testing.assert_close(norm(x)[1], want)


def test_dropout_keeps_the_mean_and_rests_without_noise():
    x = torch.ones(2, 400, 50)
    assert dropped(x, 0.3, None) is x and dropped(x, 0.0, Noise(generators(0, 1))) is x
    out = dropped(x, 0.3, Noise(generators(0, 1)))
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (out == 0).double().mean((1, 2)).tolist() == pytest.approx([0.3, 0.3], abs=0.02)
    assert torch.equal(out[1], dropped(x[:1], 0.3, Noise(generators(1)))[0])


def test_sinusoids_by_hand():
    codes = sinusoids(5, 4)
    want = [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]
    assert codes.shape == (5, 4) and codes[3].tolist() == pytest.approx(want, abs=1e-6)
