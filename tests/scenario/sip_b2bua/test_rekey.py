# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that change by re-INVITE, as the media side is told: what is open, whose answer may not have arrived, what goes back."""
import re

from conftest import options
from test_downgrade import DTLS, OTHER, SHA256, call_up, crypto, finish, plan, reinvite, sdp



def of(line, *names):
    return tuple(line[name] for name in names)


def key_of(body):
    return re.search(r"inline:([^|\s]+)", body)[1]


@options(access_profile="any")
def test_our_answer_counts_from_its_ack(net):
    caller, callee, ok = call_up(net, sdp(net, "access", "RTP/SAVP", crypto(0)))
    caller.send_invite(sdp(net, "access", "RTP/SAVP", crypto(1), "sendonly", version=2))
    invite = callee.peer.expect("INVITE")
    access, core = plan(net)
    assert of(access, "changing", "confirm", "agreed") == (True, "confirmed", True) and core["changing"]
    callee.peer.reply(invite, 200, "OK", sdp(net, "core", "RTP/AVP", "recvonly", version=2), tag=callee.local_tag)
    callee.peer.expect("ACK")
    again = caller.peer.expect("200 INVITE")
    assert key_of(again.body) != key_of(ok.body), "a new key of theirs gets a new one of ours"
    access, core = plan(net)
    assert of(access, "changing", "confirm") == (False, "awaited") and of(core, "changing", "confirm") == (False, "confirmed")
    caller.ack(again)
    net.gateway.wait_event("plan line", **{"confirm": "confirmed", "changing": False, "realm": access["realm"], "mechanism": "sdes"})
    finish(net, caller, callee)


@options(access_profile="any")
def test_the_same_key_waits_for_nothing(net):
    caller, callee, ok = call_up(net, sdp(net, "access", "RTP/SAVP", crypto(0)))
    _, again = reinvite(net, caller, callee, sdp(net, "access", "RTP/SAVP", crypto(0), "sendonly", version=2),
                        sdp(net, "core", "RTP/AVP", "recvonly", version=2))
    assert key_of(again.body) == key_of(ok.body)
    assert [line["confirm"] for line in plan(net)] == ["confirmed", "confirmed"]
    finish(net, caller, callee)


@options(access_profile="any")
def test_another_offer_does_not_confirm(net):
    """The far side offers before the ACK: the new key of ours still waits. An INVITE may not go out then, an UPDATE may."""
    caller, callee, _ = call_up(net, sdp(net, "access", "RTP/SAVP", crypto(0)))
    caller.send_invite(sdp(net, "access", "RTP/SAVP", crypto(1), version=2), ["Allow: INVITE, ACK, BYE, UPDATE"])
    first = caller.peer.expect("200 INVITE")
    callee.send_invite(sdp(net, "core", "RTP/AVP", "sendonly", version=3))
    callee.ack(callee.peer.expect("491 INVITE"))
    callee.send("UPDATE", sdp(net, "core", "RTP/AVP", "sendonly", version=4))
    update = caller.peer.expect("UPDATE")
    assert plan(net)[0]["confirm"] == "awaited"
    caller.peer.reply(update, 200, "OK", sdp(net, "access", "RTP/SAVP", crypto(1), "recvonly", version=3), tag=caller.local_tag)
    callee.peer.expect("200 UPDATE")
    assert plan(net)[0]["confirm"] == "awaited"
    caller.ack(first)
    net.gateway.wait_event("plan line", **{"confirm": "confirmed", "realm": plan(net)[0]["realm"], "mechanism": "sdes"})
    finish(net, caller, callee)


@options(access_profile="any")
def test_an_answer_in_an_ack_is_not_answered(net):
    """A re-INVITE without a body: the phone's 200 offers new keys, and our ACK carries the answer."""
    caller, callee, _ = call_up(net, sdp(net, "access", "RTP/SAVP", crypto(0)))
    callee.send_invite(None)
    invite = caller.peer.expect("INVITE")
    caller.peer.reply(invite, 200, "OK", sdp(net, "access", "RTP/SAVP", crypto(1), version=2), tag=caller.local_tag)
    offered = callee.peer.expect("200 INVITE")
    callee.ack(offered, sdp(net, "core", "RTP/AVP", version=2))
    assert "a=crypto" in caller.peer.expect("ACK").body
    assert plan(net)[0]["confirm"] == "soon"
    finish(net, caller, callee)


@options(access_profile="any")
def test_a_refused_association_is_taken_back(net):
    caller, callee, _ = call_up(net, sdp(net, "access", DTLS, SHA256, "setup:active"))
    before = plan(net)
    caller.send_invite(sdp(net, "access", DTLS, OTHER, "setup:active", "sendonly", version=2))
    invite = callee.peer.expect("INVITE")
    assert plan(net)[0]["changing"]
    callee.peer.reply(invite, 488, "Not Acceptable Here", tag=callee.local_tag)
    callee.peer.expect("ACK")
    refused = caller.peer.expect("488 INVITE")
    caller.ack(refused)
    assert plan(net) == before  # the media side is told again, and of the same
    finish(net, caller, callee)


def two_lines(net, side, proto, second_port, *attributes, version=1):
    one = sdp(net, side, proto, *attributes, version=version)
    two = f"m=video {second_port} {proto} 96\r\na=rtpmap:96 VP8/90000\r\n" + "".join(f"a={a}\r\n" for a in attributes)
    return one + two


@options(access_profile="any")
def test_a_line_that_comes_back_begins_anew(net):
    """Its ports went back to the stock with it and its keys are used up: it gets others of both."""
    caller, callee, ok = call_up(net, two_lines(net, "access", "RTP/SAVP", 40010, crypto(0)),
                                 two_lines(net, "core", "RTP/AVP", 50010))
    ports, keys = re.findall(r"m=\w+ (\d+)", ok.body), re.findall(r"inline:([^|\s]+)", ok.body)
    _, gone = reinvite(net, caller, callee, two_lines(net, "access", "RTP/SAVP", 0, crypto(0), version=2),
                       two_lines(net, "core", "RTP/AVP", 0, version=2))
    assert re.findall(r"m=\w+ (\d+)", gone.body) == [ports[0], "0"]
    _, back = reinvite(net, caller, callee, two_lines(net, "access", "RTP/SAVP", 40010, crypto(0), version=3),
                       two_lines(net, "core", "RTP/AVP", 50010, version=3))
    now, fresh = re.findall(r"m=\w+ (\d+)", back.body), re.findall(r"inline:([^|\s]+)", back.body)
    assert (now[0], fresh[0]) == (ports[0], keys[0])
    assert now[1] not in (ports[1], "0") and fresh[1] != keys[1]
    finish(net, caller, callee)
