# SPDX-License-Identifier: GPL-3.0-or-later
"""Lost and repeated messages, ACKs that never come, forks. T1 is a tenth of the usual."""
from conftest import options
from peer import Dialog, sdp


def test_invite_is_repeated_until_somebody_answers(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    first = net.core.expect("INVITE")
    again = net.core.expect("INVITE", again=True)
    assert first.get("Via") == again.get("Via")
    callee = Dialog(net.core, invite=first)
    callee.reply(486)
    net.core.expect("ACK")
    caller.ack(net.access.expect("486"))
    net.gateway.wait_idle()


def test_repeated_invite_makes_one_call(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    for _ in range(3):
        net.access.send_text(caller.invite_text)
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    net.access.send_text(caller.invite_text)
    net.access.expect("180")
    assert len(net.gateway.events("call started")) == 1
    callee.reply(486)
    caller.ack(net.access.expect("486"))
    net.core.expect("ACK")
    net.gateway.wait_idle()


def test_answer_is_repeated_until_the_ack(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body=sdp(net.core.address, 50000))
    net.core.expect("ACK")
    ok = net.access.expect("200 INVITE")
    for _ in range(3):
        assert net.access.expect("200 INVITE", again=True).headers == ok.headers
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    caller.bye()
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_answer_without_ack_ends_the_call(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body=sdp(net.core.address, 50000))
    net.core.expect("ACK")
    net.access.expect("200 INVITE")
    for peer in (net.access, net.core):
        peer.reply(peer.expect("BYE", timeout=6), 200)
    ended = net.gateway.wait_event("call ended")
    assert ended["cause"] == "no ACK for the answer" and ended["by"] == "gateway"
    net.gateway.wait_idle()


def test_ack_is_repeated_for_a_repeated_answer(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    for _ in range(3):
        callee.reply(200, body=sdp(net.core.address, 50000))
        assert net.core.expect("ACK").get("CSeq").split()[0] == callee.invite.get("CSeq").split()[0]
    caller.ack(net.access.expect("200 INVITE"))
    net.gateway.wait_event("state", tag="call", to="up")
    callee.bye()
    net.access.reply(net.access.expect("BYE"), 200)
    net.core.expect("200 BYE")
    net.gateway.wait_idle()


def test_bye_that_nobody_answers(net):
    caller, callee = net.call_up()
    caller.bye()
    net.access.expect("200 BYE")
    net.core.expect("BYE")
    net.gateway.wait_idle(timeout=8)


def test_bye_from_both_sides_at_once(net):
    caller, callee = net.call_up()
    caller.bye()
    bye = net.core.expect("BYE")
    callee.bye()
    net.core.expect("200 BYE")
    net.core.reply(bye, 200)
    net.access.expect("200 BYE")
    net.gateway.wait_idle()


def test_bye_challenged_is_not_answered_with_credentials(net):
    caller, callee = net.call_up()
    caller.bye()
    bye = net.core.expect("BYE")
    net.core.reply(bye, 407, headers=['Proxy-Authenticate: Digest realm="trunk", nonce="1"'])
    net.core.nothing("BYE", 0.3)
    net.gateway.wait_idle()


def test_forks_first_answer_holds(net):
    """A proxy behind the core forks: two early dialogs, answers from both."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    invite = net.core.expect("INVITE")
    one, two = Dialog(net.core, invite=invite, tag="one"), Dialog(net.core, invite=invite, tag="two")
    one.reply(183, body=sdp(net.core.address, 50000))
    early = net.access.expect("183")
    two.reply(180)
    net.gateway.wait_event("call forked")
    assert net.access.expect("180").tag("To") == early.tag("To")
    two.reply(200, body=sdp(net.core.address, 52000))
    ok = net.access.expect("200 INVITE")
    assert ok.tag("To") == early.tag("To")  # the caller sees one dialog
    ack = net.core.expect("ACK")
    assert ack.tag("To") == "two"
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    assert net.gateway.events("plan line")[-1]["remote"] == "127.0.2.1:52000"
    one.reply(200, body=sdp(net.core.address, 50000))  # too late: it is acknowledged and ended
    late = net.core.expect("ACK")
    assert late.tag("To") == "one"
    bye = net.core.expect("BYE")
    assert bye.tag("To") == "one"
    net.core.reply(bye, 200)
    caller.bye()
    bye = net.core.expect("BYE")
    assert bye.tag("To") == "two"
    net.core.reply(bye, 200)
    net.gateway.wait_idle()


@options(transport="tcp")
def test_caller_connection_breaks(net):
    """A phone whose connection is gone gets its BYE at its Contact."""
    caller, callee = net.call_up()
    net.access.drop_connection()
    callee.bye()
    net.core.expect("200 BYE")
    net.access.reply(net.access.expect("BYE"), 200)
    net.gateway.wait_idle()
