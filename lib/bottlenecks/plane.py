"""The information plane: what layers, or a code, know of the input and of the target, as rows of a table."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from lib.core import checks
from lib.core.progress import bar
from lib.estimators import binning, kde
from lib.estimators.cs import TINY, qmi
from lib.estimators.hsic import centred
from lib.nets.stacked import Bottleneck
from lib.pairwise.sums import row_sums

Pair = tuple[Tensor, Tensor]


def binned(quantise: Callable[..., Tensor], t: Tensor, labels: Tensor, **options: float) -> Pair:
    """Return I(X;T) = H(q(T)) and I(T;Y) = H(q(T)) - H(q(T)|Y) of deterministic layers on distinct inputs, nats.

    t: (..., n, d), labels: (n,) -> (...) each.
    """
    cells = binning.each_member(lambda member: binning.pack(quantise(member, **options)), t)
    return binning.cell_information(cells, labels)


def bounded(bound: Callable[..., Tensor], t: Tensor, labels: Tensor, **options: float) -> Pair:
    """Return a bound on I(X;T~) of layers with added noise, and the difference of such bounds for I(T~;Y), nats.

    t: (..., n, d), labels: (n,) -> (...) each.
    """
    whole = bound(t, **options)
    within = [bound(t[..., labels == c, :], **options) * (labels == c).double().mean() for c in labels.unique()]
    return whole, whole - torch.stack(within).sum(0)


def bounded_adaptive(
    bound: Callable[..., Tensor], t: Tensor, labels: Tensor, *, factor: float = 1e-3, rows: int = 0, seed: int = 0
) -> Pair:
    """Return the same with noise of variance factor * max|t|, each layer and member its own: aKDE.

    `rows` > 0 measures that many rows, drawn by `seed`; a value of n rows is at most log n, so that values of different n do
    not compare. Source: [chelombiev2019adaptive].
    """
    widths = [kde.adaptive_width(member, factor=factor) for member in t.reshape(-1, *t.shape[-2:])]
    if rows:
        drawn = torch.randperm(t.shape[-2], generator=torch.Generator().manual_seed(seed))[:rows].to(t.device)
        t, labels = t[..., drawn, :], labels[drawn]
    return bounded(bound, t / t.new_tensor(widths).reshape(*t.shape[:-2], 1, 1), labels, width=1.0)


LAYER = {
    "binning_range": partial(binned, binning.bin_range),
    "binning_width": partial(binned, binning.bin_width),
    "binning_adaptive": partial(binned, binning.bin_adaptive),
    "kde_upper": partial(bounded, kde.upper),
    "kde_lower": partial(bounded, kde.lower),
    "kde_upper_adaptive": partial(bounded_adaptive, kde.upper),
    "kde_lower_adaptive": partial(bounded_adaptive, kde.lower),
}


@torch.no_grad()
def layers(
    model: Bottleneck, film: dict[str, Tensor], epochs: list[int], inputs: Tensor, labels: Tensor, estimators: dict
) -> list[dict]:
    """Return a row (epoch, layer, member, estimator, mi_xt, mi_ty; nats) for every snapshot, layer and member.

    film: weight name -> (epochs, R, ...); inputs: (n, d) distinct; labels: (n,); estimators: name of LAYER -> its options.
    All members are measured at once. A value above log n is impossible and one at log n says only that the estimator is
    saturated.
    """
    measures = {name: partial(checks.known(name, LAYER, "layer estimator"), **options) for name, options in estimators.items()}
    members = model.output.weight.shape[0]
    x, rows = inputs.expand(members, -1, -1), []
    for index, epoch in enumerate(bar(epochs, "information plane")):
        model.load_state_dict({name: weights[index] for name, weights in film.items()})
        for layer, activations in enumerate(model.hidden(x), start=1):
            for name, measure in measures.items():
                where = {"epoch": epoch, "layer": layer, "estimator": name}
                pairs = torch.stack(measure(activations.contiguous(), labels)).T.tolist()
                rows += [where | {"member": m, "mi_xt": xt, "mi_ty": ty} for m, (xt, ty) in enumerate(pairs)]
    return rows


def compression(path: Tensor) -> Tensor:
    """Return how much of its largest information a layer lost by the end, (max I - I_end) / max I, (epochs, ...) -> (...).

    0 for a layer that never held any. Source: [chelombiev2019adaptive], as a score.
    """
    most = path.max(0).values
    return torch.where(most > 0, (most - path[-1]) / most.clamp_min(1e-12), torch.zeros_like(most))


def standard(x: Tensor, least: float = 1e-6) -> Tensor:
    """Return columns with mean 0 and spread 1, (..., n, d); columns whose spread is below `least` become 0."""
    x = x.double()
    spread = x.std(-2, keepdim=True, correction=0)
    return torch.where(spread > least, (x - x.mean(-2, keepdim=True)) / spread.clamp_min(least), torch.zeros_like(x))


@torch.no_grad()
def code_dependence(x: Tensor, code: Tensor, *, seed: int = 0) -> dict[str, Tensor]:
    """Return a code's dependence on the input beyond chance, in two currencies that mean the same for every method, each (R,).

    x: (R, n, d), code: (R, n, k) as the decoder receives it, its noise included. Both are standardised and measured at width
    sqrt(dimension), so that shrinking a code, which loses nothing, gains nothing. Normalised to 1 for a code that is the input.
    Small samples show dependence where there is none; what shuffled pairs show is subtracted, so that 0 is no dependence and
    values may fall slightly below. Both indices are made of the same six sums of kernels.
    """
    u, v = (standard(z) / math.sqrt(z.shape[-1]) for z in (x, code))
    order = torch.randperm(u.shape[-2], generator=torch.Generator().manual_seed(seed)).to(u.device)
    ku, kv, joint = row_sums(u), row_sums(v), row_sums(torch.cat([u, v], -1))
    chance, self_x, self_y = row_sums(torch.cat([u, v[..., order, :]], -1)), row_sums(u * 2**0.5), row_sums(v * 2**0.5)

    def beyond(f: Callable[..., Tensor]) -> Tensor:
        most = (f(self_x, ku, ku).clamp_min(TINY) * f(self_y, kv, kv).clamp_min(TINY)).sqrt()
        return (f(joint, ku, kv) - f(chance, ku, kv[..., order])) / most

    return {"cs_qmi": beyond(qmi), "hsic": beyond(centred)}
