# SPDX-License-Identifier: GPL-3.0-or-later
# The fixtures are in lib/fixtures.py, since tests/interop has the same.
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.fixtures import * # noqa: E402, F401, F403
