# SPDX-License-Identifier: GPL-3.0-or-later
"""Reliable provisional responses (RFC 3262) and early UPDATE, with both sides able and with one of them not. The rows are
those of the second table in docs/offer-answer.md."""
import pytest
from exchange import (ALLOW, OLD, RELIABLE, direction_of, finish, formats_of, lines, prack, ring, sdp, state, tags)

REQUIRE = "Require: 100rel"
NEAR = {"none": [OLD], "supported": [ALLOW, RELIABLE], "required": [ALLOW, REQUIRE]}


def both_reliable(net, near="supported", far_sdp=True):
    """A reliable 183 that has gone end to end, with its PRACK."""
    caller, callee = ring(net, NEAR[near])
    assert "100rel" in tags(callee.invite, "Supported")
    callee.reliable(183, sdp(callee.peer) if far_sdp else None)
    session = caller.peer.expect("183")
    assert tags(session) >= {"100rel"} and int(session.get("RSeq")) > 0
    callee.peer.nothing("PRACK", 0.1)  # ours waits for the caller's
    prack(caller, session)
    callee.answer_to(callee.pracked())
    caller.peer.expect("200 PRACK")
    return caller, callee


def answer(caller, callee, body=None):
    callee.reply(200, "OK", body, [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    caller.ack(ok)
    return ok


@pytest.mark.parametrize("again", [None, "same", "other"])
def test_far_reliable_and_near_not(net, again):
    """We acknowledge; the caller gets a plain 18x, and the same description in the 200, whatever the far 200 repeats."""
    caller, callee = ring(net, NEAR["none"])
    said = sdp(callee.peer, formats=(8,))
    callee.reliable(183, said)
    callee.answer_to(callee.pracked())
    session = caller.peer.expect("183")
    assert not session.get("RSeq") and "100rel" not in tags(session) and formats_of(session.body) == [(8,)]
    assert all(x["agreed"] for x in lines(net))
    callee.reliable(180)
    callee.answer_to(callee.pracked())
    assert caller.peer.expect("180").body == ""
    ok = answer(caller, callee, {None: None, "same": said, "other": sdp(callee.peer, formats=(0,))}[again])
    assert ok.body == session.body
    finish(net, caller, callee)


@pytest.mark.parametrize("near", ["supported", "required"])
def test_both_reliable(net, near):
    caller, callee = both_reliable(net, near)
    callee.reliable(180)
    ringing = caller.peer.expect("180")
    prack(caller, ringing)
    callee.answer_to(callee.pracked())
    caller.peer.expect("200 PRACK")
    assert answer(caller, callee).body == ""  # the caller has its answer
    assert all(x["agreed"] and x["send"] for x in lines(net))
    finish(net, caller, callee)


def test_near_requires_and_far_has_not(net):
    """Our own RSeq; one at a time; the description goes with the first that has it, and the 200 repeats none."""
    caller, callee = ring(net, NEAR["required"])
    callee.reply(180)
    ringing = caller.peer.expect("180")
    callee.reply(183, "Session Progress", sdp(callee.peer))
    again = caller.peer.expect("180")  # repeated, and the 183 waits
    assert again.get("RSeq") == ringing.get("RSeq") and ringing.body == "" and "100rel" in tags(ringing)
    prack(caller, ringing)
    caller.peer.expect("200 PRACK")
    session = caller.peer.expect("183")
    assert int(session.get("RSeq")) == int(ringing.get("RSeq")) + 1 and formats_of(session.body) == [(0, 8)]
    callee.reply(200, "OK", sdp(callee.peer))
    callee.peer.expect("ACK")
    caller.peer.nothing("200 INVITE", 0.1)  # RFC 3262 section 3: not before the PRACK
    prack(caller, session)
    caller.peer.expect("200 PRACK")
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == ""
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    finish(net, caller, callee)


@pytest.mark.parametrize("near, carrier", [([ALLOW, REQUIRE], "UPDATE"), ([OLD, REQUIRE], "INVITE")])
def test_near_was_told_something_else(net, near, carrier):
    """A plain 18x is no promise. What the far 200 says in its place reaches the caller by an offer of ours."""
    caller, callee = ring(net, near)
    callee.reply(183, "Session Progress", sdp(callee.peer, formats=(0,)))
    session = caller.peer.expect("183")
    prack(caller, session)
    caller.peer.expect("200 PRACK")
    ok = answer(caller, callee, sdp(callee.peer, formats=(8,)))
    assert formats_of(session.body) == [(0,)] and ok.body == ""
    asked = caller.peer.expect(carrier)
    assert formats_of(asked.body) == [(8,)]
    caller.peer.reply(asked, 200, "OK", sdp(caller.peer, formats=(8,)), tag=caller.local_tag)
    if carrier == "INVITE":
        caller.peer.expect("ACK")
    callee.peer.nothing("INVITE", 0.1)
    finish(net, caller, callee)


def test_an_offer_of_ours_meets_theirs(net):
    """491 to it: again after the time of RFC 3261 section 14.1; the caller made the Call-ID, so ours is 0 to 2 s (a tenth here)."""
    caller, callee = ring(net, [OLD, REQUIRE])
    callee.reply(183, "Session Progress", sdp(callee.peer, formats=(0,)))
    prack(caller, caller.peer.expect("183"))
    caller.peer.expect("200 PRACK")
    answer(caller, callee, sdp(callee.peer, formats=(8,)))
    asked = caller.peer.expect("INVITE")
    caller.send_invite(sdp(caller.peer, "sendonly", formats=(8,)))
    caller.ack(caller.peer.expect("491 INVITE"))
    caller.peer.reply(asked, 491, tag=caller.local_tag)
    caller.peer.expect("ACK")
    again = caller.peer.expect("INVITE")
    assert int(again.get("CSeq").split()[0]) > int(asked.get("CSeq").split()[0]) and formats_of(again.body) == [(8,)]
    caller.peer.reply(again, 200, "OK", sdp(caller.peer, formats=(8,)), tag=caller.local_tag)
    caller.peer.expect("ACK")
    assert net.gateway.events("offer again later")
    finish(net, caller, callee)


def test_no_prack(net):
    """RFC 3262 section 3: after 64 * T1 the INVITE is refused with a 5xx."""
    caller, callee = ring(net, NEAR["required"])
    callee.reply(180)
    first = caller.peer.expect("180")
    assert caller.peer.expect("180").get("RSeq") == first.get("RSeq")
    cancel = callee.peer.expect("CANCEL", timeout=6)
    callee.answer_to(cancel)
    callee.reply(487)
    callee.peer.expect("ACK")
    caller.ack(caller.peer.expect("504 INVITE"))
    net.gateway.wait_idle()


def test_no_prack_and_far_has_answered(net):
    caller, callee = ring(net, NEAR["required"])
    callee.reply(183, "Session Progress", sdp(callee.peer))
    caller.peer.expect("183")
    callee.reply(200, "OK", sdp(callee.peer))
    callee.peer.expect("ACK")
    caller.ack(caller.peer.expect("504 INVITE", timeout=6))
    callee.answer_to(callee.peer.expect("BYE"))
    net.gateway.wait_idle()


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_the_call_ends_while_a_prack_is_due(net, who):
    caller, callee = ring(net, NEAR["required"])
    callee.reply(183, "Session Progress", sdp(callee.peer))
    caller.peer.expect("183")
    if who == "caller":
        caller.cancel()
        caller.peer.expect("200 CANCEL")
        callee.answer_to(callee.peer.expect("CANCEL"))
        callee.reply(487)
        callee.peer.expect("ACK")
        caller.ack(caller.peer.expect("487 INVITE"))
    else:
        callee.reply(200, "OK", sdp(callee.peer))
        callee.peer.expect("ACK")
        callee.bye()
        callee.peer.expect("200 BYE")
        caller.ack(caller.peer.expect("480 INVITE"))
    net.gateway.wait_idle()


def test_prack_of_nothing_that_is_open(net):
    caller, callee = ring(net, NEAR["required"])
    callee.reply(180)
    ringing = caller.peer.expect("180")
    caller.answered(ringing)
    cseq = ringing.get("CSeq")
    for rack in (f"{int(ringing.get('RSeq')) + 1} {cseq}", f"{ringing.get('RSeq')} {int(cseq.split()[0]) + 1} INVITE"):
        caller.send("PRACK", None, [f"RAck: {rack}"])
        caller.peer.expect("481 PRACK")
    prack(caller, ringing)
    caller.peer.expect("200 PRACK")
    prack(caller, ringing)
    caller.peer.expect("481 PRACK")
    callee.reply(486)
    caller.ack(caller.peer.expect("486 INVITE"))
    net.gateway.wait_idle()


def test_far_responses_in_order(net):
    """RFC 3262 section 4: a repetition is not acknowledged anew by us, one ahead of its turn not at all."""
    caller, callee = ring(net, NEAR["none"])
    callee.reliable(183, sdp(callee.peer))
    callee.answer_to(callee.pracked())
    caller.peer.expect("183")
    callee.rseq -= 1
    callee.reliable(183, sdp(callee.peer))
    callee.rseq += 1
    callee.reliable(180)
    callee.peer.nothing("PRACK", 0.1)
    caller.peer.nothing("180", 0.05)
    callee.rseq -= 2
    callee.reliable(180)
    callee.answer_to(callee.pracked())
    caller.peer.expect("180")
    answer(caller, callee)
    finish(net, caller, callee)


def test_an_answer_in_a_reliable_response_that_cannot_be_taken(net):
    caller, callee = ring(net, NEAR["supported"])
    callee.reliable(183, "nonsense")
    callee.answer_to(callee.pracked())
    callee.answer_to(callee.peer.expect("CANCEL"))
    callee.reply(487)
    caller.ack(caller.peer.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_far_answers_before_its_response_is_acknowledged(net):
    """Ours to the caller waits for a PRACK, and so does the far 180 for ours: with the 200 nobody needs it any more."""
    caller, callee = ring(net, NEAR["required"])
    callee.reply(183, "Session Progress", sdp(callee.peer))
    session = caller.peer.expect("183")
    callee.reliable(180)
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    callee.peer.expect("ACK")
    prack(caller, session)
    caller.peer.expect("200 PRACK")
    caller.ack(caller.peer.expect("200 INVITE"))
    finish(net, caller, callee)
    assert not any(text.startswith("PRACK") for text in callee.peer.received)


# Offers in the early dialog.

def test_offer_in_prack_crosses(net):
    caller, callee = ring(net, NEAR["supported"])
    callee.reliable(183, sdp(callee.peer))
    prack(caller, caller.peer.expect("183"), sdp(caller.peer, "sendonly"))
    asked = callee.pracked()
    assert direction_of(asked.body) == "sendonly"
    callee.answer_to(asked, body=sdp(callee.peer, "recvonly"))
    assert direction_of(caller.peer.expect("200 PRACK").body) == "recvonly"
    answer(caller, callee)
    assert lines(net)[0]["receive"] and not lines(net)[0]["send"]
    finish(net, caller, callee)


def test_offer_in_prack_refused(net):
    caller, callee = ring(net, NEAR["supported"])
    callee.reliable(183, sdp(callee.peer))
    session = caller.peer.expect("183")
    before = state(net)
    prack(caller, session, sdp(caller.peer, "sendonly"))
    callee.answer_to(callee.pracked(), 488)
    caller.peer.expect("488 PRACK")
    assert state(net) == before
    answer(caller, callee)
    finish(net, caller, callee)


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly"])
def test_offer_in_prack_and_the_far_answer_is_not_sure(net, direction):
    """Far is not reliable: what it has said may still change, and another offer has to wait for its 200."""
    caller, callee = ring(net, NEAR["required"])
    callee.reply(183, "Session Progress", sdp(callee.peer))
    prack(caller, caller.peer.expect("183"), sdp(caller.peer, direction))
    assert caller.peer.expect("491 PRACK").body == ""
    answer(caller, callee, sdp(callee.peer))
    finish(net, caller, callee)


@pytest.mark.parametrize("by_caller", [True, False])
def test_early_update_crosses(net, by_caller):
    caller, callee = both_reliable(net)
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.send("UPDATE", sdp(first.peer, "sendonly"))
    asked = second.peer.expect("UPDATE")
    assert direction_of(asked.body) == "sendonly"
    second.peer.reply(asked, 200, "OK", sdp(second.peer, "recvonly"), tag=second.local_tag)
    assert direction_of(first.peer.expect("200 UPDATE").body) == "recvonly"
    mine = lines(net)[0 if by_caller else 1]
    assert mine["receive"] and not mine["send"]
    answer(caller, callee)
    finish(net, caller, callee)


def test_early_update_and_the_caller_is_not_reliable(net):
    """What it need not know is answered here; else 504 (RFC 3311 section 5.2), and the call goes on."""
    caller, callee = ring(net, NEAR["none"])
    callee.reliable(183, sdp(callee.peer))
    callee.answer_to(callee.pracked())
    caller.peer.expect("183")
    callee.send("UPDATE", sdp(callee.peer, connection="127.0.9.9"))
    assert formats_of(callee.peer.expect("200 UPDATE").body) == [(0, 8)]
    assert lines(net)[1]["remote"] == "127.0.9.9:50000"
    before = state(net)
    callee.send("UPDATE", sdp(callee.peer, "sendonly", connection="127.0.9.9"))
    callee.peer.expect("504 UPDATE")
    assert state(net) == before
    caller.peer.nothing("UPDATE", 0.05)
    answer(caller, callee)
    finish(net, caller, callee)


def test_early_update_and_far_has_none(net):
    caller, callee = ring(net, NEAR["supported"])
    callee.rseq += 1
    callee.reply(183, "Reliable", sdp(callee.peer), ["Require: 100rel", f"RSeq: {callee.rseq}", OLD])
    prack(caller, caller.peer.expect("183"))
    callee.answer_to(callee.pracked())
    caller.peer.expect("200 PRACK")
    caller.send("UPDATE", sdp(caller.peer, port=41000))
    caller.peer.expect("200 UPDATE")
    caller.send("UPDATE", sdp(caller.peer, "sendonly"))
    caller.peer.expect("504 UPDATE")
    callee.peer.nothing("UPDATE", 0.05)
    answer(caller, callee)
    caller.send("UPDATE", sdp(caller.peer, "sendonly"))  # after the 200: a re-INVITE in its place, if Allow still lacks it
    callee.peer.expect("UPDATE")
    finish_open(net, caller, callee)


def finish_open(net, caller, callee):
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    caller.peer.expect("200 BYE")
    caller.peer.expect("487 UPDATE")
    net.gateway.wait_idle()


def test_early_update_before_the_first_answer(net):
    """RFC 3311 section 5.2: the offer of the INVITE is still open."""
    caller, callee = ring(net, NEAR["supported"])
    callee.reply(180, headers=[ALLOW])
    caller.answered(caller.peer.expect("180"))
    caller.send("UPDATE", sdp(caller.peer))
    assert caller.peer.expect("500 UPDATE").get("Retry-After")
    callee.send("UPDATE", sdp(callee.peer))
    callee.peer.expect("491 UPDATE")
    answer(caller, callee, sdp(callee.peer))
    finish(net, caller, callee)


def test_bye_of_the_call_with_an_early_update_open(net):
    caller, callee = both_reliable(net)
    callee.send("UPDATE", sdp(callee.peer, "sendonly"))
    caller.peer.expect("UPDATE")
    caller.cancel()
    caller.peer.expect("200 CANCEL")
    callee.answer_to(callee.peer.expect("CANCEL"))
    callee.reply(487)
    caller.ack(caller.peer.expect("487 INVITE"))
    net.gateway.wait_idle()


# Delayed offers in reliable responses.

def test_offer_in_a_reliable_response(net):
    caller, callee = ring(net, NEAR["supported"], body=None)
    assert callee.invite.body == "" and "100rel" in tags(callee.invite, "Supported")
    callee.reliable(183, sdp(callee.peer))
    session = caller.peer.expect("183")
    assert formats_of(session.body) == [(0, 8)] and "100rel" in tags(session)
    prack(caller, session, sdp(caller.peer, formats=(8,)))
    asked = callee.pracked()
    assert formats_of(asked.body) == [(8,)]
    callee.answer_to(asked)
    caller.peer.expect("200 PRACK")
    assert all(x["agreed"] for x in lines(net))
    assert answer(caller, callee).body == ""
    finish(net, caller, callee)


@pytest.mark.parametrize("body", [None, "nonsense"])
def test_its_answer_cannot_be_taken(net, body):
    caller, callee = ring(net, NEAR["supported"], body=None)
    callee.reliable(183, sdp(callee.peer))
    prack(caller, caller.peer.expect("183"), body)
    caller.peer.expect("200 PRACK")
    callee.answer_to(callee.peer.expect("CANCEL"))
    callee.reply(487)
    caller.ack(caller.peer.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_offer_in_a_reliable_response_and_near_has_not(net):
    """It does not come to that: our INVITE without an offer names 100rel only if the caller's does. Who sends one all the same
    is read as if it were plain, and offers in its 200."""
    caller, callee = ring(net, NEAR["none"], body=None)
    assert "100rel" not in tags(callee.invite, "Supported")
    callee.reliable(183, sdp(callee.peer))
    session = caller.peer.expect("183")
    assert session.body == "" and not session.get("RSeq")
    callee.peer.nothing("PRACK", 0.1)
    callee.reply(200, "OK", sdp(callee.peer))
    ok = caller.peer.expect("200 INVITE")
    caller.ack(ok, sdp(caller.peer))
    assert formats_of(callee.peer.expect("ACK").body) == [(0, 8)]
    finish(net, caller, callee)


CURRENT = ["curr:qos local none", "curr:qos remote none", "des:qos mandatory local sendrecv", "des:qos none remote sendrecv"]
MET = ["curr:qos local sendrecv", "curr:qos remote none", "des:qos mandatory local sendrecv", "des:qos mandatory remote sendrecv"]
BOTH = ["curr:qos local sendrecv", "curr:qos remote sendrecv", "des:qos mandatory local sendrecv", "des:qos mandatory remote sendrecv"]


def conditions(body):
    return [line[2:] for line in body.split("\r\n") if line.startswith(("a=curr", "a=des", "a=conf"))]


def test_preconditions_pass(net):
    """RFC 3312 section 13.1, end to end: attributes as they are, the tag in Require, the UPDATE that says they are met."""
    caller, callee = ring(net, [ALLOW, RELIABLE, "Require: precondition"], body=sdp(net.access, more=CURRENT))
    assert conditions(callee.invite.body) == CURRENT
    assert "precondition" in tags(callee.invite) and "100rel" in tags(callee.invite, "Supported")
    callee.reliable(183, sdp(callee.peer, more=[*CURRENT, "conf:qos remote sendrecv"]))
    session = caller.peer.expect("183")
    assert conditions(session.body) == [*CURRENT, "conf:qos remote sendrecv"]
    prack(caller, session)
    callee.answer_to(callee.pracked())
    caller.peer.expect("200 PRACK")
    caller.send("UPDATE", sdp(caller.peer, more=MET))
    asked = callee.peer.expect("UPDATE")
    assert conditions(asked.body) == MET
    callee.answer_to(asked, body=sdp(callee.peer, more=BOTH))
    assert conditions(caller.peer.expect("200 UPDATE").body) == BOTH
    callee.reliable(180)
    prack(caller, caller.peer.expect("180"))
    callee.answer_to(callee.pracked())
    caller.peer.expect("200 PRACK")
    answer(caller, callee)
    finish(net, caller, callee)


@pytest.mark.parametrize("status", [420, 580])
def test_preconditions_that_far_cannot_meet(net, status):
    caller, callee = ring(net, [ALLOW, RELIABLE, "Require: precondition"], body=sdp(net.access, more=CURRENT))
    callee.reply(status, "No", headers=["Unsupported: precondition"] if status == 420 else [])
    refused = caller.peer.expect(f"{status} INVITE")
    if status == 420:
        assert refused.get("Unsupported") == "precondition"
    caller.ack(refused)
    net.gateway.wait_idle()
