# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/interop.md names a test in each row, and so does a table of docs/offer-answer.md; it must be there."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(?:(?P<file>[\w/]+\.py))?(?:::(?P<name>\w+))`")


def missing(text, folder="interop", columns=3):
	"""Tests that are named and are not there; a row that names no test, but `the same` as the one before."""
	found, file = [], None
	for line in text.splitlines():
		cells = [cell.strip() for cell in line.split("|")[1:-1]]
		if len(cells) < columns or cells[-1] == "test" or set(line) <= set("|-"):
			continue
		named = list(NAMED.finditer(cells[-1]))
		if not named and cells[-1] != "the same":
			found.append(line)
		for match in named:
			file = match["file"] or file
			path = ROOT / "tests" / (file if "/" in file else f"{folder}/{file}")
			if not path.exists() or f"def test_{match['name']}(" not in path.read_text():
				found.append(match[0])
	return found


def test_the_tests_are_there():
	assert not missing((ROOT / "docs/interop.md").read_text())


def test_the_tests_of_a_call_are_there():
	page = (ROOT / "docs/offer-answer.md").read_text()
	table = page.split("## Within a call")[1].split("\n## ")[0]
	assert table.count("\n|") > 10 and not missing(table, "scenario/sip_b2bua", 2)


def test_a_name_that_is_nowhere_is_found():
	rows = "| a | b | `test_ffmpeg.py::ffmpeg_speaks` |\n| a | b | `test_ffmpeg.py::sings`, `::ffmpeg_listens` |\n| a | b | |\n"
	assert missing(rows) == ["`test_ffmpeg.py::sings`", "| a | b | |"]
