# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/security.md rests on tests: each that it names must be there, and each class of attack must name one."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
CLASSES = [f"M{n}" for n in range(1, 13)] + [f"D{n}" for n in range(1, 7)] + ["S2"]


def rows():
    """(class, the cell "shown by") of the tables of attacks."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if len(cells) == 7 and re.fullmatch(r"[MDS]\d+", cells[1]):
            yield cells[1], cells[4]


def named(cell):
    """(file, name or None) of each test in a cell; `::name` belongs to the file before it."""
    file = None
    for path, name in re.findall(r"`([\w/]+\.(?:c|py))?(?:::(\w+))?`", cell):
        if not path and not name:
            continue
        file = path or file
        yield file, name or None


def source(path):
    found = [base / path for base in (ROOT / "tests", ROOT / "tests/e2e") if (base / path).exists()]
    return found[0].read_text() if found else None


def test_every_class_is_shown_by_a_test():
    told = {name for name, cell in rows() if list(named(cell))}
    assert not [name for name in CLASSES if name not in told]


def test_the_tests_are_there():
    missing = []
    for attack, cell in rows():
        for path, name in named(cell):
            text = source(path) if path else None
            if text is None or (name and not re.search(rf"\b(?:test_)?{name}\b", text)):
                missing.append((attack, path, name))
    assert not missing


def test_a_name_that_is_nowhere_is_found():
    assert list(named("`unit/test_x.c::a`, `::b` and `e2e/test_y.py`")) == [
        ("unit/test_x.c", "a"), ("unit/test_x.c", "b"), ("e2e/test_y.py", None)]
    assert source("unit/test_nowhere.c") is None and source("test_attack_media.py")
