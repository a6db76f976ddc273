# SPDX-License-Identifier: GPL-3.0-or-later
"""Session timers (RFC 4028), each leg for itself; the sip thread's clock is set forward. And timer C."""
import pytest
from conftest import options
from exchange import finish, prack, ring
from peer import Dialog, sdp

UPDATE = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"


def call_up(net, near=(), far=(), far_allow=None):
    """A call with these headers in the caller's INVITE and the callee's 200; what both were told."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), near)
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, "OK", sdp(net.core.address, 50000), far)
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", **{"tag": "call", "to": "up"})
    return caller, callee, ok


def ended(net, *dialogs, cause):
    for dialog in dialogs:
        bye = dialog.peer.expect("BYE")
        assert "session timer" in bye.get("Reason")
        dialog.peer.reply(bye, 200)
    assert cause in net.gateway.wait_event("call ended")["cause"]
    assert net.gateway.wait_event("session expired")["call_id_b"]
    net.gateway.wait_idle()


def advance(net, seconds):
    """Once the gateway has taken what both have said so far: it answers what comes behind that."""
    for side, peer in (("access", net.access), ("core", net.core)):
        net.caller(side).send("OPTIONS")
        peer.expect("200 OPTIONS")
    net.gateway.advance(seconds)


def quiet(net):
    for peer in (net.access, net.core):
        for method in ("INVITE", "UPDATE", "BYE"):
            peer.nothing(method, 0.05)


def test_what_we_ask_for(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["Session-Expires: 300;refresher=uac", "Min-SE: 200", "Supported: timer"])
    invite = net.core.expect("INVITE")  # the caller's are the caller's
    assert invite.get("Session-Expires") == "1800" and invite.get("Min-SE") == "90"
    assert "timer" in invite.get("Supported")


@options(access_policy="expires=0", core_policy="expires=0")
def test_nothing_is_asked_for(net):
    caller, callee, ok = call_up(net)
    assert callee.invite.get("Session-Expires") is None and callee.invite.get("Min-SE") is None
    assert "timer" in callee.invite.get("Supported") and ok.get("Session-Expires") is None
    advance(net, 100000)
    quiet(net)
    finish(net, caller, callee)


@pytest.mark.parametrize("asked, told, required", [
    (["Session-Expires: 600", "Supported: timer"], "600;refresher=uac", True),
    (["Session-Expires: 600;refresher=uac", "Supported: timer"], "600;refresher=uac", True),
    (["Session-Expires: 600;refresher=uas", "Supported: timer"], "600;refresher=uas", False),
    (["x: 600;refresher=uas", "k: timer"], "600;refresher=uas", False),
    (["Session-Expires: 7200;refresher=uas", "Supported: timer"], "1800;refresher=uas", False),
    (["Session-Expires: 7200;refresher=uas", "Min-SE: 3600", "Supported: timer"], "3600;refresher=uas", False),
    (["Supported: timer"], "1800;refresher=uas", False),
    ([], "1800;refresher=uas", False),
])
def test_what_we_answer(net, asked, told, required):
    caller, callee, ok = call_up(net, asked)
    assert ok.get("Session-Expires") == told
    assert (ok.get("Require") == "timer") == required
    finish(net, caller, callee)


@options(access_policy="min=600")
def test_too_short_for_us(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["Session-Expires: 599", "Supported: timer"])
    response = net.access.expect("422 INVITE")
    assert response.get("Min-SE") == "600"
    caller.ack(response)
    net.core.nothing("INVITE", 0.1)
    net.gateway.wait_idle()
    caller, callee, ok = call_up(net, ["Session-Expires: 600", "Min-SE: 600", "Supported: timer"])
    caller.send_invite(sdp(net.access.address, 40000, version=1), ["Session-Expires: 100", "Supported: timer"])
    response = net.access.expect("422 INVITE")
    caller.ack(response)
    finish(net, caller, callee)


def test_too_short_for_them(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    first = net.core.expect("INVITE")
    net.core.reply(first, 422, headers=["Min-SE: 4000"])
    net.core.expect("ACK")
    second = net.core.expect("INVITE")
    assert second.get("Call-ID") == first.get("Call-ID") and second.get("From") == first.get("From")
    assert int(second.get("CSeq").split()[0]) == int(first.get("CSeq").split()[0]) + 1
    assert second.get("Via") != first.get("Via") and second.body == first.body
    assert second.get("Session-Expires") == "4000" and second.get("Min-SE") == "4000"
    assert len(second.all("Session-Expires")) == 1 and len(second.all("Via")) == 1
    callee = Dialog(net.core, invite=second)
    callee.reply(200, "OK", sdp(net.core.address, 50000), ["Session-Expires: 4000;refresher=uas", "Require: timer"])
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.ack(ok)
    net.access.nothing("422", 0.05)
    finish(net, caller, callee)


@pytest.mark.parametrize("again", ["Min-SE: 4000", "Min-SE: 100000", "X: 1"])
def test_never_long_enough_for_them(net, again):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    net.core.reply(net.core.expect("INVITE"), 422, headers=["Min-SE: 4000"])
    net.core.expect("ACK")
    net.core.reply(net.core.expect("INVITE"), 422, headers=[again])
    net.core.expect("ACK")
    caller.ack(net.access.expect("500 INVITE"))
    net.gateway.wait_idle()


@options(access_policy="expires=0")
def test_we_refresh_by_update(net):
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 1200;refresher=uac", "Require: timer"])
    for _ in range(3):
        advance(net, 599)
        net.core.nothing("UPDATE", 0.05)
        advance(net, 2)
        update = net.core.expect("UPDATE")
        assert update.body == "" and update.get("Session-Expires") == "1200;refresher=uac" and update.get("Call-ID") == callee.call_id
        net.core.reply(update, 200, headers=["Session-Expires: 1200;refresher=uac"], tag=callee.local_tag)
        net.access.nothing("UPDATE", 0.05)
        net.core.kept.clear()  # a repetition that crossed the answer
    finish(net, caller, callee)


@options(access_policy="expires=0")
def test_we_refresh_by_reinvite(net):
    """A peer that does not say that it has UPDATE. The other leg notices nothing."""
    caller, callee, _ = call_up(net, [UPDATE], ["Session-Expires: 1200;refresher=uac", "Require: timer"])
    first = callee.invite.body
    for _ in range(2):
        advance(net, 601)
        invite = net.core.expect("INVITE")
        assert invite.body == first and invite.get("Session-Expires") == "1200;refresher=uac"
        callee.peer.reply(invite, 200, "OK", sdp(net.core.address, 50000), callee.local_tag, ["Session-Expires: 1200;refresher=uac"])
        net.core.expect("ACK")
        net.gateway.events("session timer")
    net.access.nothing("INVITE", 0.05)
    finish(net, caller, callee)


@pytest.mark.parametrize("by_update", [True, False])
def test_they_refresh(net, by_update):
    caller, callee, ok = call_up(net, ["Session-Expires: 600;refresher=uac", "Supported: timer"],
                                 ["Session-Expires: 1800;refresher=uas", "Require: timer"])
    net.core.nothing("BYE", 0.01)
    for _ in range(2):
        advance(net, 500)
        if by_update:
            caller.send("UPDATE", headers=["Session-Expires: 600;refresher=uac", "Supported: timer"])
            answer = net.access.expect("200 UPDATE")
        else:
            caller.send_invite(sdp(net.access.address, 40000), ["Session-Expires: 600;refresher=uac", "Supported: timer"])
            answer = net.access.expect("200 INVITE")
            caller.ack(answer)
        assert answer.get("Session-Expires") == "600;refresher=uac" and answer.get("Require") == "timer"
        quiet(net)  # it need not cross
    advance(net, 569)  # 600 - 32 after the last one
    ended(net, caller, callee, cause="the peer did not refresh")


@options(access_policy="expires=0")
def test_peer_does_not_refresh(net):
    caller, callee, _ = call_up(net, [], ["Session-Expires: 1800;refresher=uas", "Require: timer"])
    advance(net, 1767)
    quiet(net)
    advance(net, 2)
    ended(net, caller, callee, cause="the peer did not refresh")


@pytest.mark.parametrize("status", [408, 481])
def test_refresh_says_it_is_gone(net, status):
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 600;refresher=uac", "Require: timer"])
    advance(net, 301)
    net.core.reply(net.core.expect("UPDATE"), status, tag=callee.local_tag)
    ended(net, caller, callee, cause="the refresh was not answered")


def test_refresh_refused_is_tried_again(net):
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 600;refresher=uac", "Require: timer"])
    advance(net, 301)
    for _ in range(3):
        net.core.reply(net.core.expect("UPDATE"), 500, tag=callee.local_tag)
        net.gateway.events("session refresh")
        advance(net, 11)
    update = net.core.expect("UPDATE")
    net.core.reply(update, 200, headers=["Session-Expires: 600;refresher=uac"], tag=callee.local_tag)
    net.gateway.events("session timer")
    advance(net, 290)
    quiet(net)
    finish(net, caller, callee)


def test_refresh_refused_to_the_end(net):
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 90;refresher=uac", "Require: timer"])
    advance(net, 46)
    net.core.reply(net.core.expect("UPDATE"), 500, tag=callee.local_tag)
    net.gateway.events("session refresh")
    advance(net, 30)
    ended(net, caller, callee, cause="no refresh was taken")


def test_refresh_too_short(net):
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 600;refresher=uac", "Require: timer"])
    advance(net, 301)
    net.core.reply(net.core.expect("UPDATE"), 422, headers=["Min-SE: 900"], tag=callee.local_tag)
    again = net.core.expect("UPDATE")
    assert again.get("Session-Expires") == "900;refresher=uac" and again.get("Min-SE") == "900"
    net.core.reply(again, 200, headers=["Session-Expires: 900;refresher=uac"], tag=callee.local_tag)
    net.gateway.events("session timer")
    finish(net, caller, callee)


@pytest.mark.parametrize("status", [200, 405, 488, 500])
def test_peer_without_session_timers(net, status):
    """It is asked all the same whether it is there: any answer but 408 and 481 says so."""
    caller, callee, _ = call_up(net, [UPDATE], ["Allow: INVITE, ACK, BYE"])
    for _ in range(2):
        advance(net, 901)
        net.access.reply(net.access.expect("UPDATE"), 200, tag=caller.local_tag)
        invite = net.core.expect("INVITE")
        body = sdp(net.core.address, 50000) if status == 200 else None
        callee.peer.reply(invite, status, "Reply", body, callee.local_tag)
        net.core.expect("ACK")
        net.gateway.events("session refresh")
        advance(net, 890)
        quiet(net)
        advance(net, 12)
        net.access.reply(net.access.expect("UPDATE"), 200, tag=caller.local_tag)
        callee.peer.reply(net.core.expect("INVITE"), 200, "OK", sdp(net.core.address, 50000), callee.local_tag)
        net.core.expect("ACK")
        net.gateway.events("session refresh")
    finish(net, caller, callee)


def test_mute_peer_ends_the_call(net):
    """Nobody answers the refresh: 64*T1, then BYE on both legs."""
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 600;refresher=uac", "Require: timer"])
    advance(net, 301)
    net.core.expect("UPDATE")
    bye = net.access.expect("BYE", timeout=6)
    assert "session timer" in bye.get("Reason")
    net.access.reply(bye, 200)
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


@options(access_policy="expires=0")
def test_refresh_waits_for_a_reinvite(net):
    """Glare is avoided: ours is later."""
    caller, callee, _ = call_up(net, [], ["Session-Expires: 600;refresher=uac", "Require: timer"])
    advance(net, 299)
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    invite = net.core.expect("INVITE")
    advance(net, 2)  # ours is due
    net.gateway.wait_event("session refresh", by="later")
    callee.peer.reply(invite, 200, "OK", sdp(net.core.address, 50000, "recvonly", version=2), callee.local_tag,
                      ["Session-Expires: 600;refresher=uac"])
    net.core.expect("ACK")
    caller.ack(net.access.expect("200 INVITE"))
    net.gateway.events("session timer")
    advance(net, 295)  # theirs was one as well
    assert len(net.gateway.events("session refresh")) == 1
    advance(net, 10)
    net.gateway.wait_event("session refresh", by="re-invite")


@pytest.mark.parametrize("by_caller", [True, False])
def test_too_short_for_a_reinvite_that_is_cancelled(net, by_caller):
    """The 422 crosses our CANCEL: it is not sent again, since that one nobody could cancel."""
    caller, callee, _ = call_up(net)
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.send_invite(sdp(first.peer.address, 40000 if by_caller else 50000, "sendonly", version=2))
    invite = second.peer.expect("INVITE")
    second.peer.reply(invite, 180, tag=second.local_tag)
    first.cancel()
    first.peer.expect("200 CANCEL")
    second.peer.reply(second.peer.expect("CANCEL"), 200, tag=second.local_tag)
    second.peer.reply(invite, 422, headers=["Min-SE: 2000"], tag=second.local_tag)
    second.peer.expect("ACK")
    first.ack(first.peer.expect("487 INVITE"))
    second.peer.nothing("INVITE", 0.1)
    finish(net, caller, callee)


SHORT = ["Session-Expires: 90;refresher=uac", "Supported: timer"]


@options(timer_c=2000)
@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("offers", [True, False])
def test_what_rings_does_not_expire(net, by_caller, offers):
    """What an early UPDATE says of session timers counts for nothing: what the INVITE and its 2xx say does."""
    caller, callee = ring(net, [UPDATE, "Supported: 100rel"])
    callee.reliable(183, sdp(callee.peer.address, 50000))
    prack(caller, caller.peer.expect("183"))
    callee.answer_to(callee.pracked())
    caller.peer.expect("200 PRACK")
    first, second = (caller, callee) if by_caller else (callee, caller)
    ports = (40000, 50000) if by_caller else (50000, 40000)
    first.send("UPDATE", sdp(first.peer.address, ports[0], "sendonly", version=2) if offers else None, SHORT)
    if offers:
        asked = second.peer.expect("UPDATE")
        assert not asked.get("Session-Expires")
        second.peer.reply(asked, 200, "OK", sdp(second.peer.address, ports[1], "recvonly", version=2), second.local_tag, SHORT)
    assert not first.peer.expect("200 UPDATE").get("Session-Expires")
    for _ in range(4):
        advance(net, 50)
    quiet(net)
    callee.reply(200, "OK", None, [UPDATE, "Session-Expires: 600;refresher=uas", "Require: timer"])
    ok = caller.peer.expect("200 INVITE")
    assert ok.get("Session-Expires") == "1800;refresher=uas"  # the caller's INVITE knew nothing of it
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    advance(net, 500)
    quiet(net)
    finish(net, caller, callee)


@options(timer_c=200)
def test_timer_c_counts_from_the_last_ringing(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    for number in range(3):
        callee.reply(180, headers=[f"Subject: {number}"])
        while net.access.expect("180").get("Subject") != str(number):
            continue  # nta repeats one by itself every minute
        advance(net, 190)
        net.core.nothing("CANCEL", 0.05)
    advance(net, 11)
    caller.ack(net.access.expect("408 INVITE"))
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(487)
    net.core.expect("ACK")
    assert "timer C" in net.gateway.wait_event("call ended")["cause"]
    net.gateway.wait_idle()


@options(timer_c=200)
def test_timer_c_and_a_fork(net):
    """The ringing of any branch counts (RFC 3261 section 16.7)."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    one = Dialog(net.core, invite=net.core.expect("INVITE"), tag="one")
    one.reply(180)
    net.access.expect("180")
    advance(net, 150)
    Dialog(net.core, invite=one.invite, tag="two").reply(180)
    net.gateway.wait_event("call forked")
    advance(net, 150)
    net.core.nothing("CANCEL", 0.1)
