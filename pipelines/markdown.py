"""Markdown with formulas, and tables of notebooks, as HTML that holds nothing but what is named here."""

import re

import bleach
import mistune
from latex2mathml.converter import convert
from markupsafe import Markup

CODE = r"(?P<code>```.*?```|`[^`\n]+`)"
TEX = re.compile(rf"{CODE}|\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+?)\$", re.S)
NAMED_FUNCTION = re.compile(r"(<mi>[a-z]{2,}</mi>)(?=<m(?!o))")  # log n, not logn
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
render = mistune.create_markdown(escape=True, plugins=["table", "strikethrough", "url"])


def mathml(tex: str, display: str) -> str:
    """Return a formula as MathML; what the converter does not know it would print raw, so that is an error."""
    made = convert(tex, display=display)
    if "\\" in (raw := re.sub(r"<[^>]*>", "", made)):
        raise ValueError(f"the formula {tex!r} holds a command that cannot be shown: {raw!r}; write it in plainer TeX")
    return NAMED_FUNCTION.sub(r'\1<mspace width="0.17em"/>', made)


def html(text: str) -> Markup:
    """Return Markdown as HTML; formulas become MathML, raw HTML is shown as text."""
    formulas: list[str] = []

    def cut(match: re.Match) -> str:
        if match["code"]:
            return match["code"]
        display = "block" if match["block"] else "inline"
        formulas.append(mathml(match["block"] or match["inline"], display))
        return f"formulaplace{len(formulas) - 1}here"

    page = render(TEX.sub(cut, text))
    page = re.sub(r"formulaplace(\d+)here", lambda m: formulas[int(m[1])], page)
    return Markup(page.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>"))


def table(text: str) -> Markup:
    """Return a data frame's HTML with tags of tables only."""
    bare = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    return Markup(bleach.clean(bare, tags=TABLE, attributes={"th": ["colspan", "rowspan"], "td": ["colspan"]}, strip=True))
