# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/interop.md names a test in each row; it must be there."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(?:(?P<file>[\w/]+\.py))?(?:::(?P<name>\w+))`")


def missing(text):
	"""Tests that are named and are not there; a row that names no test, but `the same` as the one before."""
	found, file = [], None
	for line in text.splitlines():
		cells = [cell.strip() for cell in line.split("|")[1:-1]]
		if len(cells) < 3 or cells[-1] == "test" or set(line) <= set("|-"):
			continue
		named = list(NAMED.finditer(cells[-1]))
		if not named and cells[-1] != "the same":
			found.append(line)
		for match in named:
			file = match["file"] or file
			path = ROOT / "tests" / (file if "/" in file else f"interop/{file}")
			if not path.exists() or f"def test_{match['name']}(" not in path.read_text():
				found.append(match[0])
	return found


def test_the_tests_are_there():
	assert not missing((ROOT / "docs/interop.md").read_text())


def test_a_name_that_is_nowhere_is_found():
	rows = "| a | b | `test_ffmpeg.py::ffmpeg_speaks` |\n| a | b | `test_ffmpeg.py::sings`, `::ffmpeg_listens` |\n| a | b | |\n"
	assert missing(rows) == ["`test_ffmpeg.py::sings`", "| a | b | |"]
