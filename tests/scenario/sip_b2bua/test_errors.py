# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, and how; and what the caller is told of the far side's refusals."""
import pytest
from conftest import options
from peer import Dialog, sdp


def refused(net, status, body=None, headers=(), side="access", number="100"):
    caller = net.caller(side, number)
    caller.send_invite(sdp(caller.peer.address, 40000) if body is None else body, headers)
    response = caller.peer.expect(f"{status} INVITE")
    caller.ack(response)
    net.callee_peer(side).nothing("INVITE", 0.1)
    net.gateway.wait_idle()
    return response


@pytest.mark.parametrize("far, near", [
    (400, 400), (403, 403), (404, 404), (480, 480), (486, 486), (488, 488), (500, 500), (600, 600), (603, 603),
    (305, 480), (401, 403), (407, 403), (415, 500), (420, 500), (481, 480), (503, 500), (408, 408),
])
def test_far_side_refuses(net, far, near):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    callee.reply(far, headers=['Proxy-Authenticate: Digest realm="trunk", nonce="1"', "Server: pbx"])
    response = net.access.expect(f"{near} INVITE")
    assert response.get("Proxy-Authenticate") is None and response.get("Server") is None
    caller.ack(response)
    net.core.expect("ACK")
    ended = net.gateway.wait_event("call ended")
    assert ended["status"] == near and ended["by"] == "core" and str(far) in ended["cause"]
    net.gateway.wait_idle()


@options(no_peers=True)
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "MESSAGE", "REGISTER", "BYE", "JUGGLE"])
def test_unknown_source(net, method):
    caller = net.caller()
    if method == "INVITE":
        caller.send_invite(sdp(net.access.address, 40000))
    else:
        caller.send(method)
    net.access.expect(f"403 {method}")
    net.gateway.wait_event("unknown source", method=method)


def test_body_that_is_no_description(net):
    response = refused(net, 400, "this is no session description\r\n")
    assert response.get("Warning").startswith("399 ")


def test_body_of_another_type(net):
    caller = net.caller()
    caller.send_invite("<xml/>")
    text = caller.invite_text.replace("application/sdp", "application/xml").replace(caller.invite_branch, net.access.branch())
    caller.ack(net.access.expect("400 INVITE"))
    other = net.caller()
    net.access.send_text(text.replace(caller.call_id, other.call_id))
    assert net.access.expect("415 INVITE").get("Accept") == "application/sdp, multipart/mixed"


def test_extension_required(net):
    assert refused(net, 420, headers=["Require: replaces"]).get("Unsupported") == "replaces"


def test_no_more_hops(net):
    caller = net.caller()
    text = caller.request_text("INVITE", sdp(net.access.address, 40000)).replace("Max-Forwards: 70", "Max-Forwards: 0")
    net.access.send_text(text)
    net.access.expect("483 INVITE")


def test_loop(net):
    caller = net.caller()
    text = caller.request_text("INVITE", sdp(net.access.address, 40000))
    own = f"Via: SIP/2.0/UDP 127.0.2.254:{net.core_port};branch=z9hG4bKown\r\nMax-Forwards: 70"
    net.access.send_text(text.replace("Max-Forwards: 70", own))
    net.access.expect("482 INVITE")


def test_spiral(net):
    """A proxy in the core has the other side's registrations, so an INVITE of ours comes back, to somebody else: a call of
    its own. Back once more as it was then: a loop."""
    net.mixes = True
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    vias = [f"Via: {via}" for via in net.core.expect("INVITE").all("Via")]
    net.caller("core", "200").send_invite(sdp(net.core.address, 40000), vias)
    vias += [f"Via: {via}" for via in net.access.expect("INVITE").all("Via")]
    net.caller("core", "300").send_invite(sdp(net.core.address, 40000), vias)
    net.access.expect("INVITE")
    net.caller("core", "200").send_invite(sdp(net.core.address, 40000), vias)
    net.core.expect("482 INVITE")


def test_request_uri_of_another_scheme(net):
    caller = net.caller()
    caller.target = "tel:+431234"
    caller.send_invite(sdp(net.access.address, 40000))
    net.access.expect("416 INVITE")


def test_unknown_dialog(net):
    caller = net.caller()
    caller.remote += ";tag=nowhere"
    for method in ("BYE", "INFO", "OPTIONS"):
        caller.send(method)
        net.access.expect(f"481 {method}")
    caller.send_invite(sdp(net.access.address, 40000))
    net.access.expect("481 INVITE")


@options(access_profile="secure")
def test_no_common_keying(net):
    response = refused(net, 488)
    assert response.get("Warning").startswith("305 ")


@options(access_profile="far_secured")
def test_other_leg_would_be_plain(net):
    refused(net, 488)


@options(core_profile="signalling")
def test_far_side_wants_protected_signalling(net):
    refused(net, 488)


@options(access_profile="signalling")
def test_near_side_must_use_protected_signalling(net):
    refused(net, 403)


def test_no_ports(net):
    net.gateway.ask("limits 100 1")
    assert int(refused(net, 503).get("Retry-After")) >= 1
    net.gateway.ask("limits 100 2")
    caller, callee = net.call_up()
    other = net.caller()
    other.send_invite(sdp(net.access.address, 40002))
    other.ack(net.access.expect("503 INVITE"))
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()
    net.call_up()


def test_no_media_session(net):
    net.gateway.ask("limits 0 100")
    assert int(refused(net, 503).get("Retry-After")) >= 1


@options(calls=1)
def test_at_the_limit_of_calls(net):
    net.call_up()
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40002))
    response = net.access.expect("503 INVITE")
    assert int(response.get("Retry-After")) >= 1
    net.caller().send("OPTIONS")
    net.access.expect("503 OPTIONS")


def test_far_side_is_not_there(net):
    net.core.close()
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    net.access.expect("100")
    caller.ack(net.access.expect("502 INVITE"))  # the kernel was told so by ICMP
    net.gateway.wait_idle()


def test_far_side_is_mute(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    caller.ack(net.access.expect("504 INVITE", timeout=6))
    net.gateway.wait_idle()


@options(transport="tcp")
def test_far_side_refuses_the_connection(net):
    net.core.close()
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    response = net.access.expect("502 INVITE", timeout=6)
    caller.ack(response)
    net.gateway.wait_idle()


@options(timer_c=1)
def test_nobody_answers_the_phone(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    caller.ack(net.access.expect("408 INVITE", timeout=3))
    net.core.reply(net.core.expect("CANCEL"), 200)
    callee.reply(487)
    net.core.expect("ACK")
    net.gateway.wait_idle()


def test_answer_that_cannot_be_read(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body="v=1\r\nnonsense\r\n")
    net.core.expect("ACK")
    net.core.reply(net.core.expect("BYE"), 200)
    caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_answer_without_description(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200)
    net.core.expect("ACK")
    net.core.reply(net.core.expect("BYE"), 200)
    caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_answer_with_fewer_lines(net):
    caller = net.caller()
    body = sdp(net.access.address, 40000)
    caller.send_invite(body + body[body.index("m="):].replace("40000", "40002"))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    assert callee.invite.body.count("m=audio") == 2
    callee.reply(200, body=sdp(net.core.address, 50000))
    net.core.expect("ACK")
    net.core.reply(net.core.expect("BYE"), 200)
    caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


def test_media_fails(net):
    caller, callee = net.call_up()
    session = net.gateway.wait_event("call leg out")["session"]
    net.gateway.ask(f"failed {session} keying failed: no certificate matched")
    for dialog in (caller, callee):
        bye = dialog.peer.expect("BYE")
        assert "keying failed: no certificate matched" in bye.get("Reason")
        dialog.peer.reply(bye, 200)
    ended = net.gateway.wait_event("call ended")
    assert ended["by"] == "gateway" and "keying failed" in ended["cause"]
    net.gateway.wait_idle()


def test_media_is_silent(net):
    caller, callee = net.call_up()
    session = net.gateway.wait_event("call leg out")["session"]
    net.gateway.ask(f"silent {session} media timeout")
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    assert net.gateway.wait_event("call ended")["cause"] == "media timeout"
    net.gateway.wait_idle()


def test_media_fails_before_the_ack(net):
    """RFC 3261 section 15: no BYE to the caller before its ACK."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(200, body=sdp(net.core.address, 50000))
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    session = net.gateway.wait_event("call leg out")["session"]
    net.gateway.ask(f"failed {session} keying failed")
    net.core.reply(net.core.expect("BYE"), 200)
    net.access.nothing("BYE", 0.3)
    caller.ack(ok)
    net.access.reply(net.access.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_dialog_from_another_address(net):
    """Identifiers are no password: a BYE from elsewhere in the realm is refused."""
    net.mixes = True
    caller, callee = net.call_up()
    forged = caller.request_text("BYE", cseq=caller.cseq + 1)
    net.core.send_text(forged, net.access_gw)  # right identifiers, a source that is no peer of the realm
    net.core.expect("403 BYE")
    assert not net.gateway.events("call ended")
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()
