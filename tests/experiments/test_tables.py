"""Tables of units of work come together in order."""

import pandas as pd
import pytest

from lib.experiments.tables import by_seed, means, together

SCORES = pd.DataFrame(
    [
        {"seed": 21, "method": "words", "kind": "l1", "accuracy": 0.5, "nats": 1.0},
        {"seed": 20, "method": "words", "kind": "l1", "accuracy": 0.25, "nats": 2.0},
        {"seed": 21, "method": "net", "kind": "none", "accuracy": 0.75, "nats": None},
        {"seed": 20, "method": "net", "kind": "none", "accuracy": 0.5, "nats": None},
    ]
)


def doubled(item):
    return {"a": [{"item": item}], "b": [{"twice": 2 * item}] * item}


def test_tables_of_all_units_come_together_in_order():
    found = together(doubled, iter([1, 2]), workers=1)
    assert found["a"]["item"].tolist() == [1, 2] and found["b"]["twice"].tolist() == [2, 4, 4]


def test_differences_between_methods_are_of_one_seed():
    accuracy = by_seed(SCORES)
    assert (accuracy["net"] - accuracy["words"]).to_dict() == {20: 0.25, 21: 0.25}
    assert by_seed(SCORES, "nats", columns="kind")["l1"].to_dict() == {20: 2.0, 21: 1.0}


def test_a_seed_with_two_values_is_no_pair():
    with pytest.raises(ValueError, match="duplicate"):
        by_seed(pd.concat([SCORES, SCORES]))


def test_means_are_text_in_the_order_of_the_table_and_blank_where_there_are_none():
    found = means(SCORES.assign(accuracy=SCORES.accuracy / 3), ["accuracy", "nats"])
    assert found.index.tolist() == ["words", "net"]
    assert found.to_dict("list") == {"accuracy": ["0.125", "0.208"], "nats": ["1.5", ""]}
