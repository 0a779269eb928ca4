"""Judge a crate by roc-validator, without a network: what pipelines.crate runs in an environment of that tool's own.

python pipelines/reporting/crate_validator.py CRATE CONTEXT   prints what breaks the profile, and exits 1 if anything does

CONTEXT is the JSON-LD context of RO-Crate 1.1, which the tool would fetch from w3id.org.
"""

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

PROFILE, URL = "workflow-run-crate", "https://w3id.org/ro/crate/1.1/context"


class Stored(BaseAdapter):
    """Answer every request with one file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def send(self, request: PreparedRequest, **_: object) -> Response:
        """Return the file as a server would."""
        kind = {"Content-Type": "application/ld+json"}
        told = {"status": 200, "headers": kind, "request_url": request.url, "preload_content": False}
        return HTTPAdapter().build_response(request, HTTPResponse(BytesIO(self.path.read_bytes()), **told))

    def close(self) -> None:
        """Leave nothing open, as every answer is read whole."""


def main(crate: str, context: str) -> int:
    """Fill the tool's cache with the context, then ask the tool."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        with CachedSession(str(cache), backend="sqlite", allowable_methods=("GET",)) as session:
            session.mount(URL, Stored(Path(context)))
            session.get(URL)
        asked = {"rocrate_uri": crate, "profile_identifier": PROFILE, "requirement_severity": "REQUIRED"}
        found = validate(ValidationSettings(**asked, offline=True, cache_path=cache))
        for issue in found.get_issues():
            print(f"{issue.check.identifier}: {issue.message}")
        print(f"{crate}: {'no' if not found.has_issues() else len(found.get_issues())} breach of the profile {PROFILE}")
        return int(found.has_issues())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
