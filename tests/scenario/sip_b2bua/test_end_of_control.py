# SPDX-License-Identifier: GPL-3.0-or-later
"""Drain, and a restart of the process that holds the calls."""
import time

import pytest
from conftest import options
from peer import Dialog, sdp


def test_drain_ends_everything(net):
    up, up_callee = net.call_up()
    ringing = net.caller()
    ringing.send_invite(sdp(net.access.address, 40010))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    began = time.monotonic()
    net.gateway.command("drain")
    response = net.access.expect("503 INVITE")
    assert response.get("Retry-After")
    ringing.ack(response)
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(487)
    for dialog in (up, up_callee):
        bye = dialog.peer.expect("BYE")
        assert bye.get("Call-ID") == dialog.call_id
        dialog.peer.reply(bye, 200)
    assert net.gateway.answer() == "drained"
    assert time.monotonic() - began < 3
    late = net.caller()
    late.send_invite(sdp(net.access.address, 40020))
    late.ack(net.access.expect("503 INVITE"))
    net.gateway.wait_idle()


def test_drain_of_nothing(net):
    net.gateway.command("drain")
    assert net.gateway.answer() == "drained"


@pytest.mark.parametrize("net", [{}, {"transport": "tcp"}, {"v6": True}], indirect=True, ids=["udp", "tcp", "udp6"])
@pytest.mark.parametrize("side", ["access", "core"])
@pytest.mark.parametrize("by_caller", [True, False])
def test_restart_then_bye(net, side, by_caller):
    caller, callee = net.call_up(side)
    assert net.gateway.ask("restart") == "restarted"
    restored = net.gateway.wait_event("call restored")
    assert restored["call_id_a"] == caller.call_id and restored["call_id_b"] == callee.call_id
    counts = net.gateway.counts()
    assert counts["adopted"] == 1 and counts["sessions"] == 1 and counts["seats"] == 2
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.bye()
    first.peer.expect("200 BYE")
    bye = second.peer.expect("BYE")
    assert bye.get("Call-ID") == second.call_id and bye.tag("To") == second.local_tag
    if second.invite:
        assert int(bye.get("CSeq").split()[0]) > int(second.invite.get("CSeq").split()[0])
    second.peer.reply(bye, 200)
    net.gateway.wait_idle()
    assert net.gateway.ask("restart") == "restarted"
    assert net.gateway.counts()["calls"] == 0  # the record went with the call


def test_restart_then_options(net):
    caller, callee = net.call_up()
    assert net.gateway.ask("restart") == "restarted"
    caller.send("OPTIONS")
    net.access.expect("200 OPTIONS")
    callee.bye()
    net.access.reply(net.access.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_restart_then_drain(net):
    caller, callee = net.call_up()
    assert net.gateway.ask("restart") == "restarted"
    net.gateway.command("drain")
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    assert net.gateway.answer() == "drained"
    net.gateway.wait_idle()


def test_restart_during_set_up_forgets_it(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    net.core.expect("INVITE")
    assert net.gateway.ask("restart") == "restarted"
    assert net.gateway.counts()["calls"] == 0


def test_route_set_survives_a_restart(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    route = f"<sip:127.0.2.1:{net.core.port};lr>"
    callee.reply(200, body=sdp(net.core.address, 50000), headers=[f"Record-Route: <sip:10.9.9.9;lr>, {route}"])
    ack = net.core.expect("ACK")
    assert ", ".join(ack.all("Route")).replace(" ", "") == f"{route},<sip:10.9.9.9;lr>"
    caller.ack(net.access.expect("200 INVITE"))
    net.gateway.wait_event("state", tag="call", to="up")
    assert net.gateway.ask("restart") == "restarted"
    caller.bye()
    bye = net.core.expect("BYE")
    assert ", ".join(bye.all("Route")).replace(" ", "") == f"{route},<sip:10.9.9.9;lr>"
    assert bye.first.split()[1] == callee.peer.contact()[1:-1]
    net.core.reply(bye, 200)
    net.gateway.wait_idle()


def test_restart_that_finds_no_media(net):
    """The record is there, the session is not: both sides are told, and nothing is left."""
    caller, callee = net.call_up()
    assert net.gateway.ask("forget") == "ok"
    assert net.gateway.ask("restart") == "restarted"
    for dialog in (caller, callee):
        bye = dialog.peer.expect("BYE")
        assert "media lost" in bye.get("Reason")
        dialog.peer.reply(bye, 200)
    net.gateway.wait_event("call ended", cause="media lost in a restart")
    net.gateway.wait_idle()
    assert net.gateway.ask("restart") == "restarted"
    assert net.gateway.counts()["calls"] == 0


@pytest.mark.parametrize("offset", [0, 4, 200, 500, 900, 1500, 1900, 2500, 3000, 4000])
def test_restart_with_a_damaged_record(net, offset):
    """Whatever stands in the record: it is dropped or restored, and the gateway goes on."""
    net.call_up()
    session = net.gateway.wait_event("call leg out")["session"]
    assert net.gateway.ask(f"corrupt {session} {offset}") == "ok"
    assert net.gateway.ask("restart") == "restarted"
    dropped, restored = net.gateway.events("call record dropped"), net.gateway.events("call restored")
    assert len(dropped) + len(restored) == 1
    assert offset > 4 or dropped
    net.caller().send("OPTIONS")
    net.access.expect("200 OPTIONS")
    net.gateway.command("drain")
