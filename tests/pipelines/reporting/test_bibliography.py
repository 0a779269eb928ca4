"""What references.bib says of a work is read by its key, without TeX's braces."""

from pipelines.reporting.bibliography import works
from tests import ROOT

TEXT = """% A note on @article{nothing, here.

@article{a2020b,
  author = {Ann {\\'E}
    and B},
  Title = {On {B} = {C}},
  doi = "10.1/x",
  year = {2020}
}

@book{c,
  title = {C},
}
"""


def test_fields_are_read_by_key(tmp_path):
    (tmp_path / "x.bib").write_text(TEXT)
    first = {"author": "Ann \\'E and B", "title": "On B = C", "doi": "10.1/x", "year": "2020"}
    assert works(tmp_path / "x.bib") == {"a2020b": first, "c": {"title": "C"}}


def test_every_work_that_is_cited_here_has_what_a_page_shows():
    found = works(ROOT / "references.bib")
    assert len(found) > 50 and [key for key, work in found.items() if not {"title", "year", "author"} <= work.keys()] == []
    assert [key for key, work in found.items() if not work["year"].isdigit() or "{" in "".join(work.values())] == []
