# SPDX-License-Identifier: GPL-3.0-or-later
"""CANCEL at each state of a set-up, and what else can end one."""
import pytest
from conftest import options
from exchange import ALLOW, RELIABLE, Far, prack, ring
from exchange import sdp as plain_sdp
from peer import Dialog, sdp


def cancelled(net, caller):
    caller.cancel()
    net.access.expect("200 CANCEL")
    response = net.access.expect("487")
    caller.ack(response)
    ended = net.gateway.wait_event("call ended")
    assert ended["status"] == 487 and ended["by"] == "access"


def test_before_any_response(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    invite = net.core.expect("INVITE")
    cancelled(net, caller)
    net.core.nothing("CANCEL", 0.2)  # RFC 3261 section 9.1: not before a provisional response
    callee = Dialog(net.core, invite=invite)
    callee.reply(100)
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(487)
    net.core.expect("ACK")
    net.gateway.wait_idle()


def test_before_any_response_and_answered_at_once(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    cancelled(net, caller)
    callee.reply(200, body=sdp(net.core.address, 50000))
    net.core.expect("ACK")
    bye = net.core.expect("BYE")
    assert "487" in bye.get("Reason")
    net.core.reply(bye, 200)
    net.gateway.wait_idle()


def test_while_ringing(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    cancelled(net, caller)
    cancel = net.core.expect("CANCEL")
    assert cancel.get("Via") == callee.invite.get("Via")
    net.core.reply(cancel, 200)
    callee.reply(487)
    net.core.expect("ACK")
    net.gateway.wait_idle()


@pytest.mark.parametrize("order", ["CANCEL, INVITE", "INVITE, CANCEL", "INVITE alone"])
@pytest.mark.parametrize("reliable", [False, True])
def test_crossing_the_answer(net, order, reliable):
    """The far side's 200 is on its way as the CANCEL comes, which it answers before or after that, with 200 or 481, or never. Its
    200 may be repeated; the ringing may have been acknowledged, or be due to be."""
    caller, callee = ring(net, [ALLOW, RELIABLE] if reliable else [])
    if reliable:
        callee.reliable(183, plain_sdp(callee.peer))
    else:
        callee.reply(180)
    net.access.expect("183" if reliable else "180")
    cancelled(net, caller)
    cancel = net.core.expect("CANCEL")
    if order.startswith("CANCEL"):
        net.core.reply(cancel, 200)
    for _ in range(2):
        callee.reply(200, body=plain_sdp(net.core))
        net.core.expect("ACK")
    if order == "INVITE, CANCEL":
        net.core.reply(cancel, 481)
    bye = net.core.expect("BYE")
    assert "487" in bye.get("Reason") and bye.tag("To") == callee.local_tag
    net.core.reply(bye, 200)
    net.access.nothing("200 INVITE", 0.05)
    net.gateway.wait_idle()


@pytest.mark.parametrize("far_reliable", [False, True])
@pytest.mark.parametrize("late", [None, "PRACK"])
def test_while_the_answer_waits_for_a_prack(net, far_reliable, late):
    """The far side has answered; the caller's 200 waits for the PRACK of a response with a description, and CANCEL comes in its
    place, or before it."""
    caller, callee = ring(net, [ALLOW, "Require: 100rel"])
    if far_reliable:
        callee.reliable(183, plain_sdp(callee.peer))
    else:
        callee.reply(183, "Progress", plain_sdp(callee.peer))
    session = net.access.expect("183")
    assert session.body and int(session.get("RSeq")) > 0
    callee.reply(200, body=plain_sdp(callee.peer))
    assert net.core.expect("ACK").tag("To") == callee.local_tag
    net.access.nothing("200 INVITE", 0.05)
    cancelled(net, caller)
    net.core.nothing("CANCEL", 0.02)
    bye = net.core.expect("BYE")
    assert "487" in bye.get("Reason")
    if late:
        prack(caller, session)
        net.access.expect("481 PRACK")
    net.core.reply(bye, 200)
    net.access.nothing("200 INVITE", 0.05)
    net.gateway.wait_idle()


@pytest.mark.parametrize("late", [200, 302, 486, 487])
def test_whatever_the_far_side_says_last(net, late):
    """After a CANCEL no answer of the far side reaches the caller, who has its 487."""
    caller, callee = ring(net)
    callee.reply(180)
    net.access.expect("180")
    cancelled(net, caller)
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(late, "Late", plain_sdp(callee.peer) if late == 200 else None)
    net.core.expect("ACK")
    if late == 200:
        net.core.reply(net.core.expect("BYE"), 200)
    net.access.nothing(str(late) + " INVITE" if late != 487 else "200 INVITE", 0.05)
    net.core.nothing("INVITE", 0.02)
    net.gateway.wait_idle()


@options(core_policy="redirect=follow")
def test_between_two_targets(net):
    """A 3xx is followed; CANCEL ends the second try, whose 200 crosses it."""
    caller, callee = ring(net)
    contact = f"Contact: <sip:200@{net.core.host}:{net.core.port}>"
    net.core.reply(callee.invite, 302, "Moved", tag=callee.local_tag, headers=[contact], contact=False)
    net.core.expect("ACK")
    target = Far(net.core, net.core.expect("INVITE"))
    target.reply(180)
    net.access.expect("180")
    cancelled(net, caller)
    net.core.reply(net.core.expect("CANCEL"), 200)
    target.reply(200, body=plain_sdp(net.core))
    assert net.core.expect("ACK").tag("To") == target.local_tag
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_after_the_answer_it_is_too_late(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body=sdp(net.core.address, 50000))
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.cancel()
    net.access.expect("481 CANCEL")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    caller.bye()
    net.core.reply(net.core.expect("BYE"), 200)
    net.access.expect("200 BYE")
    net.gateway.wait_idle()


def test_of_nothing(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    caller.invite_branch = net.access.branch()
    caller.cancel()
    net.access.expect("481 CANCEL")
    callee.reply(404)
    caller.ack(net.access.expect("404"))
    net.core.expect("ACK")
    net.gateway.wait_idle()


def test_far_side_never_answers_the_cancel(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    cancelled(net, caller)
    net.core.expect("CANCEL")
    net.gateway.wait_idle(timeout=10)


def test_caller_says_bye_in_the_early_dialog(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    caller.answered(net.access.expect("180"))
    caller.bye()
    net.access.expect("200 BYE")
    caller.ack(net.access.expect("487"))
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(487)
    net.core.expect("ACK")
    net.gateway.wait_idle()
