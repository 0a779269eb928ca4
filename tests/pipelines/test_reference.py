"""What replays are compared with is of this very lock, and has the verdicts that are expected."""

import pytest

from lib.workbook import runs
from pipelines import replay
from tests import ROOT

STORED = runs.read_json(ROOT / replay.REFERENCE)


def test_the_reference_is_of_the_lock():
    assert STORED["embedded"]["stages"] == replay.stages(ROOT), "run `python -m pipelines.replay --accept` after `make repro`"


@pytest.mark.parametrize("scale", ["smoke", "embedded"])
def test_the_reference_has_the_expected_verdicts(scale):
    expected = runs.read_json(ROOT / "reports/expected.json")[scale]
    assert {name: claim["verdict"] for name, claim in STORED[scale]["claims"].items()} == expected
