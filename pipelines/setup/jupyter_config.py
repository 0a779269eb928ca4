"""JupyterLab's settings: its own token stays on, and notebooks run on this environment whatever kernels the machine has."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def without_news(handler: object, page: dict) -> dict:
    """Return what a page is told, less the extension that asks whether to fetch Jupyter's news."""
    disabled = [*page.get("disabledExtensions", []), "@jupyterlab/apputils-extension:announcements"]
    return page | {"disabledExtensions": disabled}


if os.pathsep not in str(ROOT):  # an environment that make set up needs no path to find lib; another does
    os.environ["PYTHONPATH"] = str(ROOT)

from pipelines.runner.stage_environment import fix_results  # noqa: E402

fix_results()  # no more: whoever opens a notebook by hand keeps their own habits

c = get_config()  # noqa: F821 - Jupyter puts it here
c.ServerApp.kernel_spec_manager_class = "pipelines.runner.native_specs.NativeSpecs"
c.ServerApp.root_dir = str(ROOT)
c.ServerApp.tornado_settings = {"page_config_hook": without_news}
c.LabApp.default_url = "/lab/tree/notebooks/start_here.ipynb"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
