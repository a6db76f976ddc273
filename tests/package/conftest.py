# SPDX-License-Identifier: GPL-3.0-or-later
# The end-to-end library and its fixtures serve here, too.
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from lib.fixtures import *  # noqa: E402, F401, F403
