"""The report as a browser shows it: nothing missing, nothing too wide, nothing complained of."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from markupsafe import Markup
from playwright.sync_api import sync_playwright

from lib.workbook import runs
from pipelines.report import templates
from pipelines.runner import workspace

pytestmark = pytest.mark.programs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--enable-logging=stderr"),
]
PROBE = """<script>addEventListener("load", () => {
  const view = f.contentWindow, document = f.contentDocument, wide = document.documentElement.clientWidth;
  const scrolls = e => e && (view.getComputedStyle(e).overflowX != "visible" || scrolls(e.parentElement));
  const all = [...document.body.querySelectorAll("*")];
  const found = {
    width: wide,
    images: document.images.length,
    missing: [...document.images].filter(i => !i.naturalWidth).map(i => i.alt),
    outside: all.filter(e => e.getBoundingClientRect().right > wide + 1 && !scrolls(e.parentElement))
      .map(e => e.outerHTML.slice(0, 80)),
    page: document.documentElement.scrollWidth,
    tex: [...document.querySelectorAll("math")].filter(m => m.textContent.includes("\\\\")).length,
  };
  const pre = window.document.createElement("pre");
  pre.id = "out";
  pre.textContent = JSON.stringify(found);
  window.document.body.append(pre);
});</script>"""


def probed(page: Path, tmp_path: Path, width: int, *flags: str) -> tuple[dict, str]:
    """Return what was measured of a page at a width, and what the browser's console said.

    The page runs no script, so the frame around it measures; and a headless window is at least 500 wide, a frame is not.
    """
    reports, place = workspace.SMOKE.resolve() / "reports", tmp_path / "reports"
    shutil.copytree(reports, place)
    frame = place / "frame.html"
    inner = page.relative_to(reports)
    frame.write_text(
        f'<body style="margin:0"><iframe id="f" src="{inner}" style="width:{width}px;height:3000px;border:0"></iframe>'
        f"{PROBE}</body>"
    )
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--allow-file-access-from-files"]
    command += [f"--window-size={max(width, 600)},3000", "--dump-dom", "--virtual-time-budget=5000", f"file://{frame}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stdout[-500:] + done.stderr[-1000:]
    return json.loads(html.unescape(found[1])), "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


PAGES = ["index.html", "pages/data.html", "pages/cs_ib.html", "pages/compression_in_networks.html"]


@browser
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_whole_at_every_width(workbook, tmp_path, name, width):
    found, console = probed(workbook.resolve() / "reports" / name, tmp_path, width)
    assert found["width"] == width
    assert found["missing"] == [] and found["outside"] == [] and found["tex"] == 0, found
    assert found["page"] <= width
    assert found["images"] > 0 or name == "pages/data.html"
    assert console == ""


@browser
def test_the_probe_can_fail(workbook, tmp_path):
    page = workbook.resolve() / "reports/pages/data.html"
    before = page.read_text()
    spoilt = (
        '<img src="nowhere.png" alt="lost"><div style="width:3000px">wide</div><script>console.error("bad")</script></main>'
    )
    page.write_text(before.replace("</main>", spoilt))
    try:
        found, console = probed(page, tmp_path, 400)
    finally:
        page.write_text(before)
    assert found["missing"] == ["lost"] and found["outside"] and found["page"] > 400 and "Content Security Policy" in console


@pytest.fixture
def chromium():
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@browser
def test_the_policy_lets_through_what_pages_need(workbook, chromium):
    reports = workbook.resolve() / "reports"
    places = [reports / "index.html", reports / "provenance.html", *sorted((reports / "pages").glob("*.html"))]
    for place in places:
        page, said = chromium.new_page(), []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.goto(f"file://{place}")
        assert said == [], place
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)"), place
        assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none", place
        inner = [frame.text_content("body").split() for frame in page.frames[1:]]
        assert all(inner) and len(inner) == (place.name == "index.html"), place
        page.close()


PLANTED = """
<script>window.ran = "script"</script>
<img src="data:," onerror="window.ran = 'onerror'">
<svg onload="window.ran = 'onload'"></svg>
<math><mtext><img src="data:," onerror="window.ran = 'math'"></mtext></math>
<iframe srcdoc="<script>parent.ran = 'srcdoc'</script>"></iframe>
<a id="link" href="javascript:void(window.ran = 'link')">link</a>
"""


@browser
@pytest.mark.parametrize("policy", [True, False])
def test_what_gets_past_the_cleaner_runs_only_without_the_policy(tmp_path, chromium, policy):
    planted = templates().from_string('{% extends "base.html" %}{% block body %}{{ body }}{% endblock %}')
    text = planted.render(body=Markup(PLANTED))
    place = tmp_path / "page.html"
    place.write_text(text if policy else re.sub("<meta http-equiv=[^>]*>", "", text))
    page = chromium.new_page()
    page.goto(f"file://{place}")
    loaded = page.evaluate("window.ran ?? null")
    page.evaluate("window.ran = null")
    page.click("#link")
    assert (loaded is None, page.evaluate("window.ran")) == ((True, None) if policy else (False, "link"))


def test_pages_run_nothing_and_load_nothing(workbook):
    for name in PAGES:
        page = (workbook / "reports" / name).read_text()
        assert "<script" not in page.lower() and " onload=" not in page
        assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css|png|svg|woff2?)"', page)


def test_links_lead_somewhere(workbook):
    for name in PAGES:
        page = workbook / "reports" / name
        for link in re.findall(r'(?:src|href)="([^"#:]+)(?:#[^"]*)?"', page.read_text()):
            assert (page.parent / link).exists(), f"{name} leads to {link}, which is not there"


def test_every_claim_and_card_is_shown(workbook):
    page = (workbook / "reports/index.html").read_text()
    assert all(row["id"] in page for row in runs.read_json(workbook / "reports/claims.json"))
    data = (workbook / "reports/pages/data.html").read_text()
    cards = [p.parent.name for p in (workbook / "data/raw").glob("*/card.md")]
    assert len(cards) >= 8 and all(f'id="{name}"' in data for name in cards)
    assert "licence" in data.lower()


def test_a_title_that_asks_ends_with_its_question_mark(workbook):
    pages = [path.read_text() for path in (workbook / "reports/pages").glob("*.html")]
    assert any("?</strong>" in page for page in pages) and any(".</strong>" in page for page in pages)
    assert not any("?.</strong>" in page for page in pages)


def test_tables_are_named_where_a_study_stores_some(workbook):
    pages = [path.read_text() for path in (workbook / "reports/pages").glob("*.html")]
    named = [page.partition("Tables behind them: ")[2] for page in pages if "Tables behind them" in page]
    assert len(named) > 10 and all(text.startswith("<a ") for text in named)


def test_a_study_without_claims_has_no_table_of_verdicts(workbook):
    for name, study in runs.parameters(workbook)["studies"].items():
        claims = runs.read_json(workbook / f"reports/studies/{study['paper']}/{name}/claims.json")
        assert ("<h2>Verdicts</h2>" in (workbook / f"reports/pages/{name}.html").read_text()) == bool(claims), name
    assert not runs.read_json(workbook / "reports/studies/example/sweep_review/claims.json")
