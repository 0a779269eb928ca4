"""Markdown with formulas, and tables of notebooks, as HTML that holds nothing but what is named here."""

import hashlib
import re
from html import unescape
from xml.etree.ElementTree import tostring

import mistune
from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner
from latex2mathml.converter import convert_to_element
from markupsafe import Markup

FENCE = r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?P<fence>`{3,}+(?=[^`\n]*$)|~{3,}+).*?^[ \t>]*(?P=fence)[`~]*[ \t]*$"
CODE = r"(?<!`)(?P<ticks>`++)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)"
ADDRESS = r"https?://[^\s<>()]+"
START = r"[ \t]*(?:$|[-+*#>|`~]|\d+[.)]|=+[ \t]*$)"  # of a line that belongs to no paragraph, or begins one
# A formula is what pandoc takes for one (tex_math_dollars).
BLOCK = r"\$\$(?!\s*\$)(?P<block>(?:\\.|[^\\\n]|\n(?![ \t]*$))+?)\$\$"
INLINE = rf"\$(?![\s$])(?P<inline>(?:\\.|[^\\$\n]|\n(?!{START}))+)(?<!\s)\$(?!\d)"
TEX = re.compile(rf"\\.|{FENCE}|{CODE}|{ADDRESS}|{BLOCK}|{INLINE}", re.S | re.M)  # what comes first keeps its dollars
NAMED_FUNCTION = re.compile(r"(<mi>[a-z]{2,}</mi>)(?=<m(?!o))")  # log n, not logn
render = mistune.create_markdown(escape=True, plugins=["table", "strikethrough", "url"])

TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
PROSE = {"h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "pre", "code", "em", "strong", "del", "br", "hr", "div"}
PROSE |= {"ul", "ol", "li", "a", "img"}
FORMULA = {"mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder"}
FORMULA |= {"mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"}
LOOK = ["mathvariant", "mathcolor", "mathbackground", "mathsize", "displaystyle", "scriptlevel", "linebreak", "notation"]
LOOK += ["stretchy", "fence", "form", "largeop", "movablelimits", "separator", "accent", "minsize", "maxsize", "linethickness"]
LOOK += ["lspace", "rspace", "width", "height", "depth", "voffset"]
LOOK += ["columnalign", "columnlines", "columnspacing", "rowlines", "rowspacing"]
LINK = re.compile(r"https?:|mailto:|[^:]*(?:[/?#]|$)", re.I)
PICTURE = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,")  # pages load nothing


def safe(tag: str, name: str, value: str) -> bool:
    """Say whether a link or a picture may keep an attribute; the cleaner alone takes javascript:1 for a host and its port."""
    patterns = {"href": LINK, "src": PICTURE}
    return name in {"title", "alt"} or (name in patterns and patterns[name].match(unescape(value)) is not None)


clean = Cleaner(
    tags=PROSE | TABLE | FORMULA | {"math"},
    attributes=dict.fromkeys(FORMULA, LOOK)
    | {"math": ["xmlns", "display"], "a": safe, "img": safe, "ol": ["start"], "code": ["class"], "div": ["class"]}
    | {"th": ["style"], "td": ["style"]},
    protocols={"http", "https", "mailto", "data"},
    css_sanitizer=CSSSanitizer(allowed_css_properties={"text-align"}, allowed_svg_properties=()),
).clean
clean_table = Cleaner(tags=TABLE, attributes={"th": ["colspan", "rowspan"], "td": ["colspan"]}, strip=True).clean


def mathml(tex: str, display: str) -> str:
    """Return a formula as MathML; what the converter does not know it would print raw, so that is an error."""
    try:
        element = convert_to_element(tex, display=display)
    except Exception as error:  # of many kinds, most without words
        raise ValueError(f"the formula {tex!r} cannot be read: {error!r}; correct it, or write \\$ for a dollar") from error
    # The converter writes characters as &#x2264; in its text; its own way to print them lets < and > of a text through.
    made = re.sub(r"&amp;(?=#x[0-9A-Fa-f]+;)", "&", tostring(element, encoding="unicode"))
    if "\\" in (raw := re.sub(r"<[^>]*>", "", made)):
        raise ValueError(f"the formula {tex!r} holds a command that cannot be shown: {raw!r}; write it in plainer TeX")
    return NAMED_FUNCTION.sub(r'\1<mspace width="0.17em"/>', made)


def crosses(formula: re.Match) -> bool:
    """Say whether what looks like a formula leaves the heading or the cell of a table that it began in."""
    line = formula.string[: formula.start()].rpartition("\n")[2].lstrip(" ")
    border = {"#": "\n", "|": " | "}.get(line[:1])
    return border is not None and border in formula[0]


def html(text: str) -> Markup:
    """Return Markdown as HTML; formulas become MathML, raw HTML is shown as text."""
    formulas: list[re.Match] = []
    mark = f"formula{hashlib.sha256(text.encode()).hexdigest()}n"  # which no text holds, as none knows its own hash

    def cut(match: re.Match) -> str:
        if not (match["block"] or match["inline"]) or crosses(match):
            return match[0]
        formulas.append(match)
        return f"{mark}{len(formulas) - 1}n"

    def put(match: re.Match) -> str:
        if match["kept"]:
            return re.sub(rf"{mark}(\d+)n", lambda inner: mistune.escape(formulas[int(inner[1])][0]), match["kept"])
        formula = formulas[int(match["number"])]
        return mathml(formula["block"] or formula["inline"], "block" if formula["block"] else "inline")

    page = render(TEX.sub(cut, text))
    page = re.sub(rf"(?P<kept><code.*?</code>|<[^>]*>)|{mark}(?P<number>\d+)n", put, page, flags=re.S)
    return Markup(clean(page.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")))


def table(text: str) -> Markup:
    """Return a data frame's HTML with tags of tables only."""
    bare = re.sub(r"<(style|script)\b.*?</\1\s*>", "", text, flags=re.S | re.I)
    return Markup(clean_table(bare))
