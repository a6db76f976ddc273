# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies with several parts: the description is found, the others pass or are dropped by profile, what must be understood is not lost."""
import pytest
from conftest import options
from peer import Dialog, sdp

ISUP = ("Content-Type: application/isup;version=itu-t92+", "Content-Disposition: signal;handling=optional", "\x01\x00\x49")
MUST = ("Content-Type: application/isup", "Content-Disposition: signal;handling=required", "\x01")
UNSAID = ("Content-Type: application/x-any", "", "any")
EARLY = ("Content-Type: application/sdp", "Content-Disposition: early-session;handling=optional", sdp("10.66.6.6", 6666))
NESTED = ("Content-Type: multipart/mixed;boundary=in", "", "--in\r\n\r\nx\r\n--in--")


def description(body):
    return ("Content-Type: application/sdp", "", body)


def multipart(*parts, boundary="uniq-b"):
    text = ""
    for part in parts:
        text += f"--{boundary}\r\n" + "\r\n".join(line for line in part[:-1] if line) + "\r\n\r\n" + part[-1] + "\r\n"
    return text + f"--{boundary}--\r\n"


def as_multipart(text, boundary="uniq-b"):
    return text.replace("Content-Type: application/sdp\r\nContent-Length", f'Content-Type: multipart/mixed; boundary="{boundary}"\r\nContent-Length', 1)


def send_invite(dialog, body, kind=None, headers=()):
    dialog.cseq += 1
    dialog.invite_cseq, dialog.invite_branch, dialog.invite_uri = dialog.cseq, dialog.peer.branch(), dialog.target
    text = dialog.request_text("INVITE", body, dialog.invite_branch, headers=headers)
    dialog.peer.send_text(text.replace("application/sdp", kind, 1) if kind else as_multipart(text))


def parts_of(message):
    """[(headers, text)] of a multipart message, by its own boundary."""
    kind = message.get("Content-Type")
    assert kind.startswith("multipart/mixed")
    boundary = kind.split("boundary=")[1].strip('"')
    pieces = message.body.split(f"--{boundary}")
    assert pieces[0] == "" and pieces[-1] == "--\r\n"
    return [tuple(piece[2:-2].split("\r\n\r\n", 1)) for piece in pieces[1:-1]]


def invited(net, *parts):
    caller = net.caller()
    send_invite(caller, multipart(*parts))
    return caller, Dialog(net.core, invite=net.core.expect("INVITE"))


def refused(net, status, *parts):
    caller = net.caller()
    send_invite(caller, multipart(*parts))
    response = net.access.expect(f"{status} INVITE")
    caller.ack(response)
    net.core.nothing("INVITE", 0.05)
    net.gateway.wait_idle()
    return response


@pytest.mark.parametrize("order", [0, 1])
def test_parts_pass_both_ways(net, order):
    offer = description(sdp(net.access.address, 40000))
    caller, callee = invited(net, *([offer, ISUP] if order == 0 else [ISUP, offer]))
    first, second = parts_of(callee.invite)
    assert callee.invite.get("MIME-Version") == "1.0" and "uniq-b" not in callee.invite.body
    assert first[0] == "Content-Type: application/sdp" and net.access.address not in first[1] and "m=audio" in first[1]
    assert second == ("\r\n".join(ISUP[:2]), ISUP[2])
    answer = multipart(ISUP, description(sdp(net.core.address, 50000)))
    to = callee.invite.get("To") + f";tag={callee.local_tag}"
    lines = ["SIP/2.0 200 OK"] + [f"Via: {v}" for v in callee.invite.all("Via")]
    lines += [f"From: {callee.invite.get('From')}", f"To: {to}", f"Call-ID: {callee.call_id}", f"CSeq: {callee.invite.get('CSeq')}",
              f"Contact: {net.core.contact()}", "Content-Type: multipart/mixed;boundary=uniq-b", f"Content-Length: {len(answer)}"]
    net.core.send_text("\r\n".join(lines) + "\r\n\r\n" + answer, callee.invite.source)
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.ack(ok)
    told = parts_of(ok)
    assert "m=audio" in told[0][1] and told[1][1] == ISUP[2]
    send_invite(caller, multipart(description(sdp(net.access.address, 40000, "sendonly", version=2)), ISUP))
    invite = net.core.expect("INVITE")
    assert [p[1] for p in parts_of(invite)][1] == ISUP[2] and "a=sendonly" in invite.body
    net.core.reply(invite, 200, "OK", sdp(net.core.address, 50000, "recvonly", version=2), callee.local_tag)
    caller.ack(net.access.expect("200 INVITE"))
    net.core.expect("ACK")
    caller.bye()
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_folded_headers_of_a_part(net):
    """RFC 822 section 3.1.1: a line that begins with a space goes on with the one before, and passes or stays as that does."""
    folded = ("Content-Type: application/isup;\r\n version=itu-t92+\r\nX-Inner: a;\r\n\tb=10.0.0.1", "Content-Disposition: signal;\r\n\thandling=optional", "\x01")
    _, callee = invited(net, description(sdp(net.access.address, 40000)), folded)
    kept = "Content-Type: application/isup;\r\n version=itu-t92+\r\nContent-Disposition: signal;\r\n\thandling=optional"
    assert parts_of(callee.invite)[1] == (kept, "\x01")


@pytest.mark.parametrize("net", [{"access_policy": "body_parts=drop"}, {"core_policy": "body_parts=drop"}], indirect=True,
                         ids=["near", "far"])
def test_parts_are_dropped(net):
    _, callee = invited(net, description(sdp(net.access.address, 40000)), ISUP)
    assert callee.invite.get("Content-Type") == "application/sdp" and "isup" not in callee.invite.body


@options(access_policy="body_parts=drop")
@pytest.mark.parametrize("part", [MUST, UNSAID], ids=["required", "not said"])
def test_dropped_but_required(net, part):
    response = refused(net, 415, description(sdp(net.access.address, 40000)), part)
    assert response.get("Accept") == "application/sdp, multipart/mixed"


@pytest.mark.parametrize("part", [MUST, UNSAID], ids=["required", "not said"])
def test_required_passes(net, part):
    _, callee = invited(net, description(sdp(net.access.address, 40000)), part)
    assert parts_of(callee.invite)[1][1] == part[-1]


def test_second_description_never_passes(net):
    """It could name keys and addresses."""
    refused(net, 415, description(sdp(net.access.address, 40000)), ("Content-Type: application/sdp", "", sdp("10.66.6.6", 6666)))
    _, callee = invited(net, description(sdp(net.access.address, 40000)), EARLY)
    assert callee.invite.get("Content-Type") == "application/sdp" and "10.66.6.6" not in callee.invite.body


def test_parts_within_never_pass(net):
    refused(net, 415, description(sdp(net.access.address, 40000)), NESTED)


def test_parts_without_a_description(net):
    """The far side is to offer."""
    caller, callee = invited(net, ISUP)
    assert [p[1] for p in parts_of(callee.invite)] == [ISUP[2]]
    callee.reply(200, "OK", sdp(net.core.address, 50000))
    ok = net.access.expect("200 INVITE")
    assert "m=audio" in ok.body
    caller.ack(ok, sdp(net.access.address, 40000))
    assert "m=audio" in net.core.expect("ACK").body


def test_malformed(net):
    caller = net.caller()
    send_invite(caller, multipart(ISUP)[:-8])
    caller.ack(net.access.expect("400 INVITE"))
    refused(net, 413, *[ISUP] * 9)
    caller = net.caller()
    send_invite(caller, "x", "multipart/mixed")
    caller.ack(net.access.expect("400 INVITE"))
    caller = net.caller()
    send_invite(caller, multipart(ISUP), "multipart/alternative;boundary=uniq-b")
    caller.ack(net.access.expect("415 INVITE"))
    net.gateway.wait_idle()


def test_optional_body_of_another_type(net):
    caller = net.caller()
    send_invite(caller, "<xml/>", "application/xml", ["Content-Disposition: render;handling=optional"])
    assert net.core.expect("INVITE").body == ""


@options(access_policy="relay=message", core_policy="relay=message")
def test_multipart_message(net):
    """What stands for itself passes as it is, but for a description."""
    caller = net.caller()
    caller.cseq += 1
    body = multipart(ISUP, UNSAID)
    net.access.send_text(as_multipart(caller.request_text("MESSAGE", body)))
    message = net.core.expect("MESSAGE")
    assert message.body == body and "uniq-b" in message.get("Content-Type")
    net.core.reply(message, 200)
    net.access.expect("200 MESSAGE")
    caller.cseq += 1
    net.access.send_text(as_multipart(caller.request_text("MESSAGE", multipart(description(sdp("10.66.6.6", 6666))))))
    net.access.expect("415 MESSAGE")
    net.gateway.wait_idle()
