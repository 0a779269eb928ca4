"""What people write becomes HTML that can do nothing, and formulas that are whole."""

import re
from xml.etree.ElementTree import canonicalize

import nbformat
import pandas as pd
import pytest
from latex2mathml import commands
from latex2mathml.converter import convert

from pipelines.report import templates
from pipelines.reporting.markdown import clean, html, mathml, table
from tests import ROOT

HARM = re.compile(r"<(?:script|style|svg|iframe|form|base|meta)|<[^>]*\s(?:on\w+|class|href|src)=[^>]*>", re.I)


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
    assert '<mi>log</mi><mspace width="0.17em"></mspace><mi>n</mi>' in html(r"$\log n$")
    assert "mspace" not in html(r"$\log(n) + ab$")


@pytest.mark.parametrize("tex", [r"\text", r"\left( x", r"\def\a{\a}\a", "x^2^3"])
def test_a_formula_that_cannot_be_read_is_an_error_that_names_it(tex):
    with pytest.raises(ValueError, match="cannot be read") as raised:
        html(f"so ${tex}$ it is")
    assert repr(tex) in str(raised.value) and raised.value.__cause__ is not None


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{</math><svg onload=alert(1)>}",
        r"\text{]]><!-- --><svg><foreignObject><iframe>}",
        r"\text{<a href='javascript:alert(1)'>}",
        r"\href{javascript:alert(1)}{x}",
        r"\href{https://example.org}{x}",
        r"\style{background:red}{x}",
        r"\class{verdict}{x}",
        r"\tag{<script>}",
    ],
)
def test_a_formula_brings_no_markup_of_its_own(tex):
    page = html(f"so ${tex}$ it is")
    assert page.count("<math") == 1 and "<!--" not in page
    assert not HARM.search(page) and "style=" not in page


def test_what_a_formula_says_is_shown_as_it_stands():
    assert "<mtext>a&#x000A0;&lt;b&gt;&#x000A0;&amp;&#x000A0;c</mtext>" in html(r"$\text{a <b> & c}$")
    assert "<mtext>&amp;lt;b&amp;gt;</mtext>" in html(r"$\text{&lt;b&gt;}$")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$x$", 1),
        ("$5 and $6", 0),
        ("$5, or 6$ with", 1),
        (r"\$5 and \$6$", 0),
        (r"\\$x$", 1),
        (r"$\$5$", 1),
        ("$ 5$", 0),
        ("$5 $", 0),
        ("$x$5", 0),
        ("$x$, 5", 1),
        (r"2$\sigma$", 1),
        ("a lone $ here", 0),
        ("$", 0),
        ("$$", 0),
        ("$$$$", 0),
        ("$$ $$", 0),
        ("$$ x $$", 1),
        ("$$\nx\n$$", 1),
        ("$$x\n\ny$$", 0),
        ("$$x\n  \ny$$", 0),
        ("$x\n= y$", 1),
        ("$x\n\ny$", 0),
        ("- costs $5\n- costs 6$", 0),
        ("# costs $5\ncosts 6$", 0),
        ("| a | b |\n|---|---|\n| $5 | 6$ |", 0),
        ("| a | b |\n|---|---|\n| $p(x|y)$ | $z$ |", 2),
        ("*the best $x^*$ of all*", 1),
        ("[the $x$](https://example.org)", 1),
        ("https://example.org/$a$/", 0),
        ("`$x$`", 0),
        ("``a ` $x$``", 0),
        ("`` `$x` `` and y$", 0),
        (r"\`$x$\`", 1),
        ("`` $x$ `", 1),
        ("```\n$x$\n```\n$y$", 1),
        ("~~~\n$x$\n~~~\n$y$", 1),
        ("````\n```\n$x$\n````\n$y$", 1),
        ("> ```\n> $x$\n> ```\n> $y$", 1),
        ("- a\n\n  ~~~ sh\n  $x$\n  ~~~\n  $y$", 1),
        ("```\necho $x\n```\ncosts 6$", 0),
        ("~~~\necho $x\n~~~\ncosts 6$", 0),
        ("~~~\n$$\n~~~\n$$x$$", 1),
        ("a ` b\n\n$x$ ` c", 1),
        ("```\n$x$ to the end", 0),
        ("    $x$", 0),
    ],
)
def test_dollars_are_read_as_pandoc_reads_them(text, shown):
    page = html(text)
    assert page.count("<math") == shown
    assert shown or re.sub("<[^>]*>", "", page).count("$") == text.count("$")
    assert not re.search(r"[0-9a-f]{64}", page)


def test_code_keeps_its_dollars_and_their_signs():
    assert "<code>$a &lt; b$</code>" in html("    $a < b$")
    assert "<code>echo $HOME $x$\n</code>" in html("~~~\necho $HOME $x$\n~~~")


def test_no_word_of_a_text_stands_for_a_formula():
    assert html("formulaplace0here and $x$").startswith("<p>formulaplace0here and <math")


def test_a_formula_in_an_attribute_stays_text():
    page = html('[the $x$](https://example.org/a "the $y$") and ![the $z<1$](data:image/png;base64,AAAA) and [a](b/$c$)')
    assert page.count("<math") == 1
    assert all(part in page for part in ('title="the $y$"', 'alt="the $z&lt;1$"', 'href="b/$c$"'))


@pytest.mark.parametrize(
    "address", ["https://example.org/a?b=1&c", "http://a.org", "mailto:a@b.org", "a/b.csv#c", "#c", "/a:b"]
)
def test_links_lead_to_pages_and_letters(address):
    assert f'href="{address.replace("&", "&amp;")}"' in html(f"[a]({address})")


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "JaVaScript:1", "java&Tab;script:1", "javascript&colon;1", "javascript&#58;1", "vbscript:1"),
        *("data:text/html,1", "data:image/png;base64,AAAA", "tel:1", "ftp://example.org", "file:///etc/passwd"),
    ],
)
def test_links_lead_nowhere_else(address):
    assert re.search(r'<a(?: href="#harmful-link")?>a</a>', html(f"[a]({address})"))
    assert clean(f'<a href="{address}">a</a>') == "<a>a</a>"


def test_pictures_are_those_that_a_text_holds():
    assert 'src="data:image/png;base64,AAAA"' in html("![a](data:image/png;base64,AAAA)")
    for address in ("https://example.org/a.png", "data:image/svg+xml;base64,AAAA", "a.png"):
        assert '<img alt="a">' in html(f"![a]({address})")


def test_the_cleaner_leaves_what_is_named_and_shows_the_rest():
    page = clean('<p onclick="x()" class="note" style="color:red">a<script>b</script><svg><style>c</style></svg><!-- d --></p>')
    assert page.startswith("<p>a&lt;script&gt;b") and not HARM.search(page) and "<!--" not in page
    assert "text-align:right" in (page := html("| a |\n|--:|\n| 1 |")) and page.count("style=") == 2


# Commands that give a formula an address, a rule of style or the name of a class, which reports do not keep.
LEFT_OUT = {commands.HREF, commands.STYLE, commands.CLASS, commands.FCOLORBOX}
USED = dict.fromkeys((commands.LEFT, commands.MIDDLE, commands.RIGHT), r"\left( a \middle| b \right)")
USED |= {commands.GENFRAC: r"\genfrac(){1pt}0{a}{b}", commands.ROOT: r"\root 3 \of x", commands.SKEW: r"\skew{2}\hat{a}"}
USED |= {name: rf"\begin{{{name[1:]}}}a & b \\ c & d\end{{{name[1:]}}}" for name in commands.MATRICES}


@pytest.mark.parametrize("command", sorted(commands.CONVERSION_MAP.keys() - LEFT_OUT))
def test_the_cleaner_keeps_all_that_commands_give(command):
    made = mathml(USED.get(command, f"x{command}{{1em}}{{a}}{{b}}"), "inline")
    assert canonicalize(clean(made)) == canonicalize(made)


def stored() -> list[str]:
    """What people have written here: prose of notebooks, and cards of data."""
    books = [nbformat.read(path, as_version=4) for path in sorted((ROOT / "notebooks").rglob("*.ipynb"))]
    prose = [cell.source for book in books for cell in book.cells if cell.cell_type == "markdown"]
    return prose + [path.read_text() for path in sorted((ROOT / "data/raw").glob("*/card.md"))]


def test_stored_formulas_reach_the_page_as_the_converter_makes_them():
    number = 0
    for text in stored():
        bare = re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.S)
        found = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", bare, re.S)
        made = [canonicalize(convert(block or line, display="block" if block else "inline")) for block, line in found]
        shown = re.findall(r"<math.*?</math>", html(text).replace('<mspace width="0.17em"></mspace>', ""), re.S)
        assert [canonicalize(formula) for formula in shown] == made, text
        number += len(made)
    assert number > 150


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


def test_styled_frames_lose_their_style_and_what_their_cells_would_run():
    frame = pd.DataFrame({"a": ["<script>alert(1)</script>", '<a href="javascript:alert(1)" onclick="x()">link</a>']})
    page = table(frame.style.set_properties(color="red").to_html())
    assert page.count("<td>") == 2 and "link" in page
    assert not HARM.search(page) and "color" not in page and "alert" not in page


def test_no_rule_or_script_of_an_output_is_shown_as_text():
    page = table("<STYLE type='text/css'>td {}</STYLE><Script src='x'>run()</Script ><table><tr><td>1</td></tr></table>")
    assert page == "<table><tbody><tr><td>1</td></tr></tbody></table>"


def test_a_card_by_any_name_stays_in_its_place():
    page = templates().get_template("data.html").render(cards={'"><script>': html("<b>")}, params={"data": {"<i>": 1}})
    assert "<script" not in page and "<b>" not in page and "<i>" not in page


def test_what_a_claim_says_is_text_not_html():
    row = dict.fromkeys(("id", "source", "where", "says", "published", "data", "rule"), '<img src=x onerror="1">')
    row |= {"verdict": "holds", "measured": 0.1234, "spread": None, "seeds": 5}
    page = str(templates().get_template("macros.html").module.ledger([row]))
    assert "<img" not in page and page.count("&lt;img") >= 6 and "0.123" in page


def test_figures_cannot_break_out_of_their_frame():
    figure = {"uri": "data:,", "title": '"><script>', "caption": "<b>"}
    page = str(templates().get_template("macros.html").module.picture(figure, "dvc repro"))
    assert "<script" not in page and "<b>" not in page
