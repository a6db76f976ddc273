# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 6337's six offer/answer patterns on the caller's leg against the six on the far leg. Each cell is played by two peers that
prefer their pattern and take what they get; what came of it is compared with the table in docs/offer-answer.md."""
import pathlib
import re

import pytest
from conftest import options
from exchange import ALLOW, OLD, RELIABLE, Far, finish, prack, sdp, tags

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "offer-answer.md"
PASS, INSERT = "delayed_offer=pass", "delayed_offer=insert,codec=PCMA,codec=PCMU"


def table():
    """The rows of the table headed "near \\ far", by (near, far)."""
    cells = {}
    for line in PAGE.read_text().splitlines():
        words = [w.strip() for w in line.strip("|").split("|")]
        if len(words) == 7 and re.match(r"\*\*\d\*\*", words[0]):
            for far, word in enumerate(words[1:], 1):
                cells[int(words[0][2]), far] = word
    return cells


class NearPeer:
    """A caller of pattern n: does it offer, is it reliable, has it UPDATE, and what it offers when."""

    def __init__(self, net, n):
        self.n, self.net = n, net
        self.dialog = net.caller()
        headers = {1: [OLD], 2: [OLD], 3: ["Require: 100rel", OLD], 4: ["Require: 100rel", OLD],
                   5: ["Require: 100rel", OLD], 6: [RELIABLE, ALLOW]}[n]
        self.offers = n not in (2, 4)
        self.done = None  # the pattern of the first exchange
        self.dialog.send_invite(sdp(self.dialog.peer) if self.offers else None, headers)

    def progress(self):
        """Takes a provisional response. Returns the status of a PRACK with an offer, if one was made."""
        response = self.dialog.peer.expect("183")
        body, offer = None, False
        if response.body:
            if not self.offers:
                body, self.done = sdp(self.dialog.peer, formats=(8,)), 4
            elif "100rel" in tags(response):
                self.done, offer = 3, self.n == 5
        elif self.n == 5:
            offer = True
        if "100rel" not in tags(response):
            return None
        if self.n == 6:
            return response  # it acknowledges when it has said what it wants to
        prack(self.dialog, response, sdp(self.dialog.peer, "sendonly") if offer else body)
        return response if offer else self.acknowledged()

    def acknowledged(self):
        self.dialog.peer.expect("200 PRACK")

    def answered(self):
        ok = self.dialog.peer.expect("200 INVITE")
        if self.done is None:
            assert ok.body
            self.done = 1 if self.offers else 2
        else:
            assert not ok.body
        self.dialog.ack(ok, sdp(self.dialog.peer, formats=(8,)) if self.done == 2 else None)


class FarPeer(Far):
    """A callee of pattern f, which answers or offers in a reliable response if it may."""

    def __init__(self, net, f):
        super().__init__(net.core, net.core.expect("INVITE"))
        self.f, self.net, self.done = f, net, None
        self.offered = bool(self.invite.body)

    def progress(self):
        """True: it was reliable, and a PRACK comes."""
        if self.f > 2 and "100rel" in tags(self.invite, "Supported"):
            self.rseq += 1
            self.reply(183, "Reliable", sdp(self.peer, formats=(8,)),
                       ["Require: 100rel", f"RSeq: {self.rseq}", ALLOW if self.f == 6 else OLD])
            self.done = 3 if self.offered else 4
            return True
        self.reply(183, "Plain", sdp(self.peer, formats=(8,)) if self.offered else None, [OLD])
        return False

    def acknowledge(self, status=200):
        request = self.pracked()
        offer = bool(request.body) and self.done == 3
        self.answer_to(request, status, sdp(self.peer, "recvonly", formats=(8,)) if offer else None)
        return offer

    def answer(self):
        body = None if self.done else sdp(self.peer, formats=(8,))
        self.reply(200, "OK", body, [ALLOW if self.f == 6 else OLD])

    def acked(self):
        ack = self.peer.expect("ACK")
        if self.done is None:
            self.done = 1 if self.offered else 2
            assert bool(ack.body) == (self.done == 2)

    def take(self):
        """A further offer of ours. Returns its pattern."""
        while True:
            request = self.peer.inbox.get(timeout=10)
            if request.is_request and request.method in ("UPDATE", "INVITE"):
                break
        self.answer_to(request, 200, sdp(self.peer, "recvonly", formats=(8,)))
        if request.method == "INVITE":
            self.peer.expect("ACK")
        return 1 if request.method == "INVITE" else 6


def connect(near, far):
    far.answer()
    near.answered()
    far.acked()


def word(wanted, near, far):
    return "passed" if wanted == (near, far) else f"as {near}×{far}"


def first_exchange(net, near, far):
    """Rows 1 to 4: the exchange of the INVITE."""
    reliable = far.progress()
    near.progress()
    if reliable:
        far.acknowledge()
    return near, far


def far_update(net, near, far, wanted):
    """Column 6: the far side offers by UPDATE, as soon as it may and after the answer."""
    far.send("UPDATE", sdp(far.peer, "sendonly", formats=(8,)))
    early = far.peer.expect("504 UPDATE").status
    connect(near, far)
    net.gateway.wait_event("state", tag="call", to="up")
    far.send("UPDATE", sdp(far.peer, "sendonly", formats=(8,)))
    request = near.dialog.peer.expect("INVITE")
    near.dialog.peer.reply(request, 200, "OK", sdp(near.dialog.peer, "recvonly", formats=(8,)), tag=near.dialog.local_tag)
    near.dialog.peer.expect("ACK")
    far.peer.expect("200 UPDATE")
    return f"{early} early, {word(wanted, 1, 6)} after"


def near_prack(net, near, far):
    """Row 5: a second offer in the PRACK."""
    reliable = far.progress()
    near.progress()
    crossed = far.acknowledge() if reliable else False
    while True:
        response = near.dialog.peer.inbox.get(timeout=10)
        if response.method == "PRACK":
            break
    assert crossed == (response.status == 200 and bool(response.body)), response.headers
    return "5×5" if crossed else str(response.status) if response.status >= 300 else f"{near.done}×{far.done}"


def near_update(net, near, far, wanted):
    """Row 6: UPDATE as soon as the caller's dialog allows it."""
    reliable = far.progress()
    session = near.progress()
    if not reliable:
        connect(near, far)
        net.gateway.wait_event("state", tag="call", to="up")
        near.dialog.send("UPDATE", sdp(near.dialog.peer, "sendonly"))
        pattern = far.take()
        near.dialog.peer.expect("200 UPDATE")
        return word(wanted, 6, pattern)
    near.dialog.answered(session)
    if far.f == 5:  # before its own PRACK
        near.dialog.send("UPDATE", sdp(near.dialog.peer, "sendonly"))
        pattern = 5 if far.acknowledge() else 0
        near.dialog.peer.expect("200 UPDATE")
        prack(near.dialog, session)
        near.acknowledged()
        outcome = word(wanted, 6, pattern)
    else:
        prack(near.dialog, session)
        far.acknowledge()
        near.acknowledged()
        near.dialog.send("UPDATE", sdp(near.dialog.peer, "sendonly"))
        if far.f == 6:
            outcome = word(wanted, 6, far.take())
            near.dialog.peer.expect("200 UPDATE")
        else:
            outcome = str(near.dialog.peer.expect("504 UPDATE").status)
    connect(near, far)
    return outcome


def play(net, n, f):
    near = NearPeer(net, n)
    far = FarPeer(net, f)
    if n == 6:
        outcome = near_update(net, near, far, (n, f))
    elif n == 5:
        outcome = near_prack(net, near, far)
        outcome = "passed" if outcome == f"{n}×{f}" else outcome if outcome.isdigit() else f"as {outcome}"
        connect(near, far)
    else:
        first_exchange(net, near, far)
        if f == 6:
            outcome = far_update(net, near, far, (n, f))
        else:
            connect(near, far)
            outcome = word((n, f), near.done, far.done)
    net.gateway.wait_event("state", tag="call", to="up")
    assert all(line["agreed"] for line in net.gateway.events("plan line")[-2:])
    finish(net, near.dialog, far)
    return outcome


CELLS = [(dict(core_policy=PASS if f in (2, 4) else INSERT), n, f) for n in range(1, 7) for f in range(1, 7)]


@pytest.mark.parametrize("net, n, f", CELLS, indirect=["net"], ids=[f"{n}x{f}" for _, n, f in CELLS])
def test_cell(net, n, f):
    outcome = play(net, n, f)
    assert table().get((n, f)) == outcome


def test_the_table_is_whole():
    assert sorted(table()) == [(n, f) for n in range(1, 7) for f in range(1, 7)]
