# SPDX-License-Identifier: GPL-3.0-or-later
"""An INVITE without description: the far side offers in its 200, the answer is in the ACK."""
import pytest
from exchange import finish
from peer import Dialog, sdp


def offered(net, side="access"):
    caller = net.caller(side)
    caller.send_invite()
    invite = net.callee_peer(side).expect("INVITE")
    assert invite.body == "" and invite.get("Content-Type") is None
    callee = Dialog(net.callee_peer(side), invite=invite)
    callee.reply(180)
    caller.peer.expect("180")
    callee.reply(200, body=sdp(callee.peer.address, 50000))
    ok = caller.peer.expect("200 INVITE")
    assert "m=audio" in ok.body and callee.peer.address not in ok.body
    callee.peer.nothing("ACK", 0.1)
    return caller, callee, ok


@pytest.mark.parametrize("side", ["access", "core"])
def test_call(net, side):
    caller, callee, ok = offered(net, side)
    assert [x["agreed"] for x in net.gateway.events("plan line")] == [False, False]
    caller.ack(ok, sdp(caller.peer.address, 40000))
    ack = callee.peer.expect("ACK")
    assert "m=audio" in ack.body and caller.peer.address not in ack.body
    net.gateway.wait_event("state", tag="call", to="up")
    plan = net.gateway.events("plan line")[-2:]
    assert all(x["agreed"] and x["send"] and x["receive"] for x in plan)
    assert [x["remote"] for x in plan] == [f"{caller.peer.address}:40000", f"{callee.peer.address}:50000"]
    finish(net, caller, callee)


@pytest.mark.parametrize("answer", [None, "nonsense", sdp("127.0.1.1", 0)])
def test_answer_that_is_none(net, answer):
    caller, callee, ok = offered(net)
    caller.ack(ok, answer)
    assert "m=audio 0 " in callee.peer.expect("ACK").body  # valid, and takes nothing
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    assert net.gateway.wait_event("call ended")["status"] == 488
    net.gateway.wait_idle()


def test_no_ack(net):
    caller, callee, _ = offered(net)
    assert "m=audio 0 " in callee.peer.expect("ACK", timeout=6).body
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_caller_says_bye_instead(net):
    caller, callee, ok = offered(net)
    caller.answered(ok)
    caller.bye()
    net.access.expect("200 BYE")
    callee.peer.expect("ACK")
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


@pytest.mark.parametrize("body", [None, "nonsense"])
def test_offer_that_is_none(net, body):
    caller = net.caller()
    caller.send_invite()
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body=body)
    net.core.expect("ACK")
    net.core.reply(net.core.expect("BYE"), 200)
    caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_cancelled(net):
    caller = net.caller()
    caller.send_invite()
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    caller.cancel()
    caller.ack(net.access.expect("487"))
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(200, body=sdp(net.core.address, 50000))
    assert "m=audio 0 " in net.core.expect("ACK").body
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


@pytest.mark.parametrize("offer", ["m=audio 50000 RTP/SAVP 0\r\n", "m=audio 0 RTP/AVP 0\r\n", "m=application 50000 udp wb\r\n"],
                         ids=["secured without a key", "no line", "not for a relay"])
def test_offer_that_cannot_be_taken(net, offer):
    """It is valid, and gets a valid answer that takes nothing; the caller is refused."""
    caller = net.caller()
    caller.send_invite()
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body=sdp(net.core.address, 50000).partition("m=")[0] + offer)
    words = offer.split()
    assert f"{words[0]} 0 {' '.join(words[2:])}\r\n" in net.core.expect("ACK").body
    net.core.reply(net.core.expect("BYE"), 200)
    caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_reinvite(net):
    caller, callee = net.call_up()
    callee.send_invite()
    invite = net.access.expect("INVITE")
    assert invite.body == ""
    net.access.reply(invite, 200, body=sdp("127.0.1.77", 41000, version=2), tag=caller.local_tag)
    ok = net.core.expect("200 INVITE")
    assert "m=audio" in ok.body
    net.access.nothing("ACK", 0.1)
    callee.ack(ok, sdp(net.core.address, 51000, "sendonly", version=2))
    assert "a=sendonly" in net.access.expect("ACK").body
    net.gateway.wait_event("state", tag="call", **{"from": "modifying", "to": "up"})
    plan = net.gateway.events("plan line")[-2:]
    assert [x["remote"] for x in plan] == ["127.0.1.77:41000", "127.0.2.1:51000"]
    assert plan[0]["receive"] is False and plan[0]["send"] is True
    finish(net, caller, callee)


def test_reinvite_refused(net):
    caller, callee = net.call_up()
    before = net.gateway.counts()["plans"]
    caller.send_invite()
    net.core.reply(net.core.expect("INVITE"), 488, tag=callee.local_tag)
    caller.ack(net.access.expect("488 INVITE"))
    net.core.expect("ACK")
    assert net.gateway.counts()["plans"] == before
    finish(net, caller, callee)


def asked_again(net, by_caller):
    """A re-INVITE without an offer has one in its 2xx: who asked, who offered, and what who asked was told."""
    caller, callee = net.call_up()
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.send_invite()
    invite = second.peer.expect("INVITE")
    second.peer.reply(invite, 200, body=sdp(second.peer.address, 41000, version=2), tag=second.local_tag)
    return first, second, first.peer.expect("200 INVITE")


def declined(net, dialog):
    """An answer that takes nothing, and only then the end."""
    assert "m=audio 0 " in dialog.peer.expect("ACK", timeout=10).body
    dialog.peer.reply(dialog.peer.expect("BYE"), 200)


@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("answer", [None, "nonsense"])
def test_reinvite_answer_that_is_none(net, answer, by_caller):
    first, second, ok = asked_again(net, by_caller)
    first.ack(ok, answer)
    declined(net, second)
    first.peer.reply(first.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


@pytest.mark.parametrize("by_caller", [True, False])
def test_reinvite_no_ack(net, by_caller):
    first, second, _ = asked_again(net, by_caller)
    declined(net, second)  # after 64 * T1
    first.peer.reply(first.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


@pytest.mark.parametrize("by_caller", [True, False])
def test_reinvite_bye_instead(net, by_caller):
    first, second, _ = asked_again(net, by_caller)
    first.bye()
    first.peer.expect("200 BYE")
    declined(net, second)
    net.gateway.wait_idle()


@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("offer", ["m=audio 41000 RTP/SAVP 0\r\n", "m=application 41000 udp wb\r\n"],
                         ids=["secured without a key", "not for a relay"])
def test_reinvite_offer_that_cannot_be_taken(net, offer, by_caller):
    caller, callee = net.call_up()
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.send_invite()
    body = sdp(second.peer.address, 41000, version=2).partition("m=")[0] + offer
    second.peer.reply(second.peer.expect("INVITE"), 200, body=body, tag=second.local_tag)
    words = offer.split()
    assert f"{words[0]} 0 {' '.join(words[2:])}\r\n" in second.peer.expect("ACK").body
    first.ack(first.peer.expect("488 INVITE"))
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    net.gateway.wait_idle()
