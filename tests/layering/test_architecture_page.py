# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md leads a reader by the hand: every file and function that it names must be there."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text()
SOURCES = [path for folder in ("base", "dataplane", "dtls", "gateway", "mediarelay", "signaling")
           for path in (ROOT / folder).rglob("*.[ch]")]


def test_files_are_there():
    names = set(re.findall(r"[\w/]+(?:\.bpf)?\.[ch]\b", PAGE))
    assert len(names) > 50
    known = [path.relative_to(ROOT).as_posix() for path in SOURCES]
    assert not [name for name in names if not any(("/" + path).endswith("/" + name) for path in known)]


def test_functions_are_there():
    functions = set(re.findall(r"\b(\w+)\(\)", PAGE))
    assert len(functions) > 10
    text = "\n".join(path.read_text() for path in SOURCES)
    assert not [name for name in functions if not re.search(rf"\b{name}\(", text)]


def test_stages_come_in_the_order_of_the_code():
    told = [PAGE.index(f"**{stage}**") for stage in ("stage_parse", "stage_unprotect", "stage_protect", "stage_headers")]
    assert told == sorted(told)
    code = (ROOT / "dataplane/worker/relay_burst.c").read_text()
    leave, burst = code.index("static void leave("), code.index("void relay_burst(")
    in_code = [code.index(f"{stage}(w", burst) for stage in ("stage_parse", "stage_unprotect")]
    out_code = [code.index(f"{stage}(w", leave) for stage in ("stage_protect", "stage_headers")]
    assert in_code == sorted(in_code) and out_code == sorted(out_code)


def test_every_drop_of_the_packet_path_is_an_exit_here():
    words = set(re.findall(r'X\(\w+, "(\w+)"', (ROOT / "dataplane/drops.h").read_text()))
    exits = set(re.findall(r"\w+", " ".join(re.findall(r"\*Exits?: ([^*]+)\*", PAGE))))
    assert words - exits <= {"no_mbuf"}, words - exits  # memory is used up: at any point
