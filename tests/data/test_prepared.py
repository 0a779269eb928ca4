"""Splits are seeded and leak nothing; what cannot be split is refused."""

import pytest
import torch

from lib.core.types import Table
from lib.data import prepared


def table_of(n=50, d=3, *, labels=False):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=g) * torch.tensor([1.0, 10.0, 0.0][:d]) + 5
    y = torch.randint(0, 3, (n,), generator=g) if labels else x[:, :1] * 2 + 1
    return Table(x, y, [f"x{i}" for i in range(d)], "y")


def written(tmp_path, table, seeds=(0, 1), fractions=(0.6, 0.2, 0.2)):
    prepared.write(tmp_path, table, seeds=list(seeds), fractions=list(fractions))
    return tmp_path


def test_splits_are_seeded_and_every_row_is_in_one_part(tmp_path):
    table = table_of()
    table.x[:, 2] = torch.arange(50)
    data = prepared.read(written(tmp_path, table), [0, 1])
    assert [part.x.shape[:2] for part in data.split] == [(2, 30), (2, 10), (2, 10)]
    for seed in (0, 1):
        column = torch.cat([part.x[seed, :, 2] for part in data.split])
        assert len(column.unique()) == 50
    assert not torch.equal(data.split.train.x[0], data.split.train.x[1])
    again = prepared.read(tmp_path, [1])
    assert torch.equal(again.split.train.x[0], data.split.train.x[1])


def test_statistics_come_from_training_rows_only(tmp_path):
    first = prepared.read(written(tmp_path, table_of()), [0])
    stored = prepared.assignment(50, (0.6, 0.2, 0.2), 0)
    changed = table_of()
    changed.x[stored == 2] += 1000  # only test rows move
    changed.y[stored == 2] -= 77
    second = prepared.read(written(tmp_path, changed), [0])
    assert torch.equal(first.split.train.x, second.split.train.x) and torch.equal(first.split.train.y, second.split.train.y)
    assert torch.equal(first.y_std, second.y_std)
    assert not torch.equal(first.split.test.x, second.split.test.x)
    assert first.split.train.x.mean(1).abs().max() < 1e-5
    torch.testing.assert_close(first.split.train.x[..., :2].std(1, correction=0), torch.ones(1, 2))
    assert (first.split.train.x[..., 2] == 0).all(), "a constant column carries nothing"


def test_labels_stay_labels(tmp_path):
    data = prepared.read(written(tmp_path, table_of(labels=True)), [0])
    assert data.outputs == 3 and data.split.train.y.dtype == torch.int64 and data.y_std.tolist() == [1.0]


def test_a_sample_is_seeded_and_keeps_order():
    table = table_of(200)
    one, two = prepared.sample(table, 20), prepared.sample(table, 20)
    assert torch.equal(one.x, two.x) and one.x.shape == (20, 3)
    assert prepared.sample(table, 0) is table
    with pytest.raises(ValueError, match="rows is 201, but the table has 200; give at most 200, or 0 for all"):
        prepared.sample(table, 201)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fractions": (0.5, 0.5, 0.5)}, "sum to 1"),
        ({"fractions": (0.98, 0.01, 0.01)}, "a part would be empty"),
        ({"seeds": (1, 1)}, "seeds must be distinct"),
    ],
)
def test_refuses_splits_that_cannot_be(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path, table_of(), **options)


def test_refuses_gaps_and_unknown_seeds(tmp_path):
    table = table_of()
    table.x[3, 1] = float("nan")
    with pytest.raises(ValueError, match="x holds 1 NaN or infinite values; drop or impute those rows"):
        written(tmp_path, table)
    with pytest.raises(ValueError, match=r"holds splits for the seeds \[0, 1\], not for \[7\]; add them to `seeds`"):
        prepared.read(written(tmp_path, table_of()), [7])
    with pytest.raises(FileNotFoundError, match="`dvc repro prepare` writes it"):
        prepared.read(tmp_path / "nowhere", [0])
