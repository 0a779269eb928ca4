"""The data card of captioned scenes, with counts of the scenes at hand."""

from lib.data.captions.attributes import ATTRIBUTES, held
from lib.data.captions.scenes import Scenes
from lib.data.captions.sentences import Captions

CARD = """# Captioned scenes

{about}

- **Rows and columns**: {size}
- **Source**: lib.data.captions, by seed
- **Licence**: drawn by formula; MIT as this repository
- **Cite**: this repository
- **Missing values**: none in pictures and truth, but several objects have no place; captions leave out much on purpose
- **Mind**: {mind}
"""


def card(scenes: Scenes, captions: Captions) -> str:
    """Return the card as Markdown: what there is, how much of it, what to mind."""
    values = "; ".join(f"{name}: {', '.join(words)}" for name, words in ATTRIBUTES.items())
    texts = [text for row in captions.texts for text in row]
    height, width = scenes.images.shape[2:]
    silent = ", ".join(f"{name} {1 - share:.0%}" for name, share in zip(ATTRIBUTES, shares(scenes, captions), strict=True))
    shown = len(scenes.truth[:, :3].unique(dim=0))
    return CARD.format(
        about=f"Pictures of {height} by {width} pixels of one to three equal objects, with the exact label of every pixel, and "
        f"sentences about them. Attributes ({values}) are drawn first and painted then, so the truth is known, not labelled.",
        size=f"{len(scenes.images)} pictures, {captions.said.shape[1]} captions of each, {len(set(texts))} of them different; "
        f"{shown} combinations of shape, colour and texture, {int(held(scenes.truth).sum())} pictures of those held out; "
        f"left out of captions where it is defined: {silent}",
        mind="Objects of one picture share all attributes. A plural tells that there are several even where the count is not "
        "said. The background can be tied to the shape by a knob, and is not unless stated.",
    )


def shares(scenes: Scenes, captions: Captions) -> list[float]:
    """Return how often each attribute is said where it is defined."""
    there = scenes.truth >= 0
    said = captions.said.double().mean(1)
    return [said[there[:, column], column].mean().item() for column in range(len(ATTRIBUTES))]
