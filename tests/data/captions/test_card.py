"""The card counts what is there."""

from lib.data.captions.attributes import COLUMN
from lib.data.captions.card import card
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions


def test_the_card_counts_what_is_there():
    scene = scenes(200, part="held", seed=1)
    written = captions(scene.truth, each=2, seed=1)
    text = card(scene, written)
    different = len({sentence for row in written.texts for sentence in row})
    assert f"200 pictures, 2 captions of each, {different} of them different" in text
    assert (
        f"{len(set(map(tuple, scene.truth[:, :3].tolist())))} combinations of shape, colour and texture, 200 pictures" in text
    )
    single = scene.truth[:, COLUMN["count"]] == 0
    silent = 1 - written.said[single][:, :, COLUMN["place"]].double().mean()
    assert f"place {silent:.0%}" in text
