# SPDX-License-Identifier: GPL-3.0-or-later
"""CANCEL at each state of a set-up, and what else can end one."""
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


def test_crossing_the_answer(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    cancelled(net, caller)
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(200, body=sdp(net.core.address, 50000))
    net.core.expect("ACK")
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
