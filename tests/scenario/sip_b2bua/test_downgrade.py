# SPDX-License-Identifier: GPL-3.0-or-later
"""Offers and answers that would lower the media's security: refused by name, and what flows goes on as it was.

The positive control of each: the same offer raises no objection in a call of its own, or without the lowering."""
import re

import pytest
from conftest import options
from exchange import finish
from peer import Dialog

KEYS = ["WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj",
        "QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5"]
SHA256 = "fingerprint:sha-256 " + ":".join(["9C"] * 32)
OTHER = "fingerprint:sha-256 " + ":".join(["7B"] * 32)
SHA1 = "fingerprint:sha-1 " + ":".join(["4A"] * 20)
MD5 = "fingerprint:md5 " + ":".join(["4A"] * 16)
SUITE = "AES_CM_128_HMAC_SHA1_80"
UNENCRYPTED = " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP"
DTLS = "UDP/TLS/RTP/SAVP"


def crypto(key=0, suite=SUITE, tag=1, more=""):
    return f"crypto:{tag} {suite} inline:{KEYS[key]}{more}"


def sdp(net, side, proto, *attributes, port=None, version=1):
    address = getattr(net, side).address
    port = (40000 if side == "access" else 50000) if port is None else port
    lines = ["v=0", f"o=- 77 {version} IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0", f"m=audio {port} {proto} 0", "a=rtpmap:0 PCMU/8000", *("a=" + a for a in attributes)]
    return "\r\n".join(lines) + "\r\n"


_taken = set()


def next_invite(peer, timeout=3.0):
    """The next INVITE. Those that were taken before may have come again."""
    while True:
        invite = peer.expect("INVITE", timeout)
        name = invite.get("Call-ID"), invite.get("CSeq"), peer.port
        if name not in _taken:
            _taken.add(name)
            return invite


def new_callee(peer):
    return Dialog(peer, invite=next_invite(peer))


def call_up(net, offer, answer=None, side="access"):
    far = "core" if side == "access" else "access"
    caller = net.caller(side)
    caller.send_invite(offer)
    callee = new_callee(net.callee_peer(side))
    callee.reply(200, "OK", answer(callee.invite.body) if callable(answer) else answer or sdp(net, far, "RTP/AVP"))
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", call_id_a=caller.call_id, **{"tag": "call", "to": "up"})
    return caller, callee, ok


def plan(net):
    """What the media side was last told of each line, access and core."""
    newest = {}
    for event in net.gateway.events("plan line"):
        newest[event["realm"]] = {k: v for k, v in event.items() if k != "time"}
    return [newest[realm] for realm in sorted(newest)]


def reinvite(net, first, second, offer, answer):
    first.send_invite(offer)
    invite = next_invite(second.peer)
    second.peer.reply(invite, 200, "OK", answer, tag=second.local_tag)
    ok = first.peer.expect("200 INVITE")
    second.peer.expect("ACK")
    first.ack(ok)
    return invite, ok


def reinvited(peer):
    try:
        return next_invite(peer, 0.1) is not None
    except AssertionError:
        return False


def settled(net):
    """The plan without what an ACK may still change."""
    return [{k: v for k, v in line.items() if k != "confirm"} for line in plan(net)]


def refused(net, dialog, offer, text):
    """488 with a Warning that says why; the far side hears nothing of it; the media plan stays."""
    before = settled(net)
    dialog.send_invite(offer)
    response = dialog.peer.expect("488 INVITE")
    dialog.ack(response)
    assert response.get("Warning").startswith("305 "), response.headers
    assert text in response.get("Warning"), response.get("Warning")
    assert not reinvited(net.core if dialog.peer is net.access else net.access)
    assert settled(net) == before and all(line["agreed"] for line in before)


def answered_here(net, first, offer):
    """Keys and addresses of one side concern the other one not at all."""
    other = net.core if first.peer is net.access else net.access
    first.send_invite(offer)
    ok = first.peer.expect("200 INVITE")
    first.ack(ok)
    assert not reinvited(other)
    return ok


SDES_LOWERED = {
    "plain": ("RTP/AVP", [], "protection away"),
    "plain-beside-a-key": ("RTP/AVP", [crypto(1)], "protection away"),
    "feedback": ("RTP/AVPF", [], "protection away"),
    "no-key": ("RTP/SAVP", [], "no crypto line"),
    "null": ("RTP/SAVP", [crypto(1, more=UNENCRYPTED)], "encryption away"),
    "unauthenticated": ("RTP/SAVP", [crypto(1, more=" UNAUTHENTICATED_SRTP")], "unauthenticated SRTP"),
    "unknown-proto": ("TCP/RTP/AVP", [], "not RTP over UDP"),
}


@options(access_profile="null_too")
@pytest.mark.parametrize("lowered", SDES_LOWERED)
def test_sdes_is_not_lowered(net, lowered):
    proto, attributes, text = SDES_LOWERED[lowered]
    caller, callee, _ = call_up(net, sdp(net, "access", "RTP/SAVP", crypto(0)))
    assert plan(net)[0]["suite"] == SUITE
    refused(net, caller, sdp(net, "access", proto, *attributes, version=2), text)
    reinvite(net, caller, callee, sdp(net, "access", "RTP/SAVP", crypto(0), "sendonly", version=3),
             sdp(net, "core", "RTP/AVP", "recvonly", version=2))
    assert plan(net)[0]["suite"] == SUITE
    finish(net, caller, callee)


@options(access_profile="any")
@pytest.mark.parametrize("by_caller", [True, False])
def test_even_where_the_profile_takes_plain(net, by_caller):
    """accept: [dtls-srtp, sdes, none] takes plain RTP for a call of its own, and not in place of SRTP."""
    caller = net.caller()
    caller.send_invite(sdp(net, "access", "RTP/AVP"))
    callee = new_callee(net.core)
    callee.reply(200, "OK", sdp(net, "core", "RTP/AVP"))
    caller.ack(net.access.expect("200 INVITE"))
    net.core.expect("ACK")
    finish(net, caller, callee)
    caller, callee, _ = call_up(net, sdp(net, "access", DTLS, SHA256, "setup:actpass"))
    if by_caller:
        refused(net, caller, sdp(net, "access", "RTP/AVP", version=2), "protection away")
    else: # ours onward repeats what is in force, however the core's offer looks
        callee.send_invite(sdp(net, "core", "RTP/AVP", "sendonly", version=2))
        invite = next_invite(net.access)
        assert f" {DTLS} " in invite.body
        net.access.reply(invite, 200, "OK", sdp(net, "access", DTLS, SHA256, "setup:passive", "recvonly", version=2), tag=caller.local_tag)
        ok = net.core.expect("200 INVITE")
        net.access.expect("ACK")
        callee.ack(ok)
    finish(net, caller, callee)


DTLS_LOWERED = {
    "plain": ("RTP/AVP", [SHA256, "setup:actpass"], "protection away"),
    "no-fingerprint": (DTLS, ["setup:actpass"], "no fingerprint"),
    "sha-1": (DTLS, [SHA1, "setup:actpass"], "no fingerprint with SHA-256"),
    "md5-and-sha-1": (DTLS, [MD5, SHA1, "setup:actpass"], "no fingerprint with SHA-256"),
    "malformed": (DTLS, ["fingerprint:sha-256 9C:8B", "setup:actpass"], "malformed fingerprint"),
    "sdes": ("RTP/SAVP", [crypto(0)], "no fingerprint"),
}


@options(access_profile="dtls")
@pytest.mark.parametrize("lowered", DTLS_LOWERED)
def test_dtls_is_not_lowered(net, lowered):
    proto, attributes, text = DTLS_LOWERED[lowered]
    caller, callee, _ = call_up(net, sdp(net, "access", DTLS, SHA256, "setup:active"))
    refused(net, caller, sdp(net, "access", proto, *attributes, version=2), text)
    # The control: another certificate, several hashes of which one is weak, is a change and no lowering (RFC 8122).
    answered_here(net, caller, sdp(net, "access", DTLS, SHA1, OTHER, "setup:active", version=3))
    assert plan(net)[0]["mechanism"] == "dtls-srtp"
    finish(net, caller, callee)


@options(access_profile="secure")
def test_sdes_where_the_profile_says_so(net):
    """accept: [dtls-srtp, sdes] lets a call change over: both secure it in that profile's eyes."""
    caller, callee, _ = call_up(net, sdp(net, "access", DTLS, SHA256, "setup:active"))
    answered_here(net, caller, sdp(net, "access", "RTP/SAVP", crypto(0), version=2))
    assert plan(net)[0]["mechanism"] == "sdes"
    refused(net, caller, sdp(net, "access", "RTP/AVP", version=3), "protection away")
    finish(net, caller, callee)


@options(access_profile="any", core_profile="sdes")
def test_a_line_taken_away_comes_back_secured(net):
    """Port 0 in between opens no way down, and no way for old keys: both sides get fresh ones."""
    def answer(body):
        tag, suite = re.search(r"a=crypto:(\d+) (\S+)", [x for x in body.split("\r\n") if SUITE in x][0]).groups()
        return sdp(net, "core", "RTP/SAVP", crypto(2, suite, tag))

    def keys(body):
        return re.findall(r"inline:([^|\s]+)", body)

    caller, callee, ok = call_up(net, sdp(net, "access", "RTP/SAVP", crypto(0)), answer)
    first = keys(callee.invite.body) + keys(ok.body)
    off, _ = reinvite(net, caller, callee, sdp(net, "access", "RTP/SAVP", port=0, version=2),
                      sdp(net, "core", "RTP/SAVP", port=0, version=2))
    assert "m=audio 0 " in off.body
    caller.send_invite(sdp(net, "access", "RTP/AVP", version=3))
    response = net.access.expect("488 INVITE")
    assert "protection away" in response.get("Warning")
    caller.ack(response)
    caller.send_invite(sdp(net, "access", "RTP/SAVP", crypto(0), version=4))
    invite = next_invite(net.core)
    net.core.reply(invite, 200, "OK", answer(invite.body), tag=callee.local_tag)
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.ack(ok)
    assert not set(first) & set(keys(invite.body) + keys(ok.body)), "a key of before, without what was used of it"
    assert [line["mechanism"] for line in plan(net)] == ["sdes", "sdes"]
    finish(net, caller, callee)


LOWER_ANSWERS = {
    "plain": lambda net: sdp(net, "core", "RTP/AVP"),
    "no-key": lambda net: sdp(net, "core", "RTP/SAVP"),
    "null": lambda net: sdp(net, "core", "RTP/SAVP", crypto(1, more=UNENCRYPTED)),
    "own-suite": lambda net: sdp(net, "core", "RTP/SAVP", crypto(1, tag=9)),
}


@options(core_profile="null_too")
@pytest.mark.parametrize("lowered", LOWER_ANSWERS)
@pytest.mark.parametrize("within_a_call", [False, True])
def test_an_answer_does_not_lower(net, lowered, within_a_call):
    """What we offered as SRTP is not taken as less: 488, and the far side, which thinks otherwise, is hung up."""
    answer = LOWER_ANSWERS[lowered](net)
    if within_a_call:
        caller, callee, _ = call_up(net, sdp(net, "access", "RTP/AVP"), sdp(net, "core", "RTP/SAVP", crypto(0)))
        caller.send_invite(sdp(net, "access", "RTP/AVP", "sendonly", version=2))
        net.core.reply(next_invite(net.core), 200, "OK", answer, tag=callee.local_tag)
    else:
        caller = net.caller()
        caller.send_invite(sdp(net, "access", "RTP/AVP"))
        callee = new_callee(net.core)
        assert "RTP/SAVP" in callee.invite.body
        callee.reply(200, "OK", answer)
    net.core.expect("ACK")
    net.core.reply(net.core.expect("BYE"), 200)
    response = net.access.expect("488 INVITE")
    caller.ack(response)
    if within_a_call:
        net.access.reply(net.access.expect("BYE"), 200)
    net.gateway.wait_idle()


LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


@options(access_profile="dtls")
def test_extensions_reach_the_media_side(net):
    offer = sdp(net, "access", DTLS, SHA256, "setup:active", f"extmap:3 urn:ietf:params:rtp-hdrext:encrypt {LEVEL}", "cryptex")
    caller, callee, ok = call_up(net, offer, sdp(net, "core", "RTP/AVP", f"extmap:3 {LEVEL}"))
    assert f"a=extmap:3 {LEVEL}\r\n" in callee.invite.body and "cryptex" not in callee.invite.body
    assert f"a=extmap:3 urn:ietf:params:rtp-hdrext:encrypt {LEVEL}\r\n" in ok.body and "a=cryptex\r\n" in ok.body
    access, core = plan(net)
    assert (access["encrypted"], access["cryptex"]) == (8, True)
    assert (core["encrypted"], core["cryptex"]) == (0, False)
    finish(net, caller, callee)


@options(core_profile="strip")
def test_extensions_are_stripped_both_ways(net):
    caller, callee, ok = call_up(net, sdp(net, "access", "RTP/AVP", f"extmap:3 {LEVEL}"))
    assert "extmap" not in callee.invite.body + ok.body
    assert all(line["strip"] for line in plan(net))
    finish(net, caller, callee)
