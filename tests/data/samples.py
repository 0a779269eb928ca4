"""Where the tests of this room find data: the embedded ones, and a mirror of the public ones."""

import pytest

from tests import ROOT

MIRROR = ROOT.parent / "shared/data"
RAW = ROOT / "data/raw"
mirrored = pytest.mark.skipif(not MIRROR.exists(), reason=f"the mirror of public data {MIRROR} is not here")
