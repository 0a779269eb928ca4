"""What is exported is what the loaders read, each with a card that says what may be done with it."""

import re

import numpy as np
import pandas as pd
import pytest

from lib.data import embedded
from pipelines.setup import export_data


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setattr(export_data, "RAW", tmp_path)
    return tmp_path


FACTS = {name: name for name in re.findall(r"\{(\w+)\}", export_data.CARD)}


def test_scikit_learns_tables_come_as_they_are_loaded(raw):
    export_data.export_tables()
    sizes = {"diabetes": (442, 10), "breast_cancer": (569, 30), "wine": (178, 13)}
    assert {path.name for path in raw.iterdir()} == sizes.keys()
    assert {name: tuple(getattr(embedded, name)(raw).x.shape) for name in sizes} == sizes
    assert embedded.diabetes(raw).x[:, 0].min() == 19, "ages are in years"


def test_images_are_kept_to_the_byte(raw):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    export_data.keep("mine", {"images": images, "labels": np.array([1, 0], np.uint8)}, **FACTS)
    found, labels = embedded.images(raw, "mine")
    assert found.dtype == np.uint8 and (found == images).all() and labels.tolist() == [1, 0]


def test_a_card_has_every_fact(raw):
    export_data.keep("mine", pd.DataFrame({"a": [1.0, None]}), **FACTS)
    assert embedded.frame_of(raw, "mine").a.isna().tolist() == [False, True], "what is missing stays missing"
    card = (raw / "mine/card.md").read_text()
    assert card.startswith("# title\n\nabout\n") and "- **Licence**: licence\n" in card and "{" not in card
    with pytest.raises(KeyError, match="licence"):
        export_data.keep("mine", pd.DataFrame(), **{name: name for name in FACTS if name != "licence"})


def test_a_task_of_a_formula_has_a_card_and_no_table(raw):
    export_data.export_rule()
    assert [path.name for path in (raw / "twelve_bit").iterdir()] == ["card.md"]
    assert "licence" in (raw / "twelve_bit/card.md").read_text().lower()
