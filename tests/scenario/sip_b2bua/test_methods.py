# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/signalling.md says what becomes of each method; here each row is tried where it names an answer."""
import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "signalling.md"


def rows():
    for line in PAGE.read_text().split("## Methods")[1].split("## Headers")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] not in ("method", "---"):
            for method in cells[0].split(", "):
                yield "JUGGLE" if method == "any other" else method, cells[1], cells[2]


TRIED = [(method, place, re.search(r"\b[245]\d\d\b", cell).group()) for method, out, within in rows()
         for place, cell in (("out", out), ("within", within)) if re.search(r"\b[245]\d\d\b", cell)]


def test_the_page_is_read():
    assert len(TRIED) > 18 and ("OPTIONS", "out", "200") in TRIED and ("JUGGLE", "within", "501") in TRIED


@pytest.mark.parametrize("method, place, status", TRIED)
def test_method(net, method, place, status):
    if place == "out":
        net.caller().send(method, headers=["Event: presence"])
        net.access.expect(f"{status} {method}")
        return
    caller, callee = net.call_up()
    caller.send(method, headers=["Event: presence"])
    net.access.expect(f"{status} {method}")
    assert not net.gateway.events("call ended")
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()
