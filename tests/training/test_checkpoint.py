"""A checkpoint brings back the whole state, belongs to its settings, and survives a crash."""

import pytest
import torch

from lib.bottlenecks import chosen
from lib.nets.stacked import Bottleneck
from lib.training import checkpoint, loop
from tests.training.samples import PLAN, SHAPE, data


@pytest.mark.parametrize("change", ["plan", "data", "betas", "option"])
def test_a_checkpoint_of_other_settings_is_not_gone_on_from(fabric, tmp_path, monkeypatch, change):
    split, path = data(), tmp_path / "checkpoint.safetensors"
    terms, betas = chosen("nib", {"betas": [0.0, 0.1], "deviation": 1.0})
    model = Bottleneck([0, 0, 1, 1], 3, 1, SHAPE)
    progress = checkpoint.Progress(model, torch.optim.Adam(model.parameters()), [], 4)
    members = loop.Members("nib", [0, 1], betas)
    before = progress.fingerprint((members, PLAN, terms.keywords), split.train)
    assert before == progress.fingerprint((members, PLAN, terms.keywords), split.train)
    after = {
        "plan": ((members, PLAN._replace(lr=0.02), terms.keywords), split.train),
        "data": ((members, PLAN, terms.keywords), data(n=81).train),
        "betas": ((members._replace(betas=[0.0, 0.2]), PLAN, terms.keywords), split.train),
        "option": ((members, PLAN, {"deviation": 2.0}), split.train),
    }[change]
    assert progress.fingerprint(*after) != before
    progress.save(path, before)
    assert not progress.load(path, progress.fingerprint(*after))


def test_a_checkpoint_brings_back_the_whole_state(tmp_path):
    def progress():
        model = Bottleneck([0, 1], 3, 1, SHAPE)
        return checkpoint.Progress(model, torch.optim.Adam(model.parameters()), [torch.Generator().manual_seed(5)], 2)

    before, after, path = progress(), progress(), tmp_path / "state.safetensors"
    sum(p.square().sum() for p in before.model.parameters()).backward()
    before.optimizer.step()
    before.epoch, before.history = 9, [{"epoch": 9}]
    before.keep(torch.tensor([True, False]), torch.tensor([0.5, 0.1]))
    before.snapshot()
    before.model.output.weight.data.zero_()
    torch.rand(3, generator=before.generators[0])
    before.save(path, "same")
    assert after.load(path, "same")
    found, wanted = after.tensors(), before.tensors()
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert (after.epoch, after.history) == (9, [{"epoch": 9}])


def test_a_crash_while_saving_leaves_the_old_checkpoint(fabric, tmp_path, monkeypatch):
    model, path = Bottleneck([0], 3, 1, SHAPE), tmp_path / "checkpoint.safetensors"
    progress = checkpoint.Progress(model, torch.optim.Adam(model.parameters()), [], 1)
    progress.save(path, "one")
    before = path.read_bytes()

    def full(tensors, target, metadata):
        target.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        progress.save(path, "one")
    assert path.read_bytes() == before
