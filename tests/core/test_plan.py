"""Plans say when scores are taken, and refuse what cannot be."""

import pytest

from lib.core.plan import Plan, epochs_recorded, planned


def test_snapshots_lie_evenly_in_log_epoch_and_end_with_the_last():
    epochs = epochs_recorded(Plan(epochs=1000, batch=2, lr=1.0, records=7, snapshots=True))
    assert epochs == [1, 3, 10, 32, 100, 316, 1000]
    assert epochs_recorded(Plan(epochs=10, batch=2, lr=1.0, records=50)) == list(range(1, 11))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 3, "batch": 2}, "a plan lacks 'lr'; it needs epochs, batch, lr"),
        ({"epochs": 3, "batch": 2, "lr": 0.1, "epohcs": 3}, "a plan has no 'epohcs'; it takes epochs, batch"),
        ({"epochs": 0, "batch": 2, "lr": 0.1}, "epochs must be a whole number >= 1, got 0"),
        ({"epochs": 3, "batch": 1, "lr": 0.1}, "batch must be a whole number >= 2"),
        ({"epochs": 3, "batch": 2, "lr": -0.1}, "lr must be a positive finite number, got -0.1"),
        ({"epochs": 3, "batch": 2, "lr": 0.1, "select": "test"}, "unknown select 'test'; known: last, validation"),
        ({"epochs": 3, "batch": 2, "lr": 0.1, "clip": 0.0}, "clip must be > 0"),
    ],
)
def test_refuses_plans_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        planned(settings)
