"""Critics score each pair by itself, deal rows without repetition, and are measured on rows that they have not seen."""

import pytest
import torch

from lib.estimators import critics, variational
from lib.estimators.critics import Budget
from lib.estimators.variational import METHODS
from tests.estimators.samples import stacked


def modules(members, dx=2, dy=3):
    return {
        name: make(dx, dy, 8, [torch.Generator().manual_seed(s) for s in members]) for name, make in critics.CRITICS.items()
    }


@pytest.mark.parametrize("name", critics.CRITICS)
def test_a_score_depends_on_its_own_pair_only(name):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 5, 2, generator=g), torch.randn(2, 6, 3, generator=g)
    critic = modules([0, 1])[name]
    scores = critic(x, y)
    assert scores.shape == (2, 5, 6)
    torch.testing.assert_close(scores[:, 3:4, 2:3], critic(x[:, 3:4], y[:, 2:3]))
    torch.testing.assert_close(scores[1:], modules([1])[name](x[1:], y[1:]))


def test_the_conditional_critic_is_a_normal_density():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(1, 4, 2, generator=g), torch.randn(1, 4, 3, generator=g)
    critic = modules([5])["conditional"]
    m, v = critic.of_x(x).chunk(2, -1)
    density = torch.distributions.Normal(m[0, :, None], (0.5 * 7 * (v / 7).tanh()).exp()[0, :, None])
    torch.testing.assert_close(critic(x, y)[0], density.log_prob(y[0][None]).sum(-1), rtol=1e-4, atol=1e-4)


def test_on_its_own_rows_a_critic_exaggerates():
    x, y = stacked(0.0, d=5, n=200)
    method = METHODS["infonce"]._replace(chosen=Latest())
    critic, rest = critics.trained(x, y, method, [0] * 5, Budget(steps=100))
    generators = [torch.Generator().manual_seed(0) for _ in range(5)]
    learnt = critics.parts(x, y, generators)[0]
    own, unseen = (critics.measured(critic, variational.infonce, *rows, 20) for rows in (learnt, rest))
    assert own.mean() > 0.3 and unseen.mean() < 0.1


class Latest:
    """Prefer whatever weights came last, which is training without a choice."""

    def __init__(self):
        self.looks = 0

    def __call__(self, scores):
        self.looks += 1
        return scores.new_full(scores.shape[:1], self.looks)


def test_batches_are_shuffles_without_repetition():
    rows = critics.batches(10, 3, 7, [torch.Generator().manual_seed(s) for s in (0, 1)])
    assert len(rows) == 7 and all(r.shape == (2, 3) for r in rows)
    epoch = torch.cat(rows[:3], 1)
    assert all(len(set(r.tolist())) == 9 for r in epoch) and not torch.equal(epoch[0], epoch[1])
