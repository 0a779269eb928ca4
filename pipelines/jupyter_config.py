"""JupyterLab's settings: its own token stays on, and notebooks run on this environment whatever kernels the machine has."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

c = get_config()  # noqa: F821 - Jupyter puts it here
c.ServerApp.kernel_spec_manager_class = "pipelines.kernel.NativeSpecs"
c.ServerApp.root_dir = str(Path(__file__).parents[1])
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
