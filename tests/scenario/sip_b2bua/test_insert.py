# SPDX-License-Identifier: GPL-3.0-or-later
"""delayed_offer: insert. The far side gets an offer of ours, and what it answers is what the caller is offered."""
import re

import pytest
from conftest import options
from exchange import ALLOW, OLD, RELIABLE, direction_of, finish, formats_of, lines, prack, ring, sdp
from test_downgrade import DTLS, SHA256, SUITE, crypto
from test_downgrade import sdp as secured
from test_session_timer import advance

CODECS = "codec=PCMA,codec=PCMU,codec=opus,codec=telephone-event"
INSERT = dict(core_policy="delayed_offer=insert," + CODECS)


def answered(net, formats=(8, 101), headers=(OLD,), far=OLD):
    """The far side has answered our offer; the caller has one, in its 2xx."""
    caller, callee = ring(net, headers, body=None)
    assert formats_of(callee.invite.body) == [(8, 0, 96, 97)]
    assert "a=rtpmap:96 opus/48000/2" in callee.invite.body and "a=rtpmap:97 telephone-event/8000" in callee.invite.body
    assert "192.0.2.1" not in callee.invite.body
    callee.reply(200, "OK", sdp(callee.peer, formats=formats), [far])
    callee.peer.expect("ACK")  # it has had its offer
    return caller, callee, caller.peer.expect("200 INVITE")


@options(**INSERT)
def test_call(net):
    caller, callee, ok = answered(net, (8,))
    assert formats_of(ok.body) == [(8,)] and callee.peer.address not in ok.body
    assert not any(x["agreed"] for x in lines(net))  # nothing flows before the caller has answered
    caller.ack(ok, sdp(caller.peer, formats=(8,)))
    net.gateway.wait_event("state", tag="call", to="up")
    assert all(x["agreed"] and x["send"] and x["receive"] for x in lines(net))
    assert [x["remote"] for x in lines(net)] == ["127.0.1.1:40000", "127.0.2.1:50000"]
    callee.peer.nothing("INVITE", 0.1)
    finish(net, caller, callee)


@options(**INSERT)
def test_an_offer_is_passed_as_it_is(net):
    caller, callee = ring(net)
    assert formats_of(callee.invite.body) == [(0, 8)]
    callee.reply(486)
    caller.ack(caller.peer.expect("486 INVITE"))
    net.gateway.wait_idle()


@options(**INSERT)
@pytest.mark.parametrize("far, carrier", [(ALLOW, "UPDATE"), (OLD, "INVITE")])
@pytest.mark.parametrize("answer", [dict(formats=(8,)), dict(formats=(0, 8), direction="sendonly")], ids=["fewer", "held"])
def test_what_the_caller_leaves_out_reaches_the_far_side(net, far, carrier, answer):
    caller, callee, ok = answered(net, (0, 8), far=far)
    caller.ack(ok, sdp(caller.peer, **answer))
    asked = callee.peer.expect(carrier)
    assert formats_of(asked.body) == [answer["formats"]] and direction_of(asked.body) == answer.get("direction", "sendrecv")
    said = {"sendonly": "recvonly"}.get(answer.get("direction"), "sendrecv")
    callee.answer_to(asked, 200, sdp(callee.peer, said, formats=answer["formats"]))
    if carrier == "INVITE":
        callee.peer.expect("ACK")
    caller.peer.nothing("INVITE", 0.1)
    assert all(x["agreed"] for x in lines(net)) and lines(net)[0]["send"] == (said == "sendrecv")
    finish(net, caller, callee)


@options(**INSERT)
def test_reliable_at_both_ends(net):
    caller, callee = ring(net, [RELIABLE, OLD], body=None)
    callee.reliable(183, sdp(callee.peer, formats=(8,)))
    session = caller.peer.expect("183")
    assert formats_of(session.body) == [(8,)]
    prack(caller, session, sdp(caller.peer, formats=(8,)))
    caller.peer.expect("200 PRACK")
    callee.answer_to(callee.pracked())
    assert all(x["agreed"] for x in lines(net))  # early media, both ways
    callee.reply(200, "OK", None, [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == ""
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    finish(net, caller, callee)


@options(**INSERT)
@pytest.mark.parametrize("answer", [None, "nonsense", "refused"])
def test_answer_that_cannot_be_used(net, answer):
    caller, callee, ok = answered(net, (8,))
    caller.ack(ok, sdp(caller.peer, port=0) if answer == "refused" else answer)
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    assert net.gateway.wait_event("call ended")["status"] == 488
    net.gateway.wait_idle()


@options(**INSERT)
@pytest.mark.parametrize("answer", [None, "nonsense", "refused"])
def test_far_answer_that_cannot_be_used(net, answer):
    caller, callee = ring(net, [OLD], body=None)
    callee.reply(200, "OK", sdp(callee.peer, port=0) if answer == "refused" else answer)
    callee.peer.expect("ACK")
    callee.answer_to(callee.peer.expect("BYE"))
    caller.ack(caller.peer.expect("488 INVITE"))
    net.gateway.wait_idle()


@options(**INSERT)
@pytest.mark.parametrize("who", ["caller", "callee", "nobody"])
def test_the_call_ends_before_the_caller_has_answered(net, who):
    caller, callee, ok = answered(net, (8,))
    caller.answered(ok)
    if who == "caller":
        caller.bye()
        caller.peer.expect("200 BYE")
        callee.answer_to(callee.peer.expect("BYE"))
    elif who == "callee":
        callee.bye()
        callee.peer.expect("200 BYE")
        caller.ack(ok, sdp(caller.peer, formats=(8,)))
        caller.peer.reply(caller.peer.expect("BYE"), 200)
    else:  # 64 * T1 without an ACK
        for dialog in (callee, caller):
            dialog.peer.reply(dialog.peer.expect("BYE", timeout=6), 200)
    net.gateway.wait_idle()


@options(**INSERT)
def test_refused_by_the_far_side(net):
    caller, callee = ring(net, [OLD], body=None)
    callee.reply(603)
    caller.ack(caller.peer.expect("603 INVITE"))
    net.gateway.wait_idle()


@options(access_profile="dtls", core_profile="sdes", **INSERT)
def test_each_leg_has_its_own_security(net):
    """The offer to the far side has its profile's, the one to the caller the caller's; nothing of one is in the other."""
    caller, callee = ring(net, [OLD], body=None)
    assert " RTP/SAVP " in callee.invite.body and "a=crypto:" in callee.invite.body and "fingerprint" not in callee.invite.body
    tag = re.search(rf"a=crypto:(\d+) {SUITE} ", callee.invite.body)[1]
    callee.reply(200, "OK", secured(net, "core", "RTP/SAVP", crypto(0, tag=tag)))
    callee.peer.expect("ACK")
    ok = caller.peer.expect("200 INVITE")
    assert f" {DTLS} " in ok.body and "a=fingerprint:" in ok.body and "crypto" not in ok.body and "a=setup:actpass" in ok.body
    caller.ack(ok, secured(net, "access", DTLS, SHA256, "setup:active"))
    net.gateway.wait_event("state", tag="call", to="up")
    assert [x["mechanism"] for x in lines(net)] == ["dtls-srtp", "sdes"]
    finish(net, caller, callee)


@options(access_profile="dtls", core_profile="sdes")
def test_the_same_without_it(net):
    """pass: the far offer is answered in our ACK with keys of ours, and the caller's own never leave its leg."""
    caller, callee = ring(net, [OLD], body=None)
    assert callee.invite.body == ""
    callee.reply(200, "OK", secured(net, "core", "RTP/SAVP", crypto(0)))
    ok = caller.peer.expect("200 INVITE")
    assert f" {DTLS} " in ok.body and "crypto" not in ok.body
    callee.peer.nothing("ACK", 0.1)
    caller.ack(ok, secured(net, "access", DTLS, SHA256, "setup:active"))
    ack = callee.peer.expect("ACK")
    assert "a=crypto:1 " in ack.body and "fingerprint" not in ack.body
    net.gateway.wait_event("state", tag="call", to="up")
    finish(net, caller, callee)


def waiting(net):
    """Our offer to the far side has met 491, and goes again in 8.4 to 16 s (a T1 of 2 s)."""
    caller, callee, ok = answered(net, (0, 8))
    caller.ack(ok, sdp(caller.peer, formats=(8,)))
    callee.answer_to(callee.peer.expect("INVITE"), 491)
    callee.peer.expect("ACK")
    net.gateway.wait_event("offer again later")
    return caller, callee


def again(net, caller, callee):
    """It does."""
    advance(net, 17)
    asked = callee.peer.expect("INVITE")
    assert formats_of(asked.body) == [(8,)] and direction_of(asked.body) == "sendrecv"
    callee.answer_to(asked, 200, sdp(callee.peer, formats=(8,)))
    callee.peer.expect("ACK")
    finish(net, caller, callee)


@options(t1=2000, **INSERT)
@pytest.mark.parametrize("status", [200, 488])
def test_an_offer_of_ours_waits_while_theirs_is_open(net, status):
    caller, callee = waiting(net)
    caller.send_invite(sdp(caller.peer, "sendonly", formats=(8,)))
    asked = callee.peer.expect("INVITE")
    callee.answer_to(asked, 180)
    for _ in range(3):  # the user thinks; nothing of ours takes his time
        advance(net, 17)
    callee.peer.nothing("CANCEL", 0.1)
    callee.answer_to(asked, status, sdp(callee.peer, "recvonly", formats=(8,)) if status == 200 else None)
    callee.peer.expect("ACK")
    caller.ack(caller.peer.expect(f"{status} INVITE"))
    if status == 488:
        again(net, caller, callee)
        return
    advance(net, 17)
    callee.peer.nothing("INVITE", 0.1)  # it has heard all
    finish(net, caller, callee)


@options(t1=2000, **INSERT)
def test_an_offer_of_ours_waits_while_an_update_is_open(net):
    """Which has gone on as a re-INVITE, and is given up after 40 * T1: not before, since ours is due; and ours goes then."""
    caller, callee = waiting(net)
    caller.send("UPDATE", sdp(caller.peer, "sendonly", formats=(8,)))
    asked = callee.peer.expect("INVITE")
    callee.answer_to(asked, 180)
    advance(net, 60)
    callee.peer.nothing("CANCEL", 0.1)
    advance(net, 21)
    callee.answer_to(callee.peer.expect("CANCEL"))
    callee.answer_to(asked, 487)
    callee.peer.expect("ACK")
    caller.peer.expect("504 UPDATE")
    again(net, caller, callee)
