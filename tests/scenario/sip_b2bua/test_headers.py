# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers on their way through: extensions, hops, identities by trust, privacy, history, what a refusal says."""
import pytest
from conftest import options
from peer import Dialog, sdp


def crossed(net, headers, side="access"):
    """The INVITE that the far side gets."""
    caller = net.caller(side)
    caller.send_invite(sdp(caller.peer.address, 40000), headers)
    return net.callee_peer(side).expect("INVITE")


def answered_with(net, status, headers):
    """The final response that the caller gets."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    Dialog(net.core, invite=net.core.expect("INVITE")).reply(status, headers=headers)
    response = net.access.expect("INVITE" if status < 200 else str(status))
    caller.ack(response)
    net.gateway.wait_idle()
    return response


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH"])
def test_extensions_are_named(net, method):
    caller = net.caller()
    headers = ["Require: timer, gruu, x-one", "Proxy-Require: privacy, x-two"]
    if method == "INVITE":
        caller.send_invite(sdp(net.access.address, 40000), headers)
    else:
        caller.send(method, headers=headers)
    assert net.access.expect(f"420 {method}").all("Unsupported") == ["gruu", "x-one", "x-two"]


@pytest.mark.parametrize("method", ["INFO", "BYE", "INVITE"])
def test_extensions_within_a_dialog(net, method):
    caller, callee = net.call_up()
    if method == "INVITE":
        caller.send_invite(sdp(net.access.address, 40000, version=2), ["Require: x-one"])
        response = net.access.expect("420 INVITE")
        caller.ack(response)
    else:
        caller.send(method, headers=["Require: x-one"])
        response = net.access.expect(f"420 {method}")
    assert response.get("Unsupported") == "x-one"
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_extensions_that_can_be_met(net):
    invite = crossed(net, ["Require: timer, uui", "Supported: histinfo, replaces, x-any, outbound"])
    assert invite.get("Require") == "uui"
    assert invite.get("Supported").split(", ") == ["timer", "histinfo"]
    assert "replaces" not in str(invite.headers)


def test_encoded_description(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["Content-Encoding: gzip"])
    response = net.access.expect("415 INVITE")
    assert response.get("Accept-Encoding") == "identity"
    caller.ack(response)
    net.gateway.wait_idle()


def test_hops_are_counted(net):
    caller = net.caller()
    text = caller.request_text("INVITE", sdp(net.access.address, 40000)).replace("Max-Forwards: 70", "Max-Forwards: 5")
    net.access.send_text(text)
    assert net.core.expect("INVITE").get("Max-Forwards") == "4"


def test_last_hop(net):
    caller = net.caller()
    text = caller.request_text("INVITE", sdp(net.access.address, 40000)).replace("Max-Forwards: 70", "Max-Forwards: 1")
    net.access.send_text(text)
    assert net.core.expect("INVITE").get("Max-Forwards") == "0"


IDENTITIES = ['P-Asserted-Identity: "Boss" <sip:boss@inside.example>', "P-Preferred-Identity: <sip:boss@10.9.9.9:5070>",
              "Diversion: <sip:+43@pbx.inside.example>;reason=unconditional",
              "History-Info: <sip:200@10.1.1.1:5080>;index=1, <sip:300@inside.example>;index=1.1", "X-Secret: 1"]


def test_identities_of_strangers(net):
    invite = crossed(net, IDENTITIES)
    for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Diversion", "History-Info", "X-Secret"):
        assert invite.get(name) is None
    assert "inside" not in str(invite.headers)


@options(trusted=True)
def test_identities_leave_trust(net):
    """From a trusted realm to one that is not."""
    invite = crossed(net, IDENTITIES, "core")
    assert invite.get("P-Asserted-Identity") is None and invite.get("Diversion") is None


@options(trusted="both", shows=["inside.example"])
def test_identities_within_trust(net):
    invite = crossed(net, IDENTITIES)
    assert invite.get("P-Asserted-Identity").endswith("<sip:boss@inside.example>")
    assert invite.get("P-Preferred-Identity") == "<sip:boss@127.0.2.254>"
    assert invite.get("Diversion") == "<sip:+43@127.0.2.254>;reason=unconditional"
    assert invite.get("History-Info") == "<sip:200@127.0.2.254>;index=1, <sip:300@127.0.2.254>;index=1.1"
    assert invite.get("X-Secret") == "1"


@options(trusted="both", core_policy="history=strip", shows=["inside.example"])
def test_history_stripped(net):
    invite = crossed(net, IDENTITIES)
    assert invite.get("P-Asserted-Identity") and not invite.get("Diversion") and not invite.get("History-Info")


@options(trusted="both", core_policy="history=pass", shows=["inside.example", "pbx.inside.example", "10.1.1.1"])
def test_history_passed(net):
    invite = crossed(net, IDENTITIES)
    assert invite.get("Diversion") == "<sip:+43@pbx.inside.example>;reason=unconditional"


def test_privacy_of_a_user(net):
    invite = crossed(net, ["Privacy: user;header", "Subject: mine", "Organization: ours", "Priority: urgent"])
    assert invite.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.get("Subject") is None and invite.get("Organization") is None and invite.get("Priority") == "urgent"


@options(trusted="both", shows=["inside.example"])
def test_privacy_within_trust(net):
    """The edge of the network of trust does it, and must be told."""
    invite = crossed(net, ["Privacy: user;id", "P-Asserted-Identity: <sip:boss@inside.example>", "Subject: mine"])
    assert "alice" in invite.get("From") and invite.get("Privacy") == "user;id"
    assert invite.get("P-Asserted-Identity") and invite.get("Subject") == "mine"


def test_privacy_that_cannot_be_given(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["Privacy: invisible;critical"])
    caller.ack(net.access.expect("500 INVITE"))
    crossed(net, ["Privacy: invisible"])


def test_reason_and_retry_after_of_a_refusal(net):
    response = answered_with(net, 486, ['Reason: Q.850;cause=17;text="user busy"', "Retry-After: 60"])
    assert response.get("Reason") == 'Q.850;cause=17;text="user busy"'
    assert response.get("Retry-After") == "60"


def test_reason_of_a_cancel(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    callee = Dialog(net.core, invite=net.core.expect("INVITE"))
    callee.reply(180)
    net.access.expect("180")
    caller.peer.send_text(caller.request_text("CANCEL", None, caller.invite_branch, caller.invite_cseq, contact=False,
                                              headers=['Reason: SIP;cause=200;text="Call completed elsewhere"']))
    cancel = net.core.expect("CANCEL")
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    net.core.reply(cancel, 200)
    callee.reply(487)
    caller.ack(net.access.expect("487 INVITE"))
    net.gateway.wait_idle()
