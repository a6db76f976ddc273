# SPDX-License-Identifier: GPL-3.0-or-later
# The end-to-end library and its fixtures serve here, too; and the package, made once of the build under test.
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from lib.fixtures import *  # noqa: E402, F401, F403
from lib.gateway import binaries  # noqa: E402

import machine  # noqa: E402


@pytest.fixture(scope="session")
def build():
    """The build's folder: the package is made of what ninja has built there."""
    return binaries().parent


@pytest.fixture(scope="session")
def package(build, tmp_path_factory):
    return machine.pack(build, tmp_path_factory.mktemp("package"))
