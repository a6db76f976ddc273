# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls in both directions, over each transport and family: identifiers, descriptions, media plans, end and leftovers."""
import re

import pytest
from conftest import options
from peer import Dialog, sdp

TRANSPORTS = [{}, {"transport": "tcp"}, {"v6": True}, {"transport": "tcp", "v6": True}, {"access_v6": True},
              {"access_transport": "tcp"}, {"access_v6": True, "core_transport": "tcp"}]


@pytest.mark.parametrize("net", TRANSPORTS, indirect=True, ids=["udp", "tcp", "udp6", "tcp6", "udp6-udp", "tcp-udp", "udp6-tcp"])
@pytest.mark.parametrize("side", ["access", "core"])
@pytest.mark.parametrize("by_caller", [True, False])
def test_call_and_bye(net, side, by_caller):
    caller, callee = net.call_up(side)
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.bye()
    bye = second.peer.expect("BYE")
    assert bye.get("Call-ID") == second.call_id
    second.peer.reply(bye, 200, "OK")
    first.peer.expect("200 BYE")
    ended = net.gateway.wait_event("call ended")
    assert ended["status"] == 200 and ended["cause"] == "BYE"
    assert ended["by"] == ("access" if first.peer is net.access else "core")
    assert ended["call_id_a"] == caller.call_id and ended["call_id_b"] == callee.call_id
    net.gateway.wait_idle()


def test_identifiers_do_not_cross(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), headers=["User-Agent: phone", "X-Secret: 1", "Subject: lunch",
                                                               "P-Asserted-Identity: <sip:boss@inside>"])
    trying = net.access.expect("100")
    assert trying.get("Call-ID") == caller.call_id
    invite = net.core.expect("INVITE")
    text = repr(invite.headers) + invite.first + invite.body
    assert caller.call_id not in text and caller.local_tag not in text
    assert net.access.address not in text and "127.0.1.254" not in text
    assert invite.get("User-Agent") is None and invite.get("X-Secret") is None
    assert invite.get("P-Asserted-Identity") is None
    assert invite.get("Subject") == "lunch"
    assert invite.get("Max-Forwards") == "69"
    assert len(invite.all("Via")) == 1
    assert re.match(r"0-[0-9a-f]{24}$", invite.get("Call-ID"))
    assert re.match(r"sip:0-[0-9a-f]{24}@127\.0\.2\.254:\d+$", invite.uri("Contact"))
    assert invite.first.split()[1] == f"sip:100@127.0.2.1:{net.core.port}"
    callee = Dialog(net.core, invite=invite)
    callee.reply(486, "Busy Here")
    busy = net.access.expect("486")
    caller.ack(busy)
    net.core.expect("ACK")
    net.gateway.wait_idle()


@options(trusted=True)
def test_unknown_headers_cross_from_a_trusted_realm_only(net):
    caller = net.caller("core")
    caller.send_invite(sdp(net.core.address, 40000), headers=["X-Route-Class: 7"])
    assert net.access.expect("INVITE").get("X-Route-Class") == "7"
    other = net.caller("access")
    other.send_invite(sdp(net.access.address, 40002), headers=["X-Route-Class: 7"])
    assert net.core.expect("INVITE").get("X-Route-Class") is None


def test_media_plan_follows_offer_and_answer(net):
    caller, callee = net.call_up()
    lines = net.gateway.events("plan line")
    offered, agreed = lines[:2], lines[-2:]
    assert [x["agreed"] for x in offered] == [False, False]
    assert [x["agreed"] for x in agreed] == [True, True]
    assert agreed[0]["remote"] == "127.0.1.1:40000" and agreed[1]["remote"] == "127.0.2.1:50000"
    assert agreed[0]["local"].startswith("127.0.1.254:") and agreed[1]["local"].startswith("127.0.2.254:")
    assert [x["local"] for x in offered] == [x["local"] for x in agreed]
    assert all(x["send"] and x["receive"] and x["mechanism"] == "none" for x in agreed)
    # What the phones were told is what the plan has.
    assert f"m=audio {agreed[1]['local'].split(':')[1]} " in callee.invite.body
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_early_media(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(183, "Session Progress", sdp(net.core.address, 50000))
    progress = net.access.expect("183")
    assert "m=audio" in progress.body and net.core.address not in progress.body
    assert net.gateway.events("plan line")[-1]["agreed"] is True
    callee.reply(200, "OK", sdp(net.core.address, 50000))
    ok = net.access.expect("200 INVITE")
    assert ok.body == progress.body
    assert ok.tag("To") == progress.tag("To")
    net.core.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    caller.bye()
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_progress_without_description(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    for status in (180, 181, 182, 183):
        callee.reply(status)
        assert net.access.expect(str(status)).body == ""
    callee.reply(199)
    net.access.expect("183")
    caller.cancel()
    net.access.expect("200 CANCEL")
    caller.ack(net.access.expect("487"))
    cancel = net.core.expect("CANCEL")
    net.core.reply(cancel, 200)
    callee.reply(487)
    net.core.expect("ACK")
    net.gateway.wait_idle()


def test_options_and_other_methods(net):
    caller = net.caller()
    caller.send("OPTIONS")
    ok = net.access.expect("200 OPTIONS")
    assert "INVITE" in ok.get("Allow") and "application/sdp" in ok.get("Accept")
    for method, status in (("MESSAGE", 405), ("SUBSCRIBE", 405), ("REGISTER", 405), ("JUGGLE", 501), ("BYE", 405)):
        net.caller().send(method)
        net.access.expect(f"{status} {method}")


def test_info_is_carried(net):
    caller, callee = net.call_up()
    caller.cseq += 1
    body = "Signal=5\r\nDuration=160\r\n"
    text = caller.request_text("INFO", headers=["Content-Type: application/dtmf-relay"])
    net.access.send_text(text.replace("Content-Length: 0\r\n\r\n", f"Content-Length: {len(body)}\r\n\r\n{body}"))
    info = net.core.expect("INFO")
    assert info.body == body and info.get("Content-Type") == "application/dtmf-relay"
    net.core.reply(info, 200)
    net.access.expect("200 INFO")
    callee.bye()
    net.access.reply(net.access.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_reason_of_a_bye_reaches_the_other_side(net):
    caller, callee = net.call_up()
    callee.bye(headers=['Reason: Q.850;cause=16;text="Normal"'])
    bye = net.access.expect("BYE")
    assert bye.get("Reason") == 'Q.850;cause=16;text="Normal"'
    net.access.reply(bye, 200)
    net.gateway.wait_idle()


def test_reason_of_a_cancel_reaches_the_other_side(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    text = caller.request_text("CANCEL", None, caller.invite_branch, caller.invite_cseq, uri=caller.invite_uri,
                               headers=['Reason: SIP;cause=200;text="Call completed elsewhere"'])
    net.access.send_text(text)
    cancel = net.core.expect("CANCEL")
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    net.core.reply(cancel, 200)
    callee.reply(487)
    caller.ack(net.access.expect("487"))
    net.gateway.wait_idle()
