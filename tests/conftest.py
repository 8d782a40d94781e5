"""What tests of several rooms share."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmbatch.jobs.embedded.weights import find

# As the tests were started; by the time a fixture runs, a test may have changed it.
ENVIRON = dict(os.environ)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The weights of the embedded model, for tests marked ``model``."""
    if find_spec("xllamacpp") is None:
        pytest.skip("llama.cpp is not here: pip install xllamacpp")
    path = find("smollm2", ENVIRON)
    if path is None:
        pytest.skip("the weights are not here: llmbatch models pull smollm2")
    return path
