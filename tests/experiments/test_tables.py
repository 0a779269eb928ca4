"""Tables of units of work come together in order."""

from lib.experiments.tables import together


def doubled(item):
    return {"a": [{"item": item}], "b": [{"twice": 2 * item}] * item}


def test_tables_of_all_units_come_together_in_order():
    found = together(doubled, iter([1, 2]), workers=1)
    assert found["a"]["item"].tolist() == [1, 2] and found["b"]["twice"].tolist() == [2, 4, 4]
