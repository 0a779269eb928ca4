"""What people write becomes HTML that can do nothing, and formulas that are whole."""

import pytest

from pipelines.markdown import html, table
from pipelines.report import templates


def test_raw_html_is_shown_not_run():
    page = html("<script>alert(1)</script> and <img src=x onerror=alert(1)> [link](javascript:alert(1))")
    assert "<script" not in page and "<img" not in page and 'href="javascript' not in page


def test_formulas_become_mathml_and_code_stays_code():
    page = html(r"with $I(X;T) \le \log n$ and `$HOME` and $$\frac{1}{2}$$ but 5\$ or 6\$")
    assert page.count("<math") == 2 and "<mfrac>" in page and "$HOME" in page and 'display="block"' in page


@pytest.mark.parametrize("tex", [r"\KL(p)", r"\arg"])
def test_a_formula_with_an_unknown_command_is_an_error(tex):
    with pytest.raises(ValueError, match="holds a command that cannot be shown"):
        html(f"so ${tex}$ it is")


def test_named_functions_stand_apart_from_what_they_take():
    assert '<mi>log</mi><mspace width="0.17em"/><mi>n</mi>' in html(r"$\log n$")
    assert "mspace" not in html(r"$\log(n) + ab$")


def test_underscores_in_formulas_are_not_emphasis():
    assert "<em>" not in html(r"$a_i b_j$ and $c_i d_j$")


def test_tables_scroll_in_their_own_box():
    assert '<div class="wide"><table>' in html("| a | b |\n|---|---|\n| 1 | 2 |")


def test_data_frames_keep_cells_and_lose_all_else():
    page = table(
        '<style>td {}</style><table border="1" onclick="x()"><tr><td colspan="2">&lt;b&gt;</td><script>1</script></tr></table>'
    )
    assert '<td colspan="2">&lt;b&gt;</td>' in page
    assert not any(word in page for word in ("script", "onclick", "border", "style", "td {}"))


def test_what_a_claim_says_is_text_not_html():
    row = dict.fromkeys(("id", "source", "where", "says", "published", "data", "rule"), '<img src=x onerror="1">')
    row |= {"verdict": "holds", "measured": 0.1234, "spread": None, "seeds": 5}
    page = str(templates().get_template("macros.html").module.ledger([row]))
    assert "<img" not in page and page.count("&lt;img") >= 6 and "0.123" in page


def test_figures_cannot_break_out_of_their_frame():
    figure = {"uri": "data:,", "title": '"><script>', "caption": "<b>"}
    page = str(templates().get_template("macros.html").module.picture(figure, "dvc repro"))
    assert "<script" not in page and "<b>" not in page
