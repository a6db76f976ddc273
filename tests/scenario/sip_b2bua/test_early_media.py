# SPDX-License-Identifier: GPL-3.0-or-later
"""Media before the answer: by the policies of both sides and P-Early-Media; and the phone rings where nothing is heard."""
import pytest
from conftest import options
from peer import Dialog, sdp


def ring(net, status=183, body=True, headers=()):
    """A call whose far side sends early media; what the caller is told."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(status, "Progress", sdp(net.core.address, 50000) if body else None, headers)
    return caller, callee


def gates(net):
    """(to the caller, from the caller) as the newest plan has them on the caller's side."""
    line = [e for e in net.gateway.events("plan line") if e["realm"] == 0][-1]
    other = [e for e in net.gateway.events("plan line") if e["realm"] == 1][-1]
    assert (line["send"], line["receive"]) == (other["receive"], other["send"])
    return line["agreed"], line["send"], line["receive"]


def answer(net, caller, callee, body=True):
    callee.reply(200, "OK", sdp(net.core.address, 50000) if body else None)
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", **{"tag": "call", "to": "up"})
    assert "m=audio" in ok.body
    assert gates(net) == (True, True, True)
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    caller.peer.expect("200 BYE")
    net.gateway.wait_idle()


POLICIES = [("both", "both", (True, True, True)), ("backward", "both", (True, True, False)),
            ("both", "backward", (True, True, False)), ("none", "both", (True, False, False)),
            ("backward", "none", (True, False, False))]


@pytest.mark.parametrize("net, expected", [
    pytest.param(dict(access_policy=f"early_media={a}", core_policy=f"early_media={c}"), gate, id=f"{a}-{c}")
    for a, c, gate in POLICIES], indirect=["net"])
@pytest.mark.parametrize("in_answer", [True, False])
def test_policy(net, expected, in_answer):
    caller, callee = ring(net)
    if expected[1]:
        assert "m=audio" in net.access.expect("183").body
    else:
        assert net.access.expect("180").body == ""
        net.access.nothing("183", 0.05)
    assert gates(net) == expected
    answer(net, caller, callee, in_answer)


@options(access_policy="early_media=none")
@pytest.mark.parametrize("status, body, told", [(180, False, 180), (180, True, 180), (181, True, 181), (182, True, 182),
                                                (183, False, 183)])
def test_other_progress_passes(net, status, body, told):
    caller, callee = ring(net, status, body)
    assert net.access.expect(told).body == ""
    answer(net, caller, callee)


@options(access_policy="early_media=none")
def test_ringing_after_it(net):
    caller, callee = ring(net, 180, False)
    net.access.expect("180")
    callee.reply(183, "Progress", sdp(net.core.address, 50000))
    assert net.access.expect("180").body == ""
    answer(net, caller, callee)


@options(trusted=True)
@pytest.mark.parametrize("value, expected", [
    ("sendrecv", (True, True, True)), ("sendonly", (True, True, False)), ("sendonly, gated", (True, True, False)),
    ("recvonly", (True, False, True)), ("inactive", (True, False, False)), ("supported", (True, True, True))])
def test_p_early_media(net, value, expected):
    caller, callee = ring(net, headers=[f"P-Early-Media: {value}"])
    told = net.access.expect("183" if expected[1] else "180")
    assert bool(told.body) == expected[1] and told.get("P-Early-Media") is None  # the caller's realm is not trusted
    assert gates(net) == expected
    answer(net, caller, callee)


def test_p_early_media_of_a_stranger(net):
    caller, callee = ring(net, headers=["P-Early-Media: inactive"])
    assert net.access.expect("183").body
    assert gates(net) == (True, True, True)
    answer(net, caller, callee)


@options(trusted="both")
def test_p_early_media_passes_within_trust(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["P-Early-Media: supported"])
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    assert callee.invite.get("P-Early-Media") == "supported"
    callee.reply(183, "Progress", sdp(net.core.address, 50000), ["P-Early-Media: sendrecv,gated"])
    assert net.access.expect("183").get("P-Early-Media").replace(" ", "") == "sendrecv,gated"
    answer(net, caller, callee)


@options(trusted=True)
def test_p_early_media_changes(net):
    """First inactive: it rings. Then an announcement: it is heard."""
    caller, callee = ring(net, headers=["P-Early-Media: inactive"])
    net.access.expect("180")
    callee.reply(183, "Progress", sdp(net.core.address, 50000), ["P-Early-Media: sendrecv"])
    assert net.access.expect("183").body
    assert gates(net) == (True, True, True)
    callee.reply(183, "Progress", sdp(net.core.address, 50000), ["P-Early-Media: inactive"])
    net.access.expect("180")
    assert gates(net) == (True, False, False)
    answer(net, caller, callee)


@options(trusted=True, access_policy="early_media=backward")
def test_p_early_media_is_bounded_by_policy(net):
    caller, callee = ring(net, headers=["P-Early-Media: sendrecv"])
    net.access.expect("183")
    assert gates(net) == (True, True, False)
    answer(net, caller, callee)


@options(access_policy="early_media=none")
def test_reliable_progress(net):
    """The caller can take reliable responses: it gets 180 without a description, and the description in the 200."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["Supported: 100rel"])
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(183, "Progress", sdp(net.core.address, 50000), ["Require: 100rel", "RSeq: 5"])
    ringing = net.access.expect("180")
    assert ringing.body == "" and ringing.get("RSeq")
    caller.answered(ringing)
    caller.send("PRACK", headers=[f"RAck: {ringing.get('RSeq')} {ringing.get('CSeq')}"])
    net.access.expect("200 PRACK")
    net.core.reply(net.core.expect("PRACK"), 200, tag=callee.local_tag)
    answer(net, caller, callee, False)
