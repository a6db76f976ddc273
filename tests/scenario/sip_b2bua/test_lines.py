# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a description within a call: a slot that is used again by another kind of media (RFC 3264 section 8.1), lines that are
refused, and offers that are taken back half-way: what was in force is in force, and what was leased has gone back."""
import pytest
from exchange import ALLOW, direction_of, finish, lines, ports_of, sdp, state, up
from test_update import accept, either, offer, sides, ways

KINDS = {"audio": "0", "video": "96", "text": "98"}
MAPS = {"0": "PCMU/8000", "96": "H264/90000", "98": "t140/1000"}


def describe(peer, *slots):
    """slots: (kind, port)."""
    body = sdp(peer, formats=(0,))
    head = body[:body.index("m=")]
    return head + "".join(f"m={kind} {port} RTP/AVP {KINDS[kind]}\r\na=rtpmap:{KINDS[kind]} {MAPS[KINDS[kind]]}\r\na=sendrecv\r\n"
                          for kind, port in slots)


def kinds_of(body):
    return [line.split()[0][2:] for line in body.split("\r\n") if line.startswith("m=")]


@ways
@either
def test_a_slot_is_used_by_another_kind(net, method, far, onward, by_caller):
    first, second, caller, callee = sides(net, by_caller, far=far)

    def change(slot, answer):
        offer(first, method, describe(first.peer, ("audio", 41000), *slot))
        return accept(first, second, method, onward, describe(second.peer, ("audio", 51000), *answer))

    seats = net.gateway.counts()["seats"]
    asked, ok = change([("video", 41002)], [("video", 51002)])
    assert kinds_of(asked.body) == kinds_of(ok.body) == ["audio", "video"]
    used = ports_of(asked.body)[1], ports_of(ok.body)[1]
    assert net.gateway.counts()["seats"] == seats + 2
    asked, ok = change([("video", 0)], [("video", 0)])
    assert ports_of(asked.body)[1] == ports_of(ok.body)[1] == 0 and net.gateway.counts()["seats"] == seats
    asked, ok = change([("text", 41004)], [("text", 51004)])
    assert kinds_of(asked.body) == kinds_of(ok.body) == ["audio", "text"]
    assert ports_of(asked.body)[1] not in (0, used[0]) and ports_of(ok.body)[1] not in (0, used[1])
    assert net.gateway.counts()["seats"] == seats + 2
    remotes = [x["remote"] for x in net.gateway.events("plan line")[-4:]]
    assert sorted(r.rpartition(":")[2] for r in remotes) == ["41000", "41004", "51000", "51004"]
    finish(net, caller, callee)


@ways
@either
def test_a_new_line_is_refused(net, method, far, onward, by_caller):
    first, second, caller, callee = sides(net, by_caller, far=far)
    seats = net.gateway.counts()["seats"]
    offer(first, method, describe(first.peer, ("audio", 41000), ("video", 41002)))
    _, ok = accept(first, second, method, onward, describe(second.peer, ("audio", 51000), ("video", 0)))
    assert kinds_of(ok.body) == ["audio", "video"] and ports_of(ok.body)[1] == 0
    assert net.gateway.counts()["seats"] == seats
    finish(net, caller, callee)


@ways
@pytest.mark.parametrize("cause", [None, 408])
def test_no_answer_ends_the_call(net, method, far, onward, cause):
    """RFC 3261 12.2.1.2: whoever does not answer in a dialog, or says 408, is gone; what was leased for the new line goes with it."""
    caller, callee = up(net, ALLOW, far)
    offer(caller, method, sdp(caller.peer, "sendonly", lines=2))
    asked = callee.peer.expect(onward)
    if cause:
        callee.peer.reply(asked, cause, tag=callee.local_tag)
    caller.peer.reply(caller.peer.expect("BYE", 8), 200)
    if method == "INVITE":
        caller.ack(caller.peer.expect("408 INVITE"))
    else:
        caller.peer.nothing("408 UPDATE", 0.05)  # RFC 4320: it gives up at the same time
    net.gateway.wait_idle()


@either
def test_cancelled(net, by_caller):
    """Both legs have the last stable pair, and the line that was offered has no ports any more."""
    first, second, caller, callee = sides(net, by_caller)
    before, seats = state(net), net.gateway.counts()["seats"]
    offer(first, "INVITE", sdp(first.peer, "sendonly", lines=2))
    asked = second.peer.expect("INVITE")
    second.peer.reply(asked, 180, tag=second.local_tag)
    first.cancel()
    first.peer.expect("200 CANCEL")
    second.peer.reply(second.peer.expect("CANCEL"), 200, tag=second.local_tag)
    second.peer.reply(asked, 487, tag=second.local_tag)
    second.peer.expect("ACK")
    first.ack(first.peer.expect("487 INVITE"))
    assert state(net) == before and net.gateway.counts()["seats"] == seats
    offer(second, "UPDATE", sdp(second.peer, "sendonly"))
    _, ok = accept(second, first, "UPDATE", "UPDATE", sdp(first.peer, "recvonly"))
    assert direction_of(ok.body) == "recvonly"
    finish(net, caller, callee)


@either
def test_cancelled_too_late(net, by_caller):
    """The answer has come first: it counts on both legs (RFC 3261 section 9.1)."""
    first, second, caller, callee = sides(net, by_caller)
    offer(first, "INVITE", sdp(first.peer, "inactive"))
    asked = second.peer.expect("INVITE")
    second.peer.reply(asked, 180, tag=second.local_tag)
    first.cancel()
    first.peer.expect("200 CANCEL")
    cancel = second.peer.expect("CANCEL")
    second.peer.reply(asked, 200, "OK", sdp(second.peer, "inactive"), tag=second.local_tag)
    second.peer.reply(cancel, 481, tag=second.local_tag)
    second.peer.expect("ACK")
    final = first.peer.expect("200 INVITE")
    first.ack(final)
    assert direction_of(final.body) == "inactive" and not any(x["send"] or x["receive"] for x in lines(net))
    finish(net, caller, callee)
