"""A CLIP small enough to train in minutes on a CPU: open_clip's own model around a small residual network of timm.

Its words are those of the texts that it is trained on: open_clip's byte pairs, renumbered, so that the table of word vectors
has a hundred rows and not fifty thousand. Source: [radford2021learning] [cherti2023reproducible].
"""

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache, lru_cache

import open_clip
import torch
from open_clip.factory import set_model_preprocess_cfg
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg
from timm.models import build_model_with_cfg, register_model
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg
from torch import Tensor, nn

CONTEXT = 24  # tokens of a text, with start and end
SIDE = 32  # pixels
LOOK = PreprocessCfg(size=SIDE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))  # how pictures are scaled for the network
PAD, UNKNOWN, FIRST = 0, 1, 2  # the numbers of no token, of any word never seen, of the first word


@register_model
def hourglass_scenes(pretrained: bool = False, **options: object) -> nn.Module:
    """Return the image network: a stem of 32 channels at half size, then residual blocks of 32, 64 and 128 channels."""
    blocks = tuple(ByoBlockCfg(type="basic", d=1, c=c, s=s, gs=0, br=1.0) for c, s in ((32, 1), (64, 2), (128, 2)))
    shape = ByoModelCfg(blocks=blocks, stem_chs=32, stem_type="3x3", stem_pool="", zero_init_last=False)
    facts = {"architecture": "hourglass_scenes", "input_size": (3, SIDE, SIDE), "pool_size": (SIDE // 8, SIDE // 8)}
    kept = {name: value for name, value in options.items() if name not in ("pretrained_cfg", "pretrained_cfg_overlay")}
    return build_model_with_cfg(ByobNet, "hourglass_scenes", False, pretrained_cfg=facts, model_cfg=shape, **kept)


def config(words: int) -> dict:
    """Return the shape of the whole model as open_clip writes it down: 64 dimensions, one layer of text, a table of `words`."""
    vision = {"timm_model_name": "hourglass_scenes", "timm_pool": "avg", "timm_proj": "linear", "image_size": SIDE}
    text = {"context_length": CONTEXT, "vocab_size": words, "width": 64, "heads": 2, "layers": 1}
    return {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text}


def untrained(words: int, *, seed: int) -> nn.Module:
    """Return the model with first weights drawn by the seed, and nothing else of torch's random state touched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**config(words))
    set_model_preprocess_cfg(model, asdict(LOOK))
    return model.to(memory_format=torch.channels_last)  # convolutions take a fifth less time on a CPU


@cache
def byte_pairs() -> SimpleTokenizer:
    """Return open_clip's tokenizer, whose table ships with it."""
    return SimpleTokenizer()


@lru_cache(maxsize=100_000)
def pairs(word: str) -> tuple[int, ...]:
    """Return the byte pairs of one word; no pair spans two, so that texts of few words cost a look-up each."""
    return tuple(byte_pairs().encode(word))


def vocabulary(texts: Iterable[str]) -> list[int]:
    """Return the byte pairs of the texts, sorted, then those that start and end a text, which have the highest numbers.

    open_clip finds the end of a text as its highest number, so the order must be kept when they are renumbered.
    """
    words = {text for line in texts for text in line.split()}
    found = {pair for word in words for pair in pairs(word)}
    return [*sorted(found), byte_pairs().sot_token_id, byte_pairs().eot_token_id]


class Words:
    """A tokenizer of few words: open_clip's byte pairs, renumbered; texts longer than the context keep their end token."""

    def __init__(self, kept: list[int], context_length: int = CONTEXT) -> None:
        self.kept, self.context_length = kept, context_length
        self.number = {pair: FIRST + i for i, pair in enumerate(kept)}
        self.size = FIRST + len(kept)

    def __call__(self, texts: list[str] | str, context_length: int | None = None) -> Tensor:
        """Return the numbers (n, context) of each text: start, words, end, then zeros."""
        texts, length = [texts] if isinstance(texts, str) else texts, context_length or self.context_length
        found = []
        for text in texts:
            middle = [self.number.get(pair, UNKNOWN) for word in text.split() for pair in pairs(word)][: length - 2]
            found.append([self.size - 2, *middle, self.size - 1] + [PAD] * (length - 2 - len(middle)))
        return torch.tensor(found).view(len(texts), length)
