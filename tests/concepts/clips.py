"""A small CLIP of random weights, and captioned scenes for it."""

from lib.concepts import clip, small
from lib.data.captions.attributes import draw
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions

TEXTS = [text for row in captions(draw(200, seed=0), seed=0).texts for text in row]
WORDS = small.Words(small.vocabulary(TEXTS))
IMAGES = scenes(20, seed=0).images


def made(seed=0, **options):
    return clip.Backbone(small.untrained(WORDS.size, seed=seed), WORDS, **options)
