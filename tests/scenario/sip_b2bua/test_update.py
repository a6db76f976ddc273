# SPDX-License-Identifier: GPL-3.0-or-later
"""UPDATE within a call (RFC 3311), from either side, towards a peer that has it and one that has not; and what of an offer,
by whatever message, does not concern the other side."""
import pytest
from exchange import ALLOW, OLD, direction_of, finish, formats_of, lines, ports_of, sdp, state, up


def sides(net, by_caller, near=ALLOW, far=ALLOW):
    """The one that asks, and the other, which has what is said."""
    caller, callee = up(net, near if by_caller else far, far if by_caller else near)
    return (caller, callee, caller, callee) if by_caller else (callee, caller, caller, callee)


def offer(dialog, method, body):
    if method == "INVITE":
        dialog.send_invite(body)
    else:
        dialog.send("UPDATE", body)


def accept(first, second, method, onward, answer):
    """The other side's answer by the method that it was asked by, and all that belongs to it. Returns question and answer."""
    asked = second.peer.expect(onward)
    second.peer.reply(asked, 200, "OK", answer, tag=second.local_tag)
    if onward == "INVITE":
        second.peer.expect("ACK")
    ok = first.peer.expect(f"200 {method}")
    if method == "INVITE":
        first.ack(ok)
    return asked, ok


WAYS = [("INVITE", ALLOW, "INVITE"), ("UPDATE", ALLOW, "UPDATE"), ("UPDATE", OLD, "INVITE")]
ways = pytest.mark.parametrize("method, far, onward", WAYS, ids=["reinvite", "update", "update-as-reinvite"])
either = pytest.mark.parametrize("by_caller", [True, False])
HOLDS = {
    "sendonly": (dict(direction="sendonly"), "recvonly"),
    "inactive": (dict(direction="inactive"), "inactive"),
    "address": (dict(connection="0.0.0.0"), "recvonly"),
    "inactive-and-address": (dict(direction="inactive", connection="0.0.0.0"), "inactive"),
}


@ways
@either
@pytest.mark.parametrize("form", HOLDS)
def test_hold_and_resume(net, method, far, onward, by_caller, form):
    first, second, caller, callee = sides(net, by_caller, far=far)
    ask, said = HOLDS[form]
    before = state(net)
    offer(first, method, sdp(first.peer, **ask))
    asked, ok = accept(first, second, method, onward, sdp(second.peer, said))
    assert direction_of(asked.body) == {"recvonly": "sendonly", "inactive": "inactive"}[said]
    assert direction_of(ok.body) == said and "0.0.0.0" not in asked.body
    plan = lines(net) if first.peer is net.access else lines(net)[::-1]
    assert plan[0]["send"] is False and plan[1]["receive"] is False and all(x["agreed"] for x in plan)
    offer(first, method, sdp(first.peer))
    accept(first, second, method, onward, sdp(second.peer))
    assert state(net) == before
    finish(net, caller, callee)


@ways
@either
def test_codec_changes(net, method, far, onward, by_caller):
    first, second, caller, callee = sides(net, by_caller, far=far)
    offer(first, method, sdp(first.peer, formats=(9, 101)))
    asked, ok = accept(first, second, method, onward, sdp(second.peer, formats=(9,)))
    assert formats_of(asked.body) == [(9, 101)] and formats_of(ok.body) == [(9,)]
    finish(net, caller, callee)


@ways
@either
def test_lines_come_and_go_and_come_back(net, method, far, onward, by_caller):
    first, second, caller, callee = sides(net, by_caller, far=far)
    here, there = first.peer, second.peer

    def two(peer, last):
        body = sdp(peer, lines=2)
        return body if last else body.replace(f"m=audio {ports_of(body)[1]} ", "m=audio 0 ")

    offer(first, method, two(here, True))
    asked, ok = accept(first, second, method, onward, two(there, True))
    assert all(ports_of(asked.body)) and all(ports_of(ok.body)) and len(ports_of(ok.body)) == 2
    used = ports_of(asked.body)[1]
    offer(first, method, two(here, False))
    asked, ok = accept(first, second, method, onward, two(there, False))
    assert ports_of(asked.body)[1] == ports_of(ok.body)[1] == 0
    offer(first, method, two(here, True))  # recycled (RFC 3264 section 8.2), and refused by the other side
    asked, ok = accept(first, second, method, onward, two(there, False))
    assert ports_of(asked.body)[1] not in (0, used) and ports_of(ok.body)[1] == 0
    finish(net, caller, callee)


@ways
@either
@pytest.mark.parametrize("status", [488, 500, 603])
def test_refusal_leaves_the_last_pair(net, method, far, onward, by_caller, status):
    first, second, caller, callee = sides(net, by_caller, far=far)
    before, held = state(net), net.gateway.counts()
    offer(first, method, sdp(first.peer, "sendonly", connection="127.0.9.9", lines=2))
    second.peer.reply(second.peer.expect(onward), status, tag=second.local_tag)
    refused = first.peer.expect(f"{status} {method}")
    if method == "INVITE":
        first.ack(refused)
    if onward == "INVITE":
        second.peer.expect("ACK")
    assert state(net) == before
    after = net.gateway.counts()
    assert (after["seats"], after["requests"]) == (held["seats"], held["requests"])
    offer(first, method, sdp(first.peer, "inactive"))
    accept(first, second, method, onward, sdp(second.peer, "inactive"))
    finish(net, caller, callee)


@ways
@either
def test_an_answer_that_cannot_be_taken_ends_the_call(net, method, far, onward, by_caller):
    first, second, caller, callee = sides(net, by_caller, far=far)
    offer(first, method, sdp(first.peer, "sendonly"))
    second.peer.reply(second.peer.expect(onward), 200, "OK", "nonsense", tag=second.local_tag)
    if onward == "INVITE":
        second.peer.expect("ACK")
    refused = first.peer.expect(f"488 {method}")
    if method == "INVITE":
        first.ack(refused)
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    net.gateway.wait_idle()


CHANGES = {
    "nothing": dict(),
    "the-same-version": dict(version=1),
    "address": dict(connection="127.0.9.9"),
    "port": dict(port=41000),
    "key": dict(more=["x-nothing"]),
}


@either
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("change", ["nothing", "the-same-version", "address", "port"])
def test_what_does_not_concern_the_other_side(net, by_caller, method, change):
    """A refresh, its o= version as it was or not, and a change of address: answered here (RFC 3264 section 8)."""
    caller, callee = up(net, offer=sdp(net.access, version=1), answer=sdp(net.core, version=1))
    first, second = (caller, callee) if by_caller else (callee, caller)
    answer = lines(net)[0 if first.peer is net.access else 1]["local"]
    offer(first, method, sdp(first.peer, **CHANGES[change]))
    ok = first.peer.expect(f"200 {method}")
    if method == "INVITE":
        first.ack(ok)
    second.peer.nothing("INVITE", 0.1)
    second.peer.nothing("UPDATE", 0.02)
    assert formats_of(ok.body) == [(0, 8)] and direction_of(ok.body) == "sendrecv"
    assert ports_of(ok.body) == [int(answer.rpartition(":")[2])]
    mine = lines(net)[0 if first.peer is net.access else 1]
    expected = {"address": f"127.0.9.9:{40000 if first.peer is net.access else 50000}", "port": f"{first.peer.address}:41000"}
    assert mine["remote"] == expected.get(change, f"{first.peer.address}:{40000 if first.peer is net.access else 50000}")
    assert all(x["agreed"] and x["send"] and x["receive"] for x in lines(net))
    # The next one that does concern it has the version after the last one that it saw.
    seen = int(second.invite.body.split("o=- ")[1].split()[1]) if second is callee else None
    offer(first, method, sdp(first.peer, "sendonly"))
    asked, _ = accept(first, second, method, method, sdp(second.peer, "recvonly"))
    if seen is not None:
        assert int(asked.body.split("o=- ")[1].split()[1]) == seen + 1
    finish(net, caller, callee)


def test_refresh_without_a_description(net):
    caller, callee = up(net)
    plans = net.gateway.counts()["plans"]
    caller.send("UPDATE")
    assert caller.peer.expect("200 UPDATE").body == ""
    callee.peer.nothing("UPDATE", 0.1)
    assert net.gateway.counts()["plans"] == plans
    finish(net, caller, callee)


@ways
def test_glare_across_the_gateway(net, method, far, onward):
    """Both sides offer at once: ours to the one that asked meets its own; each gets 491 and tries again in its time."""
    caller, callee = up(net, ALLOW, far)
    before = state(net)
    offer(caller, method, sdp(caller.peer, "sendonly"))
    asked = callee.peer.expect(onward)
    offer(callee, method, sdp(callee.peer, "sendonly"))
    refused = callee.peer.expect(f"491 {method}")
    if method == "INVITE":
        callee.ack(refused)
    callee.peer.reply(asked, 491, tag=callee.local_tag)
    refused = caller.peer.expect(f"491 {method}")
    if method == "INVITE":
        caller.ack(refused)
    if onward == "INVITE":
        callee.peer.expect("ACK")
    assert state(net) == before
    offer(callee, "UPDATE", sdp(callee.peer, "sendonly"))
    accept(callee, caller, "UPDATE", "UPDATE", sdp(caller.peer, "recvonly"))
    finish(net, caller, callee)


@pytest.mark.parametrize("second", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("method, far, onward", WAYS)
def test_glare_on_one_leg(net, method, far, onward, second):
    """A second offer of the side that has one open: 500 with Retry-After (RFC 3311 section 5.2, RFC 3261 section 14.2)."""
    caller, callee = up(net, ALLOW, far)
    offer(caller, method, sdp(caller.peer, "sendonly"))
    first = (getattr(caller, "invite_cseq", 0), caller.invite_branch)
    asked = callee.peer.expect(onward)
    offer(caller, second, sdp(caller.peer, "inactive"))
    refused = caller.peer.expect(f"500 {second}")
    assert int(refused.get("Retry-After")) <= 10
    if second == "INVITE":
        caller.ack(refused)
    callee.peer.reply(asked, 200, "OK", sdp(callee.peer, "recvonly"), tag=callee.local_tag)
    ok = caller.peer.expect(f"200 {method}")
    if method == "INVITE":
        caller.invite_cseq, caller.invite_branch = first
        caller.ack(ok)
    finish(net, caller, callee)


def test_an_update_cannot_wait_as_long_as_an_invite(net):
    """Its other side's user thinks: the re-INVITE is given up before the UPDATE's transaction ends."""
    caller, callee = up(net, ALLOW, OLD)
    before = state(net)
    caller.send("UPDATE", sdp(caller.peer, "sendonly"))
    asked = callee.peer.expect("INVITE")
    callee.peer.reply(asked, 180, tag=callee.local_tag)
    cancel = callee.peer.expect("CANCEL", timeout=6)
    callee.peer.reply(cancel, 200, tag=callee.local_tag)
    callee.peer.reply(asked, 487, tag=callee.local_tag)
    caller.peer.expect("504 UPDATE")
    callee.peer.expect("ACK")
    assert state(net) == before
    finish(net, caller, callee)


@ways
@pytest.mark.parametrize("by_asker", [True, False])
def test_bye_while_it_is_open(net, method, far, onward, by_asker):
    caller, callee = up(net, ALLOW, far)
    offer(caller, method, sdp(caller.peer, "sendonly"))
    callee.peer.expect(onward)
    first, second = (caller, callee) if by_asker else (callee, caller)
    first.bye()
    first.peer.expect("200 BYE")
    second.peer.reply(second.peer.expect("BYE"), 200)
    refused = caller.peer.expect(f"487 {method}")
    if method == "INVITE":
        caller.ack(refused)
    net.gateway.wait_idle()


@pytest.mark.parametrize("far, onward", [(ALLOW, "UPDATE"), (OLD, "INVITE")])
def test_other_side_has_lost_the_dialog(net, far, onward):
    caller, callee = up(net, ALLOW, far)
    caller.send("UPDATE", sdp(caller.peer, "sendonly"))
    callee.peer.reply(callee.peer.expect(onward), 481, tag=callee.local_tag)
    caller.peer.expect("480 UPDATE")
    caller.peer.reply(caller.peer.expect("BYE"), 200)
    net.gateway.wait_idle()
