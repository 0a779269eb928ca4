"""What code of ours a notebook runs: the modules that its imports reach, each with a hash of what it does.

Read from the sources, so that imports within functions count too, and nothing has to run. Comments, docstrings and blank lines
do nothing: a change of these alone leaves the hash as it is.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

LIB = Path("lib")
# What runs every notebook and can change what a cell computes or shows.
RUNNER = ("pipelines/run_notebook.py", "pipelines/runner/stage_environment.py", "pipelines/runner/matplotlibrc")
_LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code(source: str) -> str:
    """Return a module's source without comments, docstrings and blank lines; text within other strings stays as it is.

    Errors: SyntaxError for what is no Python.
    """
    lines, kept = source.splitlines(), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (row, column), (last, _) = token.start, token.end
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip()
        elif token.type not in _LAYOUT:
            kept.update(range(row, last + 1))
    for text in _docstrings(ast.parse(source)):
        last = lines[text.end_lineno - 1].encode()  # the parser counts columns in bytes
        alone = lines[text.lineno - 1][: text.col_offset].isspace() or text.col_offset == 0
        if alone and not last[text.end_col_offset :].strip():
            kept.difference_update(range(text.lineno, text.end_lineno + 1))
    return "\n".join(lines[row - 1] for row in sorted(kept))


def _docstrings(tree: ast.Module) -> list[ast.Expr]:
    """Return the statements of a module that are docstrings."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    first = [node.body[0] for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    values = [s for s in first if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)]
    return [s for s in values if isinstance(s.value.value, str)]


class Modules:
    """The modules of lib below a root, and which of them each imports."""

    def __init__(self, root: Path) -> None:
        self.root = root
        found = sorted((root / LIB).rglob("*.py"))
        self.files = {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in found}
        self._direct: dict[str, set[str]] = {}
        self._hashes: dict[str, str] = {}

    def imported(self, source: str, package: str = "") -> set[str]:
        """Return the modules that a source imports, with the packages above them; package: what a leading dot stands for."""
        names = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
                module = ".".join([*above, *filter(None, [node.module])])
                names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        parts = [name.split(".") for name in names]
        return {".".join(words[:depth]) for words in parts for depth in range(1, len(words) + 1)} & self.files.keys()

    def direct(self, module: str) -> set[str]:
        """Return the modules that one imports. Errors: ValueError that names a module that is no Python."""
        if module not in self._direct:
            path = self.files[module]
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            try:
                self._direct[module] = self.imported(path.read_text(encoding="utf-8"), package)
            except (SyntaxError, UnicodeDecodeError) as error:
                raise ValueError(f"{path} is no Python that can be imported: {error}") from error
        return self._direct[module]

    def reached(self, sources: Iterable[str]) -> dict[str, str]:
        """Return file -> hash of every module that the sources reach, and of what runs them.

        What is no Python reaches nothing: its own stage will say so, and no other has to.
        """
        todo, seen = set(), set()
        for source in sources:
            try:
                todo |= self.imported(source)
            except SyntaxError:
                continue
        while todo:
            module = todo.pop()
            seen.add(module)
            todo |= self.direct(module) - seen
        files = [*(self.files[module].relative_to(self.root).as_posix() for module in seen), *RUNNER]
        return {name: self._hash(name) for name in sorted(files) if (self.root / name).exists()}

    def _hash(self, name: str) -> str:
        if name not in self._hashes:
            text = (self.root / name).read_text(encoding="utf-8")
            content = code(text) if name.endswith(".py") else text
            self._hashes[name] = hashlib.sha256(content.encode()).hexdigest()
        return self._hashes[name]

    def of_notebook(self, book: NotebookNode) -> dict[str, str]:
        """Return `reached` of a notebook's cells, whose magic commands are what IPython makes of them."""
        transform = TransformerManager().transform_cell
        return self.reached(transform(cell.source) for cell in book.cells if cell.cell_type == "code")
