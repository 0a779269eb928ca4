"""Do explanations name what is in the image, and where it is: measures against true concepts, each with what chance gives.

Concept existence is called so in full: its initials are also those of concept embedding models, which are something else.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.core import checks
from lib.core.digits import settled


class Chanced(NamedTuple):
    """A share, and the same for explanations that know nothing."""

    value: float
    chance: float
    rows: int  # images, or pairs of image and concept, that it is a mean of

    @property
    def corrected(self) -> float:
        """(value - chance) / (1 - chance): 0 for chance and 1 for the best."""
        return (self.value - self.chance) / (1 - self.chance) if self.chance < 1 else float("nan")


def presence(truth: Tensor, y: Tensor, classes: int) -> Tensor:
    """Return V, the share of the images of a class that have a concept; (n, L) 0 or 1 and (n,) -> (K, L)."""
    held(truth)
    total = torch.zeros(classes, truth.shape[1], dtype=torch.float64).index_add_(0, y, truth.double())
    return total / y.bincount(minlength=classes)[:, None]


def held(truth: Tensor) -> Tensor:
    """Refuse anything but 0 and 1 in a table (n, L)."""
    if truth.ndim != 2 or not ((truth == 0) | (truth == 1)).all():
        raise ValueError(f"true concepts must be (n, L) of 0 and 1, got {tuple(truth.shape)}; one column a concept")
    return truth


def class_mean(u: Tensor, y: Tensor, right: Tensor, classes: int) -> Tensor:
    """Return the mean score of each class over the images that are `right` (n,) bool; NaN for a class without; (K, L)."""
    u, y = u[right].double(), y[right]
    total = torch.zeros(classes, u.shape[1], dtype=torch.float64).index_add_(0, y, u)
    return total / y.bincount(minlength=classes)[:, None]


def concept_global_importance(theta: Tensor, mean: Tensor, share: Tensor, *, centred: bool = False) -> Tensor:
    """Return for each concept the cosines over classes of theta, of mean scores, and of their product with its presence.

    theta, mean, share: (K, L) -> (3, L), CGIM 1, 2 and 3; NaN where a row is zero, as for a concept that no class has.
    A positive head has a large cosine with any presence; `centred` gives correlations, which are zero there by chance.
    Source: [aysel2025concept].
    """
    return cosines_over_classes(theta, mean, share, centred).diagonal(dim1=1, dim2=2)


def shuffled_importance(theta: Tensor, mean: Tensor, share: Tensor, *, centred: bool = False) -> Tensor:
    """Return CGIM 1, 2 and 3 under shuffled names of concepts, (3,): their mean over all permutations, exactly.

    Every concept then has the presence of every other equally often, so it is the mean over all pairs without NaN.
    """
    return cosines_over_classes(theta, mean, share, centred).flatten(1).nanmean(1)


def cosines_over_classes(theta: Tensor, mean: Tensor, share: Tensor, centred: bool) -> Tensor:
    """Return the cosines of theta, mean scores and their product for concept j with the presence of concept m, (3, L, L)."""
    parts = torch.stack([theta.double(), mean, theta * mean])
    if centred:
        # What is the same for all classes is then exactly 0, and has no cosine: it would be one of rounding.
        noise, middle = 1e-12 * parts.abs().amax(1, keepdim=True), parts.mean(1, keepdim=True)
        parts = torch.where((parts - middle).abs() > noise, parts - middle, 0.0)
        share = share - share.mean(0)
    return (parts / parts.norm(dim=1, keepdim=True)).mT @ (share / share.norm(dim=0))


def ranked(importance: Tensor, most: int) -> Tensor:
    """Return the `most` concepts of greatest importance, ties by place; (n, L) -> (n, most)."""
    if checks.counted(most, "most") > importance.shape[1]:
        raise ValueError(f"most is {most} and there are {importance.shape[1]} concepts; ask for fewer")
    return settled(importance).argsort(dim=1, descending=True, stable=True)[:, :most]


def concept_existence(importance: Tensor, truth: Tensor, *, most: int) -> Chanced:
    """Return the share of the `most` leading concepts that are in the image; images without any concept are left out.

    importance: (n, L), theta_kj u_j of the predicted class; truth (n, L). Chance is the mean of |present| / L: what concepts
    drawn blindly reach. A negative score times a negative weight puts an absent concept first. Source: [aysel2025concept].
    """
    some = held(truth).sum(1) > 0
    if not some.any():
        raise ValueError("no image has a concept; existence has no meaning here")
    there = truth[some].double()
    found = there.gather(1, ranked(importance[some], most)).mean().item()
    return Chanced(found, there.mean().item(), int(some.sum()))


def activation_maps(tokens: Tensor, vectors: Tensor, *, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return concept activation maps (1 / d) sum_c c_jc E_c, bilinear to `size`; (n, p, d), (L, d) -> (n, L, *size).

    Vectors may be each image's own, (n, L, d), where only its leading concepts are looked at. Before the scaling the spatial
    mean of a map is u_j / d where the embedding is the mean of the tokens. For attention pooling it is not: a map is then a
    heuristic. Source: [aysel2025concept].
    """
    if tokens.ndim != 3 or grid[0] * grid[1] != tokens.shape[1] or tokens.shape[2] != vectors.shape[-1]:
        raise ValueError(f"tokens must be (n, {grid[0]} x {grid[1]}, {vectors.shape[-1]}), got {tuple(tokens.shape)}")
    maps = (tokens.double() @ vectors.double().mT / tokens.shape[2]).mT.unflatten(2, grid)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def region(maps: Tensor, share: float) -> Tensor:
    """Return the mask of exactly floor(share * pixels) greatest values, ties by place; (..., H, W) -> bool."""
    flat = maps.flatten(-2)
    mask = torch.zeros_like(flat, dtype=torch.bool)
    first = flat.argsort(dim=-1, descending=True, stable=True)[..., : pixels_of(share, flat.shape[-1])]
    return mask.scatter(-1, first, True).view(maps.shape)


def pixels_of(share: float, pixels: int) -> int:
    """Return floor(share * pixels), and refuse a share of no pixel or of more than all."""
    count = int(share * pixels)
    if not 1 <= count <= pixels:
        raise ValueError(f"share {share} of {pixels} pixels is {count}; take between one pixel and all")
    return count


def in_region(maps: Tensor, place: Tensor, share: float) -> Tensor:
    """Return whether `region` of a map holds a pixel, counting what comes before it; (..., H, W), (..., 2) -> (...) bool."""
    flat, pixel = maps.flatten(-2), (place[..., :1] * maps.shape[-1] + place[..., 1:])
    own = flat.gather(-1, pixel)
    tie = (flat == own) & (torch.arange(flat.shape[-1]) < pixel)
    return ((flat > own) | tie).sum(-1) < pixels_of(share, flat.shape[-1])


def centres(masks: Tensor) -> Tensor:
    """Return row and column of the pixel of each mask (..., H, W) bool that is nearest to its centre, -1 for an empty one."""
    h, w = masks.shape[-2:]
    places = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), -1).double()
    weight = masks.double()[..., None]
    middle = (weight * places).sum((-3, -2)) / weight.sum((-3, -2)).clamp_min(1)
    far = (places - middle[..., None, None, :]).square().sum(-1).masked_fill(~masks, torch.inf).flatten(-2)
    place = far.argmin(-1)
    found = torch.stack([place // w, place % w], -1)
    return torch.where(masks.flatten(-2).any(-1)[..., None], found, -1)


def concept_location(
    maps: Tensor, importance: Tensor, where: Tensor, *, most: int, twelfths: int, absent: str = "skip"
) -> Chanced:  # fmt: skip
    """Return how often the true place of a leading concept lies in the `twelfths` / 12 of the image where its map is greatest.

    maps: (n, L, H, W); importance: (n, L); where: (n, L, 2) row and column, -1 where the concept is not in the image, which is
    then left out ("skip") or counts against ("miss"): the source leaves it open. Chance is twelfths / 12, times the share that
    is there under "miss". Source: [aysel2025concept].
    """
    missed = checks.known(absent, {"skip": False, "miss": True}, "way with absent concepts")
    top = ranked(importance, most)
    rows = torch.arange(len(top))[:, None]
    place = where[rows, top]
    there = (place >= 0).all(-1)
    if not there.any():
        raise ValueError("no leading concept is in its image; location has no meaning here")
    hit = in_region(maps[rows, top], place.clamp_min(0), twelfths / 12) & there
    pixels = maps.shape[-2] * maps.shape[-1]
    chance = pixels_of(twelfths / 12, pixels) / pixels
    if missed:
        return Chanced(hit.double().mean().item(), chance * there.double().mean().item(), there.numel())
    return Chanced(hit[there].double().mean().item(), chance, int(there.sum()))
