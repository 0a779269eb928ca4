"""Captioned scenes through a CLIP as a task of concept models: warm or cold shapes, before a background that may mislead.

The background is tied to the shape in training alone, by a knob, so that a head can learn what the test does not keep.
"""

import hashlib
from functools import cache, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from lib.concepts import clip, zero_shot
from lib.concepts.agreement import centres
from lib.core.types import Rows, Words
from lib.data.captions.attributes import ATTRIBUTES, COLUMN
from lib.data.captions.scenes import Scenes, scenes
from lib.data.captions.sentences import OPENERS, THINGS
from lib.data.embeddings import Embedded, Places

HELD_OUT = 10**6  # seeds of test scenes lie this far from those of training scenes
WARM = torch.tensor([True, False, False, True, True, False])  # of the colours: red, yellow and purple
CLASSES = [f"{kind} {shape}" for shape in ATTRIBUTES["shape"] for kind in ("cold", "warm")]
CONCEPTS = [value for values in ATTRIBUTES.values() for value in values]
OF = [name for name, values in ATTRIBUTES.items() for _ in values]  # the attribute of each concept
RIVALS = torch.tensor([list(ATTRIBUTES).index(name) for name in OF])
BACKGROUNDS = [j for j, name in enumerate(OF) if name == "background"]
EMPTY = [*OPENERS, *THINGS, *(f"{o} {some}{t}" for o in OPENERS for some in ("", "some ") for t in THINGS)]


@lru_cache(maxsize=2)
def backbone(folder: Path, store: Path | None, content: str) -> clip.Backbone:
    """Return the CLIP of a folder, loaded once for each content, its embeddings stored in `store` by theirs."""
    return clip.load(folder, cache=store)


def content(folder: Path) -> str:
    """Return the hash of what a CLIP is read from, so that one that was trained anew in its place is another."""
    found = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        found.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return found.hexdigest()


def drawn(seed: int, *, rho: float, n: int, valid: int, test: int) -> tuple[Scenes, Scenes, Scenes]:
    """Return training, validation and test scenes; the first two with the knob at rho, the last with nothing tied."""
    both = painted(n + valid, rho, seed)
    parts = [Scenes(*(z[own] for z in both)) for own in (slice(0, n), slice(n, None))]
    return *parts, painted(test, 0.0, seed + HELD_OUT)


@lru_cache(maxsize=8)
def painted(n: int, rho: float, seed: int) -> Scenes:
    """Return n scenes; those of the last few calls are kept, as one test serves every setting of the knob."""
    return scenes(n, rho=rho, seed=seed)


def labels(truth: Tensor) -> Tensor:
    """Return the class of each scene, 2 shape + whether its colour is warm; (n, 7) -> (n,)."""
    return 2 * truth[:, COLUMN["shape"]] + WARM[truth[:, COLUMN["colour"]]].long()


def concepts(truth: Tensor) -> Tensor:
    """Return which of the 29 values of attributes each scene has, (n, 7) -> (n, 29) of 0 and 1; several have no place."""
    parts = [truth[:, COLUMN[name], None] == torch.arange(len(values)) for name, values in ATTRIBUTES.items()]
    return torch.cat(parts, 1).long()


def spots(found: Scenes) -> Tensor:
    """Return row and column (n, 29, 2) of the concepts of a single object: its pixel that is nearest to its centre.

    Concepts that a scene lacks, backgrounds, and those of several objects have no point, -1.
    """
    there = concepts(found.truth).bool() & (found.truth[:, COLUMN["count"], None] == 0)
    there[:, BACKGROUNDS] = False
    return torch.where(there[..., None], centres(found.instances == 1)[:, None], -1)


@cache
def words(model: clip.Backbone) -> tuple[Words, Words, Words]:
    """Return concepts, classes and a vocabulary without content.

    A concept is the mean of sentences that say it and little else; a class the mean of its three colours with its shape. The
    vocabulary says no attribute, in words that the small CLIP knows: openers, "object", "some thing".
    """
    banks = zero_shot.banks(model)
    vectors = torch.cat([banks[name].vectors for name in ATTRIBUTES]).double()
    pairs = banks[zero_shot.JOINT].vectors.double().unflatten(0, (-1, len(WARM)))  # (shape, colour, d)
    classes = torch.stack([pairs[:, warm == WARM].mean(1) for warm in (False, True)], 1).flatten(0, 1)
    classes = torch.nn.functional.normalize(classes, dim=1)
    return Words(CONCEPTS, vectors), Words(CLASSES, classes), Words(EMPTY, model.embed_texts(EMPTY).double())


def embedded(
    seed: int, *, folder: Path, store: Path | None = None, rho: float, n: int, valid: int, test: int, places: bool = True
) -> Embedded:
    """Return scenes of one seed through the CLIP of a folder; `places` adds tokens and points of the test scenes.

    The last few are kept while the CLIP stays what it is, a megabyte or two each: they are read, never written to.
    """
    return through(seed, (folder, store, content(folder)), rho=rho, n=n, valid=valid, test=test, places=places)


@lru_cache(maxsize=32)
def through(
    seed: int, of: tuple[Path, Path | None, str], *, rho: float, n: int, valid: int, test: int, places: bool
) -> Embedded:
    """Return scenes of one seed through a CLIP, which is given by its folder, a store and its content."""
    model, parts = backbone(*of), drawn(seed, rho=rho, n=n, valid=valid, test=test)
    rows = [Rows(model.embed_images(part.images).double(), labels(part.truth)) for part in parts]
    truth, last = [concepts(part.truth) for part in parts], parts[2]
    seen = Places(model.patch_tokens(last.images), spots(last), tuple(last.images.shape[2:])) if places else None
    return Embedded(*rows, truth[0], truth[2], *words(model), seen, RIVALS)
