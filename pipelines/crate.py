"""make crate: export the last run as an RO-Crate (workflow run), with hashes, licences and citations, and have it validated.

python -m pipelines.crate [--out FOLDER] [--no-validate]

The crate holds workflow, parameters, lock, notebooks as they ran, claims and report; data are named by licence and hash.
Profile: Workflow Run RO-Crate 0.5, https://w3id.org/ro/wfrun/workflow/0.5. The validator has an environment of its own, which
uv makes the first time; it then needs no network.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from lib.core.processes import die_with_parent
from lib.workbook import runs, status
from pipelines.reporting import provenance
from pipelines.reporting.bibliography import works
from pipelines.runner import outcome
from pipelines.runner.working import alone

OUT, VALIDATOR = Path("build/crate"), "roc-validator==0.13.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
INPUTS = ("params.yaml", "dvc.lock", "data.dvc", "requirements.lock", "references.bib")
RESULTS = ("reports/index.html", "reports/claims.json")
LICENCE = "https://spdx.org/licenses/MIT"
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256", "creditText": "http://schema.org/creditText"}


def hashed(path: Path) -> dict[str, str]:
    """Return what identifies a file's content."""
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "contentSize": str(path.stat().st_size)}


def cards(root: Path) -> list[dict[str, str]]:
    """Return name, licence and citation of every data set that ships, as its card states them."""
    found = []
    for path in sorted((root / "data/raw").glob("*/card.md")):
        text = path.read_text()
        stated = dict(re.findall(r"^[-*|\s]*\**(licence|license|citation|source)\**\s*[:|]\s*(.+?)\s*\|?$", text, re.I | re.M))
        stated = {name.lower(): value for name, value in stated.items()}
        found.append({"name": path.parent.name, "text": text} | stated)
    return found


def built(root: Path) -> ROCrate:
    """Return the crate of the run that lies in a workbook.

    Errors: FileNotFoundError, naming `make repro`, where there is no finished run.
    """
    if missing := [name for name in (*INPUTS, *RESULTS) if not (root / name).exists()]:
        raise FileNotFoundError(f"{missing[0]} does not exist; `make repro` writes it")
    crate = ROCrate()  # of 1.1, which the profile builds on; releases from 0.15 on write a later one
    crate.metadata.extra_terms = TERMS
    crate.name, crate.license = "Hourglass: a run of the workbook", LICENCE
    crate.description = (
        "Which published claims about bottlenecks in neural networks hold: workflow, parameters, claims, report."
    )
    language = crate.add(
        ContextEntity(crate, "https://dvc.org", {"@type": "ComputerLanguage", "name": "DVC", "url": "https://dvc.org"})
    )
    workflow = crate.add(
        ComputationalWorkflow(crate, root / "dvc.yaml", "dvc.yaml", properties={"name": "stages of the workbook"})
    )
    workflow["programmingLanguage"], workflow["license"] = language, LICENCE
    crate.mainEntity = workflow
    inputs = [crate.add_file(root / name, name, properties={"name": name} | hashed(root / name)) for name in INPUTS]
    books = [f"reports/notebooks/{name}.ipynb" for name in status.stages(root).values()]  # an older stage's may still lie there
    names = [*RESULTS, *sorted(name for name in books if (root / name).exists())]
    results = [crate.add_file(root / name, name, properties={"name": name} | hashed(root / name)) for name in names]
    inputs += [data_set(crate, card) for card in cards(root)]
    action(crate, root, workflow, inputs, results)
    cited = citations(root / "references.bib", {row["source"] for row in runs.read_json(root / "reports/claims.json")})
    crate.root_dataset["citation"] = [crate.add(ContextEntity(crate, key, entry)) for key, entry in cited.items()]
    profiles = [
        crate.add(ContextEntity(crate, url, {"@type": "CreativeWork", "name": name, "version": number}))
        for url, (name, number) in PROFILES.items()
    ]
    crate.root_dataset["conformsTo"] = profiles
    return crate


def data_set(crate: ROCrate, card: dict[str, str]) -> ContextEntity:
    """Add one data set that the run read, by its card; the crate calls only what it contains a data set."""
    about = {"@type": "CreativeWork", "name": card["name"], "description": card["text"]}
    about |= {"license": card.get("licence", card.get("license", "see the description"))}
    return crate.add(ContextEntity(crate, f"#data-{card['name']}", about))


def action(crate: ROCrate, root: Path, workflow: ComputationalWorkflow, inputs: list, results: list) -> None:
    """Add the run: what did it, on what, with what result, on which commit and machine."""
    tool = crate.add(
        ContextEntity(crate, "#dvc", {"@type": "SoftwareApplication", "name": "DVC", "softwareVersion": version("dvc")})
    )
    about = {"@type": "CreateAction", "name": "make repro", "instrument": workflow, "object": inputs, "result": results}
    facts = runs.read_json(root / provenance.FACTS)
    about |= {"description": f"commit {facts['commit']}, on {facts['machine']}, by DVC {tool['softwareVersion']}"}
    ended = datetime.fromtimestamp(Path(results[1].source).stat().st_mtime, UTC)
    about |= {"endTime": ended.isoformat(timespec="seconds"), "actionStatus": "http://schema.org/CompletedActionStatus"}
    crate.root_dataset["mentions"] = [crate.add(ContextEntity(crate, "#run", about))]


def citations(bibliography: Path, keys: set[str]) -> dict[str, dict]:
    """Return the works of a bibliography that claims name, by their DOI or URL where they have one."""
    found = {}
    for key, fields in works(bibliography).items():
        if key in keys:
            where = f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url", f"#{key}")
            about = {"@type": "ScholarlyArticle", "name": fields.get("title", key), "creditText": fields.get("author", "")}
            found[where] = about | {"datePublished": fields.get("year", ""), "identifier": key}
    return found


def validated(folder: Path) -> subprocess.CompletedProcess:
    """Return the verdict of an independent validator on a crate: by the rules that the profile requires."""
    alone = ["uv", "run", "--quiet", "--isolated", "--no-project", "--with", VALIDATOR, "python"]
    script = Path(__file__).parent / "reporting/crate_validator.py"
    context = resources.files("rocrate") / "data/ro-crate.jsonld"
    return subprocess.run([sys.executable, "-m", *alone, script, folder, context], capture_output=True, text=True)


def main(argv: list[str] | None = None) -> int:
    """Write and validate."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--validate", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args(argv)
    taken = any(args.out.iterdir()) if args.out.is_dir() else args.out.exists()
    if taken and not (args.out / "ro-crate-metadata.json").exists():
        raise ValueError(f"{args.out} is there and is no crate; name another folder, or move it away")
    crate = built(Path.cwd())
    with alone(args.out.with_suffix(".lock"), "make crate"):
        part = args.out.with_name(f".{args.out.name}.part")
        runs.remove(part)
        crate.write(part)
        runs.remove(args.out)
        part.rename(args.out)
    print(f"crate: {args.out}/ro-crate-metadata.json")
    if not args.validate:
        return 0
    done = validated(args.out)
    print(f"{done.stdout.strip()}\n{done.stderr.strip()}".strip())
    return done.returncode


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make crate"))
