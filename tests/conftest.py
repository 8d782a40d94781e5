"""What tests of several rooms share."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmbatch.jobs.embedded.weights import find

# A shell starts what runs in the background without SIGINT, nohup without SIGHUP; what is ignored
# stays so in every process that a test starts, and tests are about those signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# As the tests were started; by the time a fixture runs, a test may have changed it.
ENVIRON = dict(os.environ)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Two for each core: tests wait for timers and for the disk as well."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The weights of the embedded model, for tests marked ``model``."""
    if find_spec("xllamacpp") is None:
        pytest.skip("llama.cpp is not here: pip install xllamacpp")
    path = find("smollm2", ENVIRON)
    if path is None:
        pytest.skip("the weights are not here: llmbatch models pull smollm2")
    return path


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 64 KiB, where the test may mount one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "none", folder]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no right to mount a small file system")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter and read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
