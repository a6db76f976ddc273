# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall's clock is stepped by an hour, back or forward: whatever was to be sent again is, at its time; timers fire at theirs;
and the log says what the wall says."""
import datetime
import time

import pytest
from conftest import options
from peer import Dialog, sdp
from test_session_timer import UPDATE, call_up, finish, quiet

steps = pytest.mark.parametrize("step", [-3600, 3600], ids=["back", "forward"])


def told(event):
    """How far its time stands from ours."""
    said = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return (said - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def copies(peer, what, until):
    """When each copy of a message came, up to another one's coming."""
    came = []
    while True:
        message = peer.inbox.get(timeout=10)
        if peer.is_a(message, until):
            return came, time.monotonic(), message
        if peer.is_a(message, what):
            came.append(time.monotonic())


@steps
def test_an_invite_that_nobody_answers(net, step):
    """Seven copies in 64 * T1 (3.2 s), then 504: with the step after the second. The seventh is due 50 ms before the end: on a
    busy machine each copy is a little late, and so the end may come first."""
    caller = net.caller()
    began = time.monotonic()
    caller.send_invite(sdp(net.access.address, 40000))
    first = net.core.inbox.get(timeout=10)
    net.core.inbox.get(timeout=10)
    assert net.gateway.ask(f"step {step}") == "ok"
    final = net.access.expect("504 INVITE", 10)
    assert 2.5 < time.monotonic() - began < 6
    caller.ack(final)
    more = 0
    while not net.core.inbox.empty():
        message = net.core.inbox.get()
        more += message.is_request and message.method == "INVITE"
        assert message.get("Via") == first.get("Via")
    assert 2 + more in (6, 7)
    assert abs(told(net.gateway.wait_event("call ended")) - step) < 30
    net.gateway.wait_idle()


@steps
def test_an_answer_that_nobody_acknowledges(net, step):
    """Our 200 is repeated at T1, doubling up to T2, for 64 * T1; then both sides get a BYE."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, "OK", sdp(net.core.address, 50000))
    net.core.expect("ACK")
    net.access.expect("200 INVITE")
    began = time.monotonic()
    assert net.gateway.ask(f"step {step}") == "ok"
    came, ended, bye = copies(net.access, "200 INVITE", "BYE")
    assert 2.5 < ended - began < 6 and 7 <= len(came) <= 11, (ended - began, len(came))
    net.access.reply(bye, 200)
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


@pytest.mark.parametrize("net, step", [({"timer_c": 2, "t1": 500}, -3600), ({"timer_c": 2, "t1": 500}, 3600)], indirect=["net"])
def test_timer_c(net, step):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    began = time.monotonic()
    assert net.gateway.ask(f"step {step}") == "ok"
    final = net.access.expect("408 INVITE", 8)
    assert 1.5 < time.monotonic() - began < 6
    caller.ack(final)
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(487)
    net.gateway.wait_idle()


@steps
@options(access_policy="expires=0")
def test_a_session_timer(net, step):
    """Counted in what has really passed: no refresh and no end for the step, the refresh when it is due."""
    caller, callee, _ = call_up(net, [UPDATE], [UPDATE, "Session-Expires: 600;refresher=uac", "Require: timer"])
    assert net.gateway.ask(f"step {step}") == "ok"
    quiet(net)
    net.gateway.advance(280)
    quiet(net)
    net.gateway.advance(21)
    net.core.reply(net.core.expect("UPDATE"), 200, headers=["Session-Expires: 600;refresher=uac"], tag=callee.local_tag)
    net.gateway.events("session timer")
    assert abs(told(net.gateway.events("session refresh")[-1]) - step) < 30
    finish(net, caller, callee)
