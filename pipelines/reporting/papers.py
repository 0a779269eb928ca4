"""What belongs to a paper: found by its name and by the keys of its works, as no list of it is kept."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from lib.workbook import claims, runs
from pipelines.runner.notebook_file import read_notebook

START, END = "<!-- papers, as `make accept` writes them -->", "<!-- end of papers -->"  # lines of README
NOT_ACCEPTED = "not accepted yet"  # a verdict that reports/reference.json lacks
_SOURCES = re.compile(r"Source: ((?:\[[a-z0-9]+\][^\n\[]*)+)")


def folders(root: Path) -> dict[str, Path]:
    """Return paper -> the folder of its notebooks, below the root, by name."""
    found = {path.parent.name: path.parent.relative_to(root) for path in root.glob(runs.PAPERS)}
    return dict(sorted(found.items()))


def notebooks(paper: str, root: Path) -> list[Path]:
    """Return the notebooks of a paper, below the root."""
    return sorted(path.relative_to(root) for path in (root / folders(root)[paper]).glob("*.ipynb"))


def studies(paper: str, root: Path) -> list[Path]:
    """Return those notebooks of a paper that argue, in the order of its params.yaml."""
    place = folders(root)[paper]
    return [place / f"{name}.ipynb" for name in runs.read_yaml(root / place / "params.yaml").get("studies") or {}]


def question(paper: str, root: Path) -> str:
    """Return what a paper's studies ask: their titles, followed where these are no questions by what **Question.** asks."""
    asked = []
    for path in studies(paper, root):
        opening = next(cell.source for cell in read_notebook(root / path).cells if cell.cell_type == "markdown")
        title, _, rest = opening.removeprefix("# ").partition("\n")
        sentences = re.split(r"(?<=[.?!])\s+", rest.partition("**Question.**")[2].strip().partition("\n\n")[0])
        asked += [title] if "?" in title else [f"{title}.", *(text for text in sentences if text.endswith("?"))]
    return " ".join(asked)


def asked(paper: str, root: Path, data: Collection[str] | None = None) -> dict[str, claims.Claim]:
    """Return the claims of a paper's studies as its claims.yaml has them, on all sets of data or on the given ones."""
    path = root / folders(root)[paper] / "claims.yaml"
    found = [claims.read(path, study, data) for study in runs.read_yaml(path)] if path.exists() else []
    return {name: claim for ledger in found for name, claim in ledger.claims.items()}


def sources(paper: str, root: Path) -> list[str]:
    """Return the works that a paper's claims are from: keys of references.bib."""
    return list(dict.fromkeys(claim.source for claim in asked(paper, root).values()))


def verdicts(paper: str, root: Path) -> tuple[str, dict[str, str]]:
    """Return of which scale the verdicts of a paper are, or that they are accepted ones, and {claim: verdict}.

    They are those of the last run if it is there; otherwise the accepted ones. A claim that is asked of several sets of data
    counts where it was accepted, as the others may be sets that nobody fetched.
    """
    ran = sorted((root / "reports/studies" / paper).glob("*/claims.json"))
    if ran:
        rows = [row for path in ran for row in runs.read_json(path)]
        scales = ", ".join(sorted({row["scale"] for row in rows})) or "any"
        return f"as the last run found, scale {scales}", {row["id"]: row["verdict"] for row in rows}
    accepted = runs.read_json(root / "reports/reference.json").get("embedded", {"claims": {}})["claims"]
    once = asked(paper, root, ())
    names = [name for name in asked(paper, root) if name in accepted or name in once]
    told = {name: accepted[name]["verdict"] if name in accepted else NOT_ACCEPTED for name in names}
    return "as accepted at the scale embedded", told


def counted(found: dict[str, str]) -> str:
    """Return how many claims have which verdict, in words."""
    counts = Counter(found.values())
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in (*claims.VERDICTS, NOT_ACCEPTED) if counts[verdict])
    return f"{len(found)}: {told}" if found else "none"


def methods(keys: Iterable[str], root: Path) -> dict[Path, list[str]]:
    """Return file of lib -> what in it has one of the works as its `Source: [key]`; experiments are papers' own."""
    wanted, found = set(keys), {}
    for path in sorted((root / "lib").rglob("*.py")):
        if "experiments" in path.relative_to(root).parts:
            continue
        for name, text in _docstrings(ast.parse(path.read_text(encoding="utf-8"))):
            if wanted & {*cited(text)}:
                found.setdefault(path.relative_to(root), []).append(name)
    return found


def cited(text: str) -> list[str]:
    """Return the keys of the works that a text names as its `Source: [key]`, one or several."""
    return [key for group in _SOURCES.findall(text) for key in re.findall(r"\[([a-z0-9]+)\]", group)]


def _docstrings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of a module, of all that it defines, and of what gets one by `name.__doc__ =`."""
    for node in ast.walk(tree):
        match node:
            case ast.Module():
                yield "the module", ast.get_docstring(node) or ""
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, ast.get_docstring(node) or ""
            case ast.Assign(
                targets=[ast.Attribute(attr="__doc__", value=ast.Name(id=name))], value=ast.Constant(value=str(text))
            ):
                yield name, text


def by_part(root: Path) -> list[str]:
    """Return the papers that make claims as lines of Markdown, a row a part, each linked to its folder from the root."""
    parts: dict[str, list[str]] = {}
    for path in runs.papers(root):
        paper, part = path.parent.name, path.parent.parent.name
        if asked(paper, root):
            parts.setdefault(part, []).append(f"[{paper}]({path.parent.relative_to(root).as_posix()})")
    return ["| part | papers |", "|---|---|", *(f"| {part} | {', '.join(found)} |" for part, found in parts.items())]


def with_papers(text: str, root: Path) -> str:
    """Return the text of README with the table of papers between its two marks.

    Errors: ValueError for a text without them.
    """
    before, start, rest = text.partition(f"{START}\n")
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"README.md has no lines {START} and {END}, between which the table of papers stands")
    return f"{before}{start}" + "\n".join(by_part(root)) + f"\n{end}{after}"


def table(root: Path, beside: str = "..") -> list[str]:
    """Return the papers that make claims as lines of Markdown: paper, question, works, notebooks.

    beside: the way from where it will stand to the root; works are linked to headings of their keys.
    """
    lines = ["| paper | question | works | notebooks |", "|---|---|---|---|"]
    for paper in folders(root):
        if keys := sources(paper, root):
            asked = question(paper, root).replace("|", "&#124;")
            cited = ", ".join(f"[{key}](#{key})" for key in keys)
            books = ", ".join(f"[{path.stem}]({beside}/{path.as_posix()})" for path in notebooks(paper, root))
            lines.append(f"| `{paper}` | {asked} | {cited} | {books} |")
    return lines
