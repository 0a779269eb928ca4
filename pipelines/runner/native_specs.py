"""Which kernels there are: the one of the running Python, whatever kernelspecs the machine has."""

from jupyter_client.kernelspec import KernelSpecManager


class NativeSpecs(KernelSpecManager):
    """Look in no folder, which leaves the kernel of the running Python."""

    kernel_dirs: list = []  # noqa: RUF012 - a traitlet of the parent class
