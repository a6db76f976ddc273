# SPDX-License-Identifier: GPL-3.0-or-later
# The end-to-end library and its fixtures serve here, too; and the package, made once of the build under test.
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from lib.fixtures import *  # noqa: E402, F401, F403
from lib.gateway import ROOT, binaries  # noqa: E402

import machine  # noqa: E402


@pytest.fixture(scope="session")
def build():
    """The build's folder: the package is made of what ninja has built there."""
    return binaries().parent


@pytest.fixture(scope="session")
def package(build, tmp_path_factory):
    """The .deb as a release has it: dated by its commit."""
    folder = tmp_path_factory.mktemp("package")
    machine.run("cpack", "--config", build / "CPackConfig.cmake", "-B", folder, cwd=folder, timeout=120,
                env=dict(os.environ, SOURCE_DATE_EPOCH=machine.run("git", "-C", ROOT, "log", "-1", "--format=%ct").stdout.strip()))
    (made,) = folder.glob("sallyport_*.deb")
    return made
