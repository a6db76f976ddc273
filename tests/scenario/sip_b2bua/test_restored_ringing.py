# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that were not up when the process that held them died: the next one ends them on both sides, and nothing of them is left."""
import re
import time

import peer
import pytest
import test_downgrade as keyed
from conftest import options
from exchange import ALLOW, Far, OLD, RELIABLE, finish, prack, ring, sdp, up
from peer import Peer
from test_transfer_resolved import RESOLVE, begin, told
from test_transfer_resolved import up as connected

CAUSE = 'SIP;cause=500;text="control restarted"'


def restart(net, ended=1):
    assert net.gateway.ask("restart") == "restarted"
    assert net.gateway.wait_event("calls taken up")["ended"] == ended


def refused(caller):
    """The near side's final response: told when to come again, and repeated until it is acknowledged."""
    final = caller.peer.expect("500 INVITE")
    assert 5 <= int(final.get("Retry-After")) <= 10 and final.get("Reason") == CAUSE and final.body == ""
    assert final.get("Call-ID") == caller.call_id and final.get("CSeq") == f"{caller.invite_cseq} INVITE"
    assert final.get("Via").split(";branch=")[1].startswith(caller.invite_branch)
    return final


def cancelled(callee):
    """The far side's CANCEL: it is its INVITE's in all that counts."""
    cancel = callee.peer.expect("CANCEL")
    for name in ("Call-ID", "From", "To"):
        assert cancel.get(name) == callee.invite.get(name)
    assert cancel.all("Via") == callee.invite.all("Via") and cancel.all("Route") == callee.invite.all("Route")
    assert cancel.first.split()[1] == callee.invite.first.split()[1]
    assert cancel.get("CSeq") == callee.invite.get("CSeq").replace("INVITE", "CANCEL") and cancel.get("Reason") == CAUSE
    callee.peer.reply(cancel, 200, tag=callee.local_tag, contact=False)
    return cancel


def terminated(callee, status=487):
    """Its INVITE ends as well, and that is acknowledged there."""
    callee.reply(status, "Reply")
    acked(callee)


def acked(callee):
    ack = callee.peer.expect("ACK")
    assert callee.peer.branch_of(ack) == callee.peer.branch_of(callee.invite)
    assert ack.get("CSeq") == callee.invite.get("CSeq").replace("INVITE", "ACK") and ack.get("Call-ID") == callee.call_id
    assert ack.get("From") == callee.invite.get("From") and ack.tag("To") == callee.local_tag


def gone(net, caller=None, callee=None):
    if caller is not None and callee is not None:
        said = net.gateway.wait_event("call ended")
        assert (said["call_id_a"], said["call_id_b"]) == (caller.call_id, callee.call_id)
        assert (said["cause"], said["status"], said["by"]) == ("control restarted", 500, "gateway")
        noticed(net, caller, callee)
    counts = net.gateway.wait_idle()
    assert counts["records"] == 0
    deadline = time.monotonic() + 15
    while counts["incoming"] or counts["outgoing"]:
        assert time.monotonic() < deadline, counts
        net.gateway.advance(10)  # 64 * T1 are 3.2 s
        counts = net.gateway.counts()


def noticed(net, caller, callee):
    """Whoever watches is told of the end as of any other, once: the same call, the same two sides."""
    started, = net.gateway.events("notice", kind="started", call_id_a=caller.call_id)
    ended, = net.gateway.events("notice", kind="ended", call_id_a=caller.call_id)
    for name in ("call", "realm_a", "realm_b", "call_id_a", "uri_a"):
        assert ended[name] == started[name] != "", name
    assert ended["call_id_b"] == callee.call_id and f"<{ended['uri_b']}>" in callee.invite.get("To")  # it may have moved
    assert (ended["cause"], ended["status"], ended["by"], ended["up_ns"]) == ("control restarted", 500, "gateway", 0)
    assert ended["setup_ns"] > 0


def ended(net, caller, callee, status=487):
    caller.ack(refused(caller))
    cancelled(callee)
    terminated(callee, status)
    gone(net, caller, callee)


sides = pytest.mark.parametrize("side", ["access", "core"])


@sides
@pytest.mark.parametrize("heard", [None, 100, 180, 183])
def test_it_rang(net, side, heard):
    caller, callee = ring(net, side=side)
    caller.peer.expect("100")
    if heard:
        callee.reply(heard, "Reply", sdp(callee.peer) if heard == 183 else None)
    if heard and heard > 100:
        caller.answered(caller.peer.expect(heard))
    restart(net)
    ended(net, caller, callee)


@options(v6=True)
def test_it_rang_over_v6(net):
    caller, callee = ring(net, body=peer.sdp("::1"))
    callee.reply(180)
    caller.peer.expect("180")
    restart(net)
    ended(net, caller, callee)


def test_the_tag_that_the_caller_knows(net):
    """The refusal is of the dialog that a 18x has made."""
    caller, callee = ring(net)
    callee.reply(180)
    tag = caller.peer.expect("180").tag("To")
    restart(net)
    final = refused(caller)
    assert final.tag("To") == tag
    caller.ack(final)
    cancelled(callee)
    terminated(callee)
    gone(net)


def test_no_key_in_the_record(net):
    """What it takes to end it is in there, and nothing of what was described."""
    caller, callee = ring(net)
    session = net.gateway.wait_event("call leg out")["session"]
    kept = bytes.fromhex(net.gateway.ask(f"pending {session}").split()[-1])
    assert caller.call_id.encode() in kept and callee.call_id.encode() in kept and b"m=audio" not in kept
    restart(net)
    ended(net, caller, callee)


def test_a_caller_behind_proxies(net):
    """Its Vias, in whatever spelling, all come back, in their order."""
    caller = net.caller()
    caller.cseq += 1
    caller.invite_cseq, caller.invite_branch, caller.invite_uri = caller.cseq, caller.peer.branch(), caller.target
    more = 'v: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK-second , SIP/2.0/UDP 192.0.2.8:5070;branch=z9hG4bK-third;x="a,b"\r\n'
    text = caller.request_text("INVITE", sdp(caller.peer), caller.invite_branch)
    caller.peer.send_text(text.replace("Max-Forwards", more + "Max-Forwards", 1))
    callee = Far(net.core, net.core.expect("INVITE"))
    caller.peer.expect("100")
    restart(net)
    final = refused(caller)
    vias = ", ".join(final.all("Via"))
    places = [vias.index(branch) for branch in (caller.invite_branch, "z9hG4bK-second", "z9hG4bK-third")]
    assert places == sorted(places) and 'x="a,b"' in vias
    caller.ack(final)
    cancelled(callee)
    terminated(callee)
    gone(net, caller, callee)


def test_more_than_the_record_holds(net):
    """A caller behind so many proxies that its INVITE has no room: the callee stops ringing all the same."""
    caller, callee = ring(net, [f"Via: SIP/2.0/UDP 192.0.2.{i};branch=z9hG4bK-{i:0>400}" for i in range(1, 11)])
    callee.reply(180)
    caller.peer.expect("180")
    net.gateway.wait_event("pending requests too large for the record")
    restart(net)
    cancelled(callee)
    terminated(callee)
    caller.peer.nothing("500 INVITE", 0.1)
    gone(net)


def test_the_refusal_is_repeated_until_its_ack(net):
    caller, callee = ring(net)
    caller.peer.expect("100")
    restart(net)
    for _ in range(3):
        final = refused(caller)
    caller.ack(final)
    cancelled(callee)
    terminated(callee)
    gone(net)


def test_a_repeated_invite_begins_no_second_call(net):
    caller, callee = ring(net)
    caller.peer.expect("100")
    restart(net)
    final = refused(caller)
    net.access.send_text(caller.invite_text)
    caller.ack(refused(caller))
    net.access.send_text(caller.invite_text)  # one that took a long way
    callee.peer.nothing("INVITE", 0.3)
    cancelled(callee)
    terminated(callee)
    caller.ack(final)
    gone(net)


def test_the_caller_cancels_meanwhile(net):
    """Its CANCEL meets a transaction that has its final response already."""
    caller, callee = ring(net)
    callee.reply(180)
    caller.peer.expect("180")
    restart(net)
    caller.cancel()
    caller.peer.expect("200 CANCEL")
    ended(net, caller, callee)


def test_bye_and_prack_of_an_early_dialog(net):
    caller, callee = ring(net)
    callee.reply(180)
    caller.answered(caller.peer.expect("180"))
    restart(net)
    for method in ("BYE", "PRACK", "UPDATE"):
        caller.send(method)
        caller.peer.expect(f"481 {method}")
    ended(net, caller, callee)


@pytest.mark.parametrize("answers", [1, 2])
def test_the_answer_crosses(net, answers):
    """Whoever has answered is thanked and told that it is over, by the way that the answer shows."""
    caller, callee = ring(net)
    callee.reply(180)
    caller.peer.expect("180")
    restart(net)
    for _ in range(answers):
        callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
        ack = callee.peer.expect("ACK")
        assert ack.get("CSeq") == callee.invite.get("CSeq").replace("INVITE", "ACK")
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    callee.peer.reply(callee.peer.expect("CANCEL"), 481, tag=callee.local_tag)
    caller.ack(refused(caller))
    gone(net, caller, callee)


@pytest.mark.parametrize("status", [300, 404, 486, 503, 603])
def test_a_refusal_crosses(net, status):
    """It is acknowledged each time it comes, though its transaction has died."""
    caller, callee = ring(net)
    restart(net)
    for _ in range(2):
        terminated(callee, status)
    callee.peer.reply(callee.peer.expect("CANCEL"), 481, tag=callee.local_tag)
    caller.ack(refused(caller))
    gone(net, caller, callee)


def test_a_stranger_s_refusal(net):
    """Nobody but a peer is acknowledged anything."""
    caller, callee = ring(net)
    restart(net)
    stranger = Peer("127.0.2.9", gateway=net.core_gw)
    stranger.reply(callee.invite, 486, "Reply")
    stranger.nothing("ACK", 0.3)
    stranger.close()
    ended(net, caller, callee)


@pytest.mark.parametrize("branches", [2, 3])
@pytest.mark.parametrize("net", [{}, {"access_policy": "forking=parallel"}], indirect=True, ids=["single", "parallel"])
def test_forks(net, branches):
    """One CANCEL ends all branches; the answer of one that was quicker is taken, and ended."""
    caller, callee = ring(net)
    forks = [callee, *(Far(net.core, callee.invite) for _ in range(branches - 1))]
    for fork in forks:
        fork.reply(183, "Progress", sdp(net.core))
        caller.peer.expect("183")
    restart(net)
    cancelled(callee)
    quick = forks[-1]
    quick.reply(200, "OK", sdp(net.core), [ALLOW])
    assert net.core.expect("ACK").tag("To") == quick.local_tag
    bye = net.core.expect("BYE")
    assert bye.tag("To") == quick.local_tag
    net.core.reply(bye, 200)
    caller.ack(refused(caller))
    gone(net, caller, callee)


@pytest.mark.parametrize("pracked", [False, True])
def test_reliable_progress(net, pracked):
    """Reliable 18x on both sides, acknowledged or not: both early dialogs end with their INVITEs."""
    caller, callee = ring(net, [RELIABLE])
    callee.reliable(183, sdp(net.core))
    progress = caller.peer.expect("183")
    if pracked:
        prack(caller, progress)
        callee.answer_to(callee.pracked())
        caller.peer.expect("200 PRACK")
    restart(net)
    ended(net, caller, callee)


def test_answered_there_and_not_here(net):
    """Our 200 waits for the PRACK of our 183: the far side, which is up, gets BYE, the near one its refusal."""
    caller, callee = ring(net, ["Require: 100rel"])
    callee.reply(183, "Progress", sdp(net.core))
    caller.peer.expect("183")
    callee.reply(200, "OK", sdp(net.core), [ALLOW])
    callee.peer.expect("ACK")
    restart(net)
    bye = callee.peer.expect("BYE")
    assert bye.get("Call-ID") == callee.call_id and bye.tag("To") == callee.local_tag and bye.get("Reason") == CAUSE
    assert bye.get("From") == callee.invite.get("From") and bye.first.split()[1] == callee.peer.contact().strip("<>")
    assert int(bye.get("CSeq").split()[0]) > int(callee.invite.get("CSeq").split()[0])
    callee.peer.reply(bye, 200)
    callee.peer.nothing("CANCEL", 0.1)
    caller.ack(refused(caller))
    gone(net, caller, callee)


def test_an_offer_that_was_asked_for(net):
    caller, callee = ring(net, body=None)
    callee.reply(180)
    caller.peer.expect("180")
    restart(net)
    ended(net, caller, callee)


def test_an_offer_that_was_asked_for_crosses(net):
    """The answer to an INVITE of the life before: what it offers is answered, with nothing."""
    caller, callee = ring(net, body=None)
    restart(net)
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    assert "m=audio 0 " in callee.peer.expect("ACK").body
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    callee.peer.reply(callee.peer.expect("CANCEL"), 481, tag=callee.local_tag)
    caller.ack(refused(caller))
    gone(net, caller, callee)


def test_being_cancelled_already(net):
    """Its end was told, and the far side had not heard of it yet: it hears of it again, the log does not."""
    caller, callee = ring(net)
    callee.reply(180)
    caller.peer.expect("180")
    caller.cancel()
    caller.peer.expect("200 CANCEL")
    caller.ack(caller.peer.expect("487 INVITE"))
    callee.peer.expect("CANCEL")
    assert len(net.gateway.events("call ended")) == 1
    restart(net)
    cancelled(callee)
    terminated(callee)
    assert len(net.gateway.events("call ended")) == len(net.gateway.events("notice", kind="ended")) == 1
    gone(net)


def test_answered_and_ended_leave_nothing_to_end(net):
    """What has been settled in its own time is not found again."""
    caller, callee = ring(net)
    callee.reply(486)
    caller.ack(caller.peer.expect("486 INVITE"))
    callee.peer.expect("ACK")
    finish(net, *up(net))
    net.gateway.wait_idle()
    assert net.gateway.ask("restart") == "restarted"
    assert not net.gateway.events("calls taken up")
    callee.peer.nothing("CANCEL", 0.1)


@options(core_policy="redirect=follow")
def test_redirected(net):
    """The one that rings now is told, by its own transaction."""
    caller, first = ring(net, [OLD])
    first.peer.reply(first.invite, 302, tag="moved", headers=[f"Contact: <sip:other@{net.core.host}:{net.core.port}>"], contact=False)
    net.core.expect("ACK")
    second = Far(net.core, net.core.expect("INVITE"))
    second.reply(180)
    caller.peer.expect("180")
    restart(net)
    ended(net, caller, second)


@options(**RESOLVE)
def test_a_transfer_s_target(net):
    """It rings for a call that is up: the target is told, and the call goes on."""
    caller, callee = connected(net)
    target = begin(net, caller)
    target.reply(180)
    told(caller, 180)
    restart(net, ended=0)
    cancelled(target)
    terminated(target)
    assert not net.gateway.events("notice", kind="ended")
    finish(net, caller, callee)
    gone(net)


@options(access_transport="tcp")
def test_a_caller_over_tcp(net):
    """Its connection died with the process: the refusal goes to the port that its Via names, over another (RFC 3261 section 18.2.2)."""
    caller, callee = ring(net)
    callee.reply(180)
    caller.peer.expect("180")
    restart(net)
    ended(net, caller, callee)


@options(access_transport="tcp")
def test_a_caller_that_cannot_be_reached(net):
    """Behind a NAT nobody can connect to it. It has seen its connection break; here nothing waits for it."""
    caller, callee = ring(net)
    caller.peer.expect("100")
    caller.peer.socket.close()
    restart(net)
    cancelled(callee)
    terminated(callee)
    gone(net, caller, callee)


@options(core_transport="tcp")
def test_a_callee_over_tcp(net):
    caller, callee = ring(net)
    callee.reply(180)
    caller.peer.expect("180")
    restart(net)
    ended(net, caller, callee)


@options(core_transport="tcp")
def test_a_callee_that_is_gone(net):
    caller, callee = ring(net)
    net.core.close()
    restart(net)
    caller.ack(refused(caller))
    gone(net, caller, callee)


@options(calls=200)
def test_a_hundred(net):
    """All at once, in four states; beside calls that are up, which go on."""
    stay = [up(net) for _ in range(3)]
    calls = []
    for i in range(100):
        caller, callee = ring(net, [RELIABLE] if i % 4 == 3 else ())
        if i % 4 == 1:
            callee.reply(180)
            caller.peer.expect("180")
        elif i % 4 > 1:
            (callee.reliable if i % 4 == 3 else callee.reply)(183, body=sdp(net.core))
            caller.peer.expect("183")
        calls.append((caller, callee))
    before = net.gateway.counts()
    assert before["calls"] == 103
    assert net.gateway.ask("restart") == "restarted"
    taken = net.gateway.wait_event("calls taken up")
    assert (taken["ended"], taken["restored"], taken["dropped"]) == (100, 3, 0)
    near, far = {}, {}
    while len(near) < 100:
        final = net.access.expect("500 INVITE", timeout=10)
        near.setdefault(final.get("Call-ID"), final)
    while len(far) < 100:
        cancel = net.core.expect("CANCEL", timeout=10)
        if cancel.get("Call-ID") not in far:
            net.core.reply(cancel, 200, contact=False)
        far[cancel.get("Call-ID")] = cancel
    for caller, callee in calls:
        caller.ack(near[caller.call_id])
        assert callee.call_id in far
    acks, deadline = set(), time.monotonic() + 30
    for _, callee in calls:
        while callee.call_id not in acks:
            callee.reply(487)  # again, as long as nobody acknowledges it
            assert time.monotonic() < deadline
            try:
                acks.add(net.core.expect("ACK", timeout=1).get("Call-ID"))
            except AssertionError:
                continue
    for event, fields in (("call ended", {}), ("notice", {"kind": "ended"})):
        assert len(net.gateway.events(event, cause="control restarted", **fields)) == 100
    counts = net.gateway.counts()
    assert (counts["calls"], counts["sessions"], counts["seats"], counts["records"]) == (3, 3, 6, 3)
    for caller, callee in stay:
        caller.bye()
        callee.peer.reply(callee.peer.expect("BYE"), 200)
        caller.peer.expect("200 BYE")
    gone(net)


@pytest.mark.parametrize("by_caller", [True, False], ids=["caller", "callee"])
def test_a_change_was_open(net, by_caller):
    """Whoever asked is told at once to ask again; the session is what it was, and nobody rings or is cancelled."""
    caller, callee = up(net, OLD, OLD)
    first, second = (caller, callee) if by_caller else (callee, caller)
    first.send_invite(sdp(first.peer, "sendonly"))
    asked = second.peer.expect("INVITE")
    restart(net, ended=0)
    final = refused(first)
    assert final.tag("To") == re.search(r";tag=([^;>]+)", first.remote).group(1)
    first.ack(final)
    second.peer.reply(asked, 488, tag=second.local_tag)  # late, and acknowledged all the same
    while second.peer.branch_of(second.peer.expect("ACK")) != second.peer.branch_of(asked):
        pass
    second.peer.nothing("CANCEL", 0.1)
    first.send_invite(sdp(first.peer, "sendonly"))
    again = second.peer.expect("INVITE")
    second.peer.reply(again, 200, "OK", sdp(second.peer, "recvonly"), tag=second.local_tag)
    second.peer.expect("ACK")
    first.ack(first.peer.expect("200 INVITE"))
    finish(net, caller, callee)
    gone(net)


def test_a_change_was_open_when_it_ended(net):
    """BYE has ended the re-INVITE as well: nothing of that is said twice."""
    caller, callee = up(net, OLD, OLD)
    caller.send_invite(sdp(caller.peer, "sendonly"))
    callee.peer.expect("INVITE")
    cseq = caller.invite_cseq
    caller.bye()
    assert caller.peer.expect("487 INVITE").get("CSeq") == f"{cseq} INVITE"
    caller.peer.expect("200 BYE")
    callee.peer.expect("BYE")
    assert net.gateway.ask("restart") == "restarted"
    assert not net.gateway.events("calls taken up")
    caller.peer.nothing("500 INVITE", 0.2)
    gone(net)


@pytest.mark.parametrize("offset", [0, 4, 8, 12, 32, 64, 100, 200, 400])
def test_a_damaged_record(net, offset):
    """Nothing comes of it but a line in the log; the media goes either way."""
    caller, callee = ring(net)
    caller.peer.expect("100")
    session = net.gateway.wait_event("call leg out")["session"]
    net.gateway.ask(f"damage {session} {offset}")
    assert net.gateway.ask("restart") == "restarted"
    net.gateway.wait_event("pending requests dropped")
    counts = net.gateway.wait_idle()
    assert counts["records"] == 0
    finish(net, *up(net))


def test_the_answer_was_lost(net):
    """The caller has not had our 200, and asks again: it has it now, from the restored call, and no second one begins."""
    caller, callee = ring(net)
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    lost = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    restart(net, ended=0)
    repeat(net, caller)
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == lost.body and ok.get("To") == lost.get("To") and ok.get("Contact") == lost.get("Contact")
    caller.ack(ok)
    net.gateway.wait_event("answer has arrived")
    net.gateway.advance(4)
    callee.peer.nothing("INVITE", 0.1)
    assert net.gateway.counts()["calls"] == 1
    finish(net, caller, callee)
    gone(net)


@options(access_profile="any")
@pytest.mark.parametrize("proto, extra", [("RTP/SAVP", [keyed.crypto(0)]), (keyed.DTLS, [keyed.SHA256, "setup:actpass"])],
                         ids=["sdes", "dtls"])
def test_a_secured_answer_was_lost(net, proto, extra):
    """The same key, the same association: what the caller has not heard is what the media side has."""
    caller = net.caller()
    caller.send_invite(keyed.sdp(net, "access", proto, *extra))
    callee = Far(net.core, net.core.expect("INVITE"))
    callee.reply(200, "OK", keyed.sdp(net, "core", "RTP/AVP"), [ALLOW])
    lost = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    told = net.gateway.events("plan line")[-2:]
    restart(net, ended=0)
    repeat(net, caller)
    ok = caller.peer.expect("200 INVITE")
    assert re.findall("a=(?:crypto|fingerprint|setup|tls-id):.*", ok.body) == re.findall(
        "a=(?:crypto|fingerprint|setup|tls-id):.*", lost.body)
    caller.ack(ok)
    for was, now in zip(told, net.gateway.events("plan line")[-2:]):
        assert [was[k] for k in ("local", "remote", "key", "changing")] == [now[k] for k in ("local", "remote", "key", "changing")]
    callee.peer.nothing("INVITE", 0.1)
    finish(net, caller, callee)
    gone(net)


def repeat(net, caller):
    """Its INVITE once more, and no 200 that the dead one sent is taken for the answer to that."""
    net.access.kept.clear()
    while not net.access.inbox.empty():
        net.access.inbox.get()
    net.access.send_text(caller.invite_text)
    net.gateway.wait_event("answer repeated")
