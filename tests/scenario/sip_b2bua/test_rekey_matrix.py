# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of docs/offer-answer.md's table of keys and associations, on either leg, from either side, by INVITE and by UPDATE: what we
say to it, what the media side is told, and that the other leg hears nothing of it. By UPDATE one combination of values a row, or all with
SALLYPORT_FULL=1."""
import itertools
import os
import pathlib
import re

import pytest
from conftest import options
from exchange import ALLOW
from peer import Dialog, Message
from test_downgrade import DTLS, KEYS, SUITE, next_invite

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "offer-answer.md"
IDS = {"before": "abcdefghijklmnopqrst", "after": "ABCDEFGHIJKLMNOPQRST"}
FULL = bool(os.environ.get("SALLYPORT_FULL"))
PRINTS = {"same": 0x9C, "changed": 0x7B}


def table():
    """(keying, fingerprint or key, tls-id, role, transport): what becomes of it; and the first combination of each row."""
    rows, first = {}, []
    for line in PAGE.read_text().splitlines():
        cells = [[word.strip() for word in cell.split(",")] for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0][0] in ("DTLS", "SDES"):
            for combination in itertools.product(*cells[:5]):
                assert combination not in rows, combination
                rows[combination] = cells[5][0]
            first.append(tuple(cell[0] for cell in cells[:5]))
    return rows, first


TABLE, FIRST = table()


def test_the_table_is_whole():
    two = ("same", "changed")
    dtls = itertools.product(["DTLS"], two, ["none", "same", "changed", "comes", "goes"], two, two)
    assert set(TABLE) == set(dtls) | set(itertools.product(["SDES"], two, ["none"], ["same"], two))


class Changing:
    """The end of one leg whose keying and address change; the other end speaks plain RTP."""

    def __init__(self, dialog, far, row, port):
        self.dialog, self.peer, self.far = dialog, dialog.peer, far
        self.keying, self.key, self.tls_id, self.role, self.transport = row
        self.port, self.version = port, 0

    def describe(self, changed, setup="active", tag=1, suite=SUITE, more=()):
        self.version += 1
        attributes = []
        if self.keying == "SDES":
            attributes.append(f"crypto:{tag} {suite} inline:{KEYS[1 if changed and self.key == 'changed' else 0]}")
        else:
            print_ = PRINTS[self.key if changed else "same"]
            tls_id = {"none": None, "same": "before", "changed": "after" if changed else "before", "comes": "after" if changed else None,
                      "goes": None if changed else "before"}[self.tls_id]
            attributes += [f"setup:{setup}", "fingerprint:sha-256 " + ":".join([f"{print_:02X}"] * 32)]
            attributes += [f"tls-id:{IDS[tls_id]}"] if tls_id else []
        port = self.port + 2 if changed and self.transport == "changed" else self.port
        return plain(self.peer, port, self.version, "RTP/SAVP" if self.keying == "SDES" else DTLS, [*attributes, *more])

    def setup(self):
        return "passive" if self.role == "changed" else "active"

    def answer(self, offered, changed):
        if self.keying == "DTLS":
            return self.describe(changed, self.setup() if changed else "active")
        tag, suite = next(found for found in re.findall(r"a=crypto:(\d+) (\S+)", offered) if found[1] == SUITE)
        return self.describe(changed, tag=tag, suite=suite)


def plain(peer, port, version, proto="RTP/AVP", attributes=()):
    return "\r\n".join(["v=0", f"o=- 77 {version} IN IP4 {peer.address}", "s=-", f"c=IN IP4 {peer.address}", "t=0 0", f"m=audio {port} {proto} 0",
                        "a=rtpmap:0 PCMU/8000", *(f"a={a}" for a in attributes)]) + "\r\n"


def said(body, name):
    return re.findall(rf"a={name}:(\S+)", body)


def of(dialog, what):
    """A message of this call: what others have repeated may still come."""
    while True:
        message = dialog.peer.expect(what)
        if message.get("Call-ID") == dialog.call_id:
            return message


def told(net, call_id):
    """What the media side was told last of this call: the access line and the core line."""
    newest = {line["realm"]: line for line in net.gateway.events("plan line", call_id_a=call_id)}
    return [newest[realm] for realm in sorted(newest)]


def asked(dialog):
    """Offers within the call that have come to this end."""
    messages = [Message(text) for text in dialog.peer.received[-50:]]
    return {(m.method, m.get("CSeq")) for m in messages if m.is_request and m.get("Call-ID") == dialog.call_id and
            m.method in ("INVITE", "UPDATE") and ";tag=" in m.get("To")}


def begin(net, leg, row):
    """A call from access to core; the changing end, the other one, and what we said to the changing end."""
    caller = net.caller("access")
    if leg == "access":
        end = Changing(caller, None, row, 40000)
        caller.send_invite(end.describe(False), [ALLOW])
        invite = next_invite(net.core)
        callee = Dialog(net.core, invite=invite)
        callee.reply(200, "OK", plain(net.core, 50000, 1), [ALLOW])
        ok = of(caller, "200 INVITE")
        end.far = callee
    else:
        caller.send_invite(plain(net.access, 40000, 1), [ALLOW])
        invite = next_invite(net.core)
        callee = Dialog(net.core, invite=invite)
        end = Changing(callee, caller, row, 50000)
        callee.reply(200, "OK", end.answer(invite.body, False), [ALLOW])
        ok = of(caller, "200 INVITE")
    of(callee, "ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", call_id_a=caller.call_id, tag="call", to="up")
    return caller, end, ok.body if leg == "access" else invite.body


def offers(net, end, method, setup):
    """Its re-offer is answered here."""
    body = end.describe(True, setup)
    if method == "INVITE":
        end.dialog.send_invite(body, [ALLOW])
        ok = of(end.dialog, "200 INVITE")
        end.dialog.ack(ok)
    else:
        end.dialog.send("UPDATE", body)
        ok = of(end.dialog, "200 UPDATE")
    return ok.body


def answers(net, end, method, number):
    """The other end offers something new, which crosses; the changing end's answer has the change."""
    body = plain(end.far.peer, 50000 if end.far.peer is net.core else 40000, number + 2, attributes=[f"ptime:{20 + number}"])
    if method == "INVITE":
        end.far.send_invite(body, [ALLOW])
        question = of(end.dialog, "INVITE")
    else:
        end.far.send("UPDATE", body)
        question = of(end.dialog, "UPDATE")
    end.peer.reply(question, 200, "OK", end.answer(question.body, True), tag=end.dialog.local_tag, headers=[ALLOW])
    ok = of(end.far, f"200 {method}")
    if method == "INVITE":
        of(end.dialog, "ACK")
        end.far.ack(ok)
    assert end.keying not in ok.body and "crypto" not in ok.body and "fingerprint" not in ok.body
    return question.body


def play(net, leg, by, method, row, setup, number):
    caller, end, before = begin(net, leg, row)
    mine = 0 if leg == "access" else 1
    was = told(net, caller.call_id)
    ours = offers(net, end, method, setup) if by == "offer" else answers(net, end, method, number)
    now = told(net, caller.call_id)
    assert (len(asked(end.far)), len(asked(end.dialog))) == (0, 0 if by == "offer" else 1), "only what the other side must know crosses"
    outcome, fresh = TABLE[row], TABLE[row].startswith("new")

    # The media side: exactly what has changed, on this line; the other one as it was.
    line, old = now[mine], was[mine]
    assert line["agreed"] and not line["changing"] and line["local"] == old["local"]
    assert (line["remote"] != old["remote"]) == (row[4] == "changed")
    assert (line["role"] != old["role"]) == (row[3] == "changed")
    assert (line["fingerprint"], line["key"]) != (old["fingerprint"], old["key"]) if row[1] == "changed" else \
        (line["fingerprint"], line["key"]) == (old["fingerprint"], old["key"])
    assert (line["tls_id"] != old["tls_id"]) == (row[2] in ("changed", "comes", "goes"))
    other, its = now[1 - mine], was[1 - mine]
    assert [other[k] for k in ("local", "remote", "mechanism", "agreed", "send", "receive")] == \
        [its[k] for k in ("local", "remote", "mechanism", "agreed", "send", "receive")]

    # What we say.
    if end.keying == "SDES":
        keys = set(said(ours, r"crypto:\d+ \S+ inline")) & set(said(before, r"crypto:\d+ \S+ inline"))
        assert bool(keys) == (by == "answer" or not fresh), "our key in force, and no other for the same of theirs"
    elif by == "offer":
        assert said(ours, "setup") == [{"active": "passive", "passive": "active"}[end.setup()]]
        assert said(ours, "fingerprint") == said(before, "fingerprint")
        named = row[2] not in ("none", "goes")
        assert bool(said(ours, "tls-id")) == named
        if named and row[2] != "comes" and leg == "access":
            assert (said(ours, "tls-id") == said(before, "tls-id")) == (not fresh), outcome
    else:
        assert said(ours, "setup") == ["actpass"]
    caller.bye()
    callee = end.dialog if leg == "core" else end.far
    net.core.reply(of(callee, "BYE"), 200)
    of(caller, "200 BYE")


def rows(by, method):
    for row in TABLE if method == "INVITE" or FULL else FIRST:
        yield row, "passive" if row[3] == "changed" else "active"
        if by == "offer" and row[0] == "DTLS" and row[3] == "same" and row[1:3] in (("same", "none"), ("same", "same")):
            yield row, "actpass"  # the association stays, and so do its roles


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("by", ["offer", "answer"])
@pytest.mark.parametrize("net, leg", [({"access_profile": "any", "core_profile": "plain"}, "access"), ({"access_profile": "plain", "core_profile": "dtls"}, "core"),
                                      ({"access_profile": "plain", "core_profile": "sdes"}, "core-sdes")], indirect=["net"], ids=["access", "core", "core-sdes"])
def test_each_row(net, leg, by, method):
    leg, _, only = leg.partition("-")
    for number, (row, setup) in enumerate(rows(by, method)):
        if leg == "access" or row[0].lower() == (only or "dtls"):
            try:
                play(net, leg, by, method, row, setup, number)
            except AssertionError as why:
                raise AssertionError(f"{row}, {setup}: {TABLE[row]}: {why}") from why
    net.gateway.wait_idle()
