"""A clip moves its object and nothing else."""

import torch

from lib.data.captions.clips import MOVES, clips


def test_a_clip_moves_its_object_and_nothing_else():
    film = clips(40, frames=5, seed=0)
    assert film.images.shape == (40, 5, 3, 32, 32) and film.instances.shape == (40, 5, 32, 32)
    steps = film.objects[:, 1:, :2] - film.objects[:, :-1, :2]
    assert (
        torch.allclose(steps, steps[:, :1].expand_as(steps), atol=1e-4)
        and (film.objects[:, 0, 2:] == film.objects[:, -1, 2:]).all()
    )
    axis, sign = steps[:, 0].abs().argmax(1), steps[:, 0].sum(1) > 0
    assert [MOVES[i] for i in film.move] == [
        ("up", "down", "left", "right")[2 * a + s] for a, s in zip(axis.tolist(), sign.tolist(), strict=True)
    ]
    assert set(film.move.tolist()) == {0, 1, 2, 3} and (steps[:, 0].abs().amin(1) == 0).all()
    far = torch.nn.functional.max_pool2d((film.instances > 0).float(), 7, 1, 3) == 0  # even a star's soft tip ends there
    still = (far[:, 1:] & far[:, :-1])[:, :, None]
    assert (film.images[:, 1:] == film.images[:, :-1])[still.expand(-1, -1, 3, -1, -1)].all()
    rows = torch.arange(32) + 0.5
    middle = (film.instances.sum(3) * rows).sum(2) / film.instances.flatten(2).sum(2)
    assert (middle - film.objects[..., 0]).abs().max() < 1
