# SPDX-License-Identifier: GPL-3.0-or-later
"""transfer: resolve. The gateway calls the target itself, and offers what that says to the side that stays."""
import re
from urllib.parse import quote

import exchange
import pytest
from conftest import options
from exchange import ALLOW, OLD, Far, direction_of, finish, formats_of, lines, ports_of, ring, sdp, state

RESOLVE = dict(access_policy="transfer=resolve", core_policy="transfer=resolve")
WITH_REFER = ALLOW + ", REFER, NOTIFY"


def up(net):
    return exchange.up(net, WITH_REFER, WITH_REFER)


def refer(dialog, user="200", headers=()):
    dialog.send("REFER", headers=[f"Refer-To: <sip:{user}@10.9.8.7>", *headers])


def told(dialog, status, last=None, number=None):
    """A NOTIFY of ours has come, and is answered."""
    notify = dialog.peer.expect("NOTIFY")
    assert notify.body.startswith(f"SIP/2.0 {status} "), notify.body
    assert notify.get("Event") == f"refer;id={number or dialog.cseq}" and notify.get("Call-ID") == dialog.call_id
    if last is not None:
        assert notify.get("Subscription-State").startswith("terminated" if last else "active")
    dialog.peer.reply(notify, 200)
    return notify


def begin(net, dialog, user="200", headers=()):
    """The REFER is accepted, and the target called; the target's dialog. It is on the other side, by our routes."""
    refer(dialog, user, headers)
    accepted = dialog.peer.expect("202 REFER")
    assert accepted.get("Contact")
    told(dialog, 100, False)
    peer = net.core if dialog.peer is net.access else net.access
    return Far(peer, peer.expect("INVITE"))


def answered(net, dialog, target, body=None):
    """It answers with an offer, and the side that stays is asked: its dialog's peer, and the re-INVITE."""
    target.reply(200, "OK", body or sdp(target.peer, port=52000), [ALLOW])


def legs_of(net):
    """Whose lines the media side has, the access line first."""
    return [x["dialog"] for x in lines(net)]


def two_ends(caller, callee, by_caller):
    return (caller, callee) if by_caller else (callee, caller)


def bye(net, one, other):
    one.bye()
    other.peer.reply(other.peer.expect("BYE"), 200)
    one.peer.expect("200 BYE")
    net.gateway.wait_idle()


def version(body):
    return int(body.split("o=")[1].split()[2])


@options(**RESOLVE)
@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("who_hangs_up", ["we", "they"])
def test_blind(net, by_caller, who_hangs_up):
    caller, callee = up(net)
    leaver, stays = two_ends(caller, callee, by_caller)
    plans, legs = state(net), legs_of(net)
    staying_line = plans[1 if by_caller else 0]
    target = begin(net, leaver, headers=["Referred-By: <sip:boss@10.1.1.1>"])
    assert target.invite.body == "" and target.invite.first.split()[1].startswith("sip:200@")
    assert target.invite.get("Referred-By").startswith("<sip:boss@127.0.") and "10.1.1.1" not in target.invite.get("Referred-By")
    target.reply(180, "Ringing")
    told(leaver, 180, False)
    assert state(net) == plans  # the old call goes on
    answered(net, leaver, target, sdp(target.peer, formats=(8, 0, 9), port=52000))
    again = stays.peer.expect("INVITE")
    assert again.get("Call-ID") == stays.call_id and formats_of(again.body) == [(8, 0, 9)]
    assert state(net) == plans and legs_of(net) == legs
    stays.peer.reply(again, 200, body=sdp(stays.peer, formats=(0,)), tag=stays.local_tag)
    acks = {ack.get("Call-ID"): ack for ack in (stays.peer.expect("ACK"), target.peer.expect("ACK"))}
    assert formats_of(acks[target.call_id].body) == [(0,)] and not acks[stays.call_id].body
    final = told(leaver, 200, True)
    assert final.body == "SIP/2.0 200 OK\r\n"
    if who_hangs_up == "we":
        leaver.peer.reply(leaver.peer.expect("BYE"), 200)
    else:
        leaver.peer.expect("BYE")  # they crossed
        leaver.bye()
        leaver.peer.expect("200 BYE")
        leaver.peer.reply(leaver.peer.expect("BYE", again=True), 200)
    assert [a == b for a, b in zip(legs, legs_of(net))] == [not by_caller, by_caller]
    now = state(net)[1 if by_caller else 0]
    assert now[0] == staying_line[0] and now[4]  # the port that it had
    new_line = state(net)[0 if by_caller else 1]
    assert new_line[1].endswith(":52000") and new_line[0] != plans[0 if by_caller else 1][0]
    net.gateway.wait_event("call transferred")
    counts = net.gateway.counts()
    assert counts["sessions"] == 1 and counts["seats"] == 2 and counts["calls"] == 1
    # The two are a call like any other.
    stays.send_invite(sdp(stays.peer, "sendonly"))
    hold = target.peer.expect("INVITE")
    assert direction_of(hold.body) == "sendonly" and hold.get("Call-ID") == target.call_id
    target.peer.reply(hold, 200, body=sdp(target.peer, "recvonly", port=52000), tag=target.local_tag)
    stays.ack(stays.peer.expect("200 INVITE"))
    target.peer.expect("ACK")
    net.gateway.wait_event("state", tag="call", to="up")
    bye(net, target if by_caller else stays, stays if by_caller else target)


@options(**RESOLVE)
def test_versions_grow(net):
    caller, callee = up(net)
    first = version(callee.invite.body)
    target = begin(net, caller)
    answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
    again = net.core.expect("INVITE")
    assert version(again.body) == first + 1 and formats_of(again.body) == [(8,)]
    assert again.body.split("o=")[1].split()[1] == callee.invite.body.split("o=")[1].split()[1]
    assert ports_of(again.body) == ports_of(callee.invite.body)
    net.core.reply(again, 200, body=sdp(net.core, formats=(8,)), tag=callee.local_tag)
    net.core.expect("ACK")
    net.core.expect("ACK")
    told(caller, 200, True)
    net.access.reply(net.access.expect("BYE"), 200)
    bye(net, callee, target)


@options(**RESOLVE)
def test_from_hold(net):
    """The usual way: hold, then transfer. The side that stays is taken up again."""
    caller, callee = up(net)
    caller.send_invite(sdp(net.access, "sendonly"))
    hold = net.core.expect("INVITE")
    net.core.reply(hold, 200, body=sdp(net.core, "recvonly"), tag=callee.local_tag)
    caller.ack(net.access.expect("200 INVITE"))
    net.core.expect("ACK")
    target = begin(net, caller)
    answered(net, caller, target)
    again = net.core.expect("INVITE")
    assert direction_of(again.body) == "sendrecv"
    net.core.reply(again, 200, body=sdp(net.core), tag=callee.local_tag)
    acks = [net.core.expect("ACK"), net.core.expect("ACK")]
    assert sorted(direction_of(a.body) for a in acks if a.body) == ["sendrecv"]
    told(caller, 200, True)
    net.access.reply(net.access.expect("BYE"), 200)
    assert all(x[2] and x[3] for x in state(net))
    bye(net, callee, target)


@options(**RESOLVE)
def test_nothing_new_for_who_stays(net):
    """The target offers just what the transferor has said: nobody else need be asked."""
    caller, callee = up(net)
    target = begin(net, caller)
    answered(net, caller, target, sdp(net.core, port=52000))
    told(caller, 200, True)
    ack = net.core.expect("ACK")
    if not ack.body:  # that of a re-INVITE
        ack = net.core.expect("ACK")
    net.access.reply(net.access.expect("BYE"), 200)
    bye(net, callee, target)


@options(**RESOLVE)
@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("status, said", [(486, 486), (302, 480), (401, 403), (404, 404), (503, 500), (603, 603)])
def test_target_refuses(net, by_caller, status, said):
    caller, callee = up(net)
    leaver, _ = two_ends(caller, callee, by_caller)
    plans = state(net)
    target = begin(net, leaver)
    target.reply(status)
    target.peer.expect("ACK")
    told(leaver, said, True)
    assert state(net) == plans and not net.gateway.events("call ended")
    counts = net.gateway.counts()
    assert counts["seats"] == 2
    net.gateway.wait_event("transfer failed")
    finish(net, caller, callee)


@options(**RESOLVE)
@pytest.mark.parametrize("what", ["refused", "no use", "nothing"])
def test_target_and_the_other_side_do_not_meet(net, what):
    """The target is sent off with a valid answer, and the old call goes on."""
    caller, callee = up(net)
    plans = state(net)
    target = begin(net, caller)
    if what == "nothing":
        target.reply(200, "OK")
    else:
        answered(net, caller, target, sdp(net.core, formats=(0, 9), port=52000) if what == "refused" else
                 "v=0\r\no=- 1 1 IN IP4 127.0.2.1\r\ns=-\r\nc=IN IP4 127.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/SAVP 0\r\n")
    if what == "refused":
        net.core.reply(net.core.expect("INVITE"), 488, tag=callee.local_tag)
        net.core.expect("ACK")
    ack = net.core.expect("ACK")
    if what == "refused":
        assert ports_of(ack.body) == [0]
    bye_request = net.core.expect("BYE")
    assert bye_request.get("Call-ID") == target.call_id
    net.core.reply(bye_request, 200)
    told(caller, 488, True)
    assert state(net) == plans
    callee.send_invite(sdp(net.core, "sendonly"))  # it is whole
    hold = net.access.expect("INVITE")
    net.access.reply(hold, 200, body=sdp(net.access, "recvonly"), tag=caller.local_tag)
    callee.ack(net.core.expect("200 INVITE"))
    net.access.expect("ACK")
    assert net.gateway.counts()["seats"] == 2
    finish(net, caller, callee)


@options(**RESOLVE)
def test_glare_with_who_stays(net):
    """491: again after a while, with the target's ACK still due."""
    caller, callee = up(net)
    target = begin(net, caller)
    answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
    net.core.reply(net.core.expect("INVITE"), 491, tag=callee.local_tag)
    net.core.expect("ACK")
    again = net.core.expect("INVITE")
    net.core.reply(again, 200, body=sdp(net.core, formats=(8,)), tag=callee.local_tag)
    net.core.expect("ACK")
    net.core.expect("ACK")
    told(caller, 200, True)
    net.access.reply(net.access.expect("BYE"), 200)
    bye(net, callee, target)


@options(**RESOLVE)
def test_who_stays_is_busy_with_an_offer(net):
    """It has a re-INVITE open when the target answers: first that, then the target's offer."""
    caller, callee = up(net)
    target = begin(net, caller)
    callee.send_invite(sdp(net.core, "sendonly"))
    hold = net.access.expect("INVITE")
    answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
    net.core.nothing("INVITE", 0.3)
    net.access.reply(hold, 200, body=sdp(net.access, "recvonly"), tag=caller.local_tag)
    callee.ack(net.core.expect("200 INVITE"))
    net.access.expect("ACK")
    again = net.core.expect("INVITE")
    assert formats_of(again.body) == [(8,)]
    net.core.reply(again, 200, body=sdp(net.core, formats=(8,)), tag=callee.local_tag)
    net.core.expect("ACK")
    net.core.expect("ACK")
    told(caller, 200, True, caller.cseq)
    net.access.reply(net.access.expect("BYE"), 200)
    bye(net, callee, target)


@options(**RESOLVE)
@pytest.mark.parametrize("succeeds", [True, False])
def test_transferor_hangs_up_at_once(net, succeeds):
    """The call is the others' from its REFER on; should nothing come of it, it ends."""
    caller, callee = up(net)
    target = begin(net, caller)
    number = caller.cseq
    caller.bye()
    net.access.expect("200 BYE")
    net.core.nothing("BYE", 0.2)
    if succeeds:
        answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
        net.core.reply(net.core.expect("INVITE"), 200, body=sdp(net.core, formats=(8,)), tag=callee.local_tag)
        net.core.expect("ACK")
        net.core.expect("ACK")
        told(caller, 200, True, number)
        bye(net, callee, target)
    else:
        target.reply(486)
        net.core.expect("ACK")
        told(caller, 486, True, number)
        net.core.reply(net.core.expect("BYE"), 200)
        net.gateway.wait_idle()


@options(**RESOLVE)
@pytest.mark.parametrize("when", ["ringing", "answered", "meeting", "200 crosses"])
def test_the_other_side_hangs_up(net, when):
    """The target is given up, and the transferor told. What the target has offered is answered with nothing."""
    caller, callee = up(net)
    target = begin(net, caller)
    target.reply(180)
    told(caller, 180, False)
    if when == "answered":  # it cannot be asked yet
        callee.send_invite(sdp(net.core, "sendonly"))
        net.access.expect("INVITE")
        answered(net, caller, target)
        net.gateway.wait_event("state", tag="dialog", to="answered", dialog=3)
    if when == "meeting":
        answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
        net.core.expect("INVITE")
    callee.bye()
    net.core.expect("200 BYE")
    told(caller, 487, True)
    net.access.reply(net.access.expect("BYE"), 200)
    if when == "ringing":
        net.core.reply(net.core.expect("CANCEL"), 200)
        target.reply(487)
        net.core.expect("ACK")
    elif when == "200 crosses":
        net.core.expect("CANCEL")
        answered(net, caller, target)
    if when != "ringing":
        ack = net.core.expect("ACK")
        assert ack.get("Call-ID") == target.call_id and ports_of(ack.body) == [0]
        net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


@options(**RESOLVE)
def test_no_answer(net):
    """Timer C: CANCEL, and the transferor is told."""
    caller, callee = up(net)
    target = begin(net, caller)
    target.reply(180)
    told(caller, 180, False)
    net.gateway.counts()  # its timer is set
    net.gateway.advance(61)
    net.core.reply(net.core.expect("CANCEL"), 200)
    target.reply(487)
    net.core.expect("ACK")
    told(caller, 487, True)
    assert not net.gateway.events("call ended")
    finish(net, caller, callee)


@options(**RESOLVE)
def test_target_that_is_silent(net):
    caller, callee = up(net)
    refer(caller)
    net.access.expect("202 REFER")
    told(caller, 100, False)
    net.core.expect("INVITE")
    notify = net.access.expect("NOTIFY", timeout=8)
    assert notify.body.startswith("SIP/2.0 504 ")
    net.access.reply(notify, 200)
    finish(net, caller, callee)


@options(**RESOLVE)
def test_second_refer_while_one_is_open(net):
    caller, callee = up(net)
    target = begin(net, caller)
    number = caller.cseq
    refer(caller, "201")
    net.access.expect("491 REFER")
    refer(callee, "202")
    net.core.expect("491 REFER")
    target.reply(486)
    net.core.expect("ACK")
    told(caller, 486, True, number)
    target = begin(net, caller, "203")  # again
    target.reply(486)
    net.core.expect("ACK")
    told(caller, 486, True)
    finish(net, caller, callee)


@options(**RESOLVE)
def test_while_a_reinvite_is_open(net):
    caller, callee = up(net)
    callee.send_invite(sdp(net.core, "sendonly"))
    invite = net.access.expect("INVITE")
    refer(caller)
    net.access.expect("491 REFER")
    net.access.reply(invite, 200, body=sdp(net.access, "recvonly"), tag=caller.local_tag)
    callee.ack(net.core.expect("200 INVITE"))
    net.access.expect("ACK")
    finish(net, caller, callee)


@options(**RESOLVE)
def test_no_route(net):
    """It is refused at once. The core has no peer for such a user."""
    caller, callee = up(net)
    caller.send("REFER", headers=["Refer-To: <tel:+4912>"])
    net.access.expect("416 REFER")
    caller.send("REFER")
    net.access.expect("400 REFER")
    finish(net, caller, callee)


@options(**RESOLVE)
def test_without_a_subscription(net):
    caller, callee = up(net)
    refer(caller, headers=["Refer-Sub: false"])
    assert net.access.expect("200 REFER").get("Refer-Sub") == "false"
    target = Far(net.core, net.core.expect("INVITE"))
    answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
    net.core.reply(net.core.expect("INVITE"), 200, body=sdp(net.core, formats=(8,)), tag=callee.local_tag)
    net.core.expect("ACK")
    net.core.expect("ACK")
    net.access.reply(net.access.expect("BYE"), 200)
    net.access.nothing("NOTIFY", 0.1)
    bye(net, callee, target)


@options(**RESOLVE)
def test_nobody_wants_to_know(net):
    """481 to a NOTIFY: the transfer goes on without."""
    caller, callee = up(net)
    refer(caller)
    net.access.expect("202 REFER")
    net.access.reply(net.access.expect("NOTIFY"), 481)
    target = Far(net.core, net.core.expect("INVITE"))
    target.reply(180)
    answered(net, caller, target, sdp(net.core, formats=(8,), port=52000))
    net.core.reply(net.core.expect("INVITE"), 200, body=sdp(net.core, formats=(8,)), tag=callee.local_tag)
    net.core.expect("ACK")
    net.core.expect("ACK")
    net.access.reply(net.access.expect("BYE"), 200)
    net.access.nothing("NOTIFY", 0.1)
    bye(net, callee, target)


@options(**RESOLVE)
def test_from_hand_to_hand(net):
    """Twenty times, each side in its turn: what has left leaves nothing."""
    caller, callee = up(net)
    ends = [caller, callee]
    for turn in range(20):
        leaver, stays = ends[turn % 2], ends[1 - turn % 2]
        target = begin(net, leaver)
        answered(net, leaver, target, sdp(target.peer, formats=(0,) if turn % 2 else (8,), port=52000 + 2 * turn))
        again = stays.peer.expect("INVITE")
        assert again.get("Call-ID") == stays.call_id
        stays.peer.reply(again, 200, body=sdp(stays.peer, formats=formats_of(again.body)[0]), tag=stays.local_tag)
        target.peer.expect("ACK")
        stays.peer.expect("ACK")
        told(leaver, 200, True)
        leaver.peer.reply(leaver.peer.expect("BYE"), 200)
        ends[turn % 2] = target
        counts = net.gateway.counts()
        assert counts["seats"] == 2 and counts["sessions"] == 1 and counts["dialogs"] <= 6
    bye(net, ends[0], ends[1])


VIDEO = "m=video {port} RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\na=sendrecv\r\n"


@options(**RESOLVE)
@pytest.mark.parametrize("offers", ["audio alone", "video first", "video alone"])
def test_lines_by_their_kind(net, offers):
    """The staying side's lines stay in their places, whatever the target has, and in which order."""
    caller, callee = ring(net, [WITH_REFER], sdp(net.access) + VIDEO.format(port=40002))
    callee.reply(200, "OK", sdp(net.core) + VIDEO.format(port=50002), [WITH_REFER])
    ok = net.access.expect("200 INVITE")
    net.core.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    target = begin(net, caller)
    audio, video = sdp(net.core, formats=(8,), port=52000), VIDEO.format(port=52002)
    head, line = audio[:audio.index("m=")], audio[audio.index("m="):]
    answered(net, caller, target, {"audio alone": audio, "video first": head + video + line, "video alone": head + video}[offers])
    again = net.core.expect("INVITE")
    kinds = [x.split()[0] for x in again.body.split("\r\n") if x.startswith("m=")]
    before, now = ports_of(callee.invite.body), ports_of(again.body)
    assert kinds == ["m=audio", "m=video"]
    assert now == [before[0] if offers != "video alone" else 0, before[1] if offers != "audio alone" else 0]
    answer = (sdp(net.core) + VIDEO.format(port=50002))
    if offers == "audio alone":
        answer = answer.replace("m=video 50002", "m=video 0")
    elif offers == "video alone":
        answer = answer.replace("m=audio 50000", "m=audio 0")
    net.core.reply(again, 200, body=answer, tag=callee.local_tag)
    acks = [net.core.expect("ACK"), net.core.expect("ACK")]
    body = [a.body for a in acks if a.body][0]
    assert len(ports_of(body)) == (2 if offers == "video first" else 1) and 0 not in ports_of(body)
    told(caller, 200, True)
    net.access.reply(net.access.expect("BYE"), 200)
    assert net.gateway.counts()["seats"] == (4 if offers == "video first" else 2)
    bye(net, callee, target)


# Attended: the target is at the other end of a second call of who transfers


def name_of(dialog):
    """As whoever is to look for it at the gateway sees this dialog of a peer."""
    local, remote = (re.search(r";tag=([^;>]+)", text).group(1) for text in (dialog.remote, dialog.local))
    return f"{dialog.call_id};to-tag={local};from-tag={remote}"


def two_calls(net, by_caller, side="access"):
    """Of one end with two others: its dialogs, and theirs."""
    found = []
    for _ in range(2):
        caller, callee = exchange.up(net, WITH_REFER, WITH_REFER, side=side)
        found.append(two_ends(caller, callee, by_caller))
    return found


def consult(net, one, two, second, naming="Replaces"):
    """The REFER is accepted, and the other end of the second call asked to replace that."""
    one.send("REFER", headers=[f"Refer-To: <{two.target}?{naming}={quote(name_of(two))}>"])
    one.peer.expect("202 REFER")
    told(one, 100, False)
    invite = second.peer.expect("INVITE")
    local, remote = (re.search(r";tag=([^;>]+)", text).group(1) for text in (second.local, second.remote))
    assert invite.get(naming) == f"{second.call_id};to-tag={local};from-tag={remote}"
    assert invite.get("Require") == naming.lower() and invite.body == ""
    assert invite.first.split()[1] == second.peer.contact()[1:-1]
    return Far(second.peer, invite)


@options(**RESOLVE)
@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("side", ["access", "core"])
@pytest.mark.parametrize("target_hangs_up", [True, False])
def test_attended(net, by_caller, side, target_hangs_up):
    (one, first), (two, second) = two_calls(net, by_caller, side)
    port = net.gateway.events("plan line", session=1)[-1 if by_caller else -2]["local"]
    target = consult(net, one, two, second)
    answered(net, one, target, sdp(target.peer, formats=(8,), port=52000))
    again = first.peer.expect("INVITE")
    assert again.get("Call-ID") == first.call_id and formats_of(again.body) == [(8,)]
    if target_hangs_up:
        second.bye()
        second.peer.expect("200 BYE")
        two.peer.reply(two.peer.expect("BYE"), 200)
    first.peer.reply(again, 200, body=sdp(first.peer, formats=(8,)), tag=first.local_tag)
    acks = [first.peer.expect("ACK"), target.peer.expect("ACK")]
    assert [formats_of(a.body) for a in acks if a.body] == [[(8,)]]
    told(one, 200, True)
    for _ in range(1 if target_hangs_up else 2):  # both legs of who transferred
        one.peer.reply(one.peer.expect("BYE"), 200)
    if not target_hangs_up:
        old = second.peer.expect("BYE")
        assert old.get("Call-ID") == second.call_id
        second.peer.reply(old, 200)
    last = net.gateway.events("plan line", session=1)[-1 if by_caller else -2]
    assert last["local"] == port and last["agreed"]  # what stays has its port
    net.gateway.wait_event("call transferred")
    bye(net, first, target)


@options(**RESOLVE)
@pytest.mark.parametrize("status, said", [(420, 500), (481, 480), (603, 603)])
def test_attended_refused(net, status, said):
    """Both calls go on."""
    (one, first), (two, second) = two_calls(net, True)
    target = consult(net, one, two, second)
    target.reply(status, headers=["Unsupported: replaces"])
    target.peer.expect("ACK")
    told(one, said, True)
    assert not net.gateway.events("call ended") and net.gateway.counts()["seats"] == 4
    for near, far in ((one, first), (two, second)):
        near.bye()
        far.peer.reply(far.peer.expect("BYE"), 200)
        near.peer.expect("200 BYE")
    net.gateway.wait_idle()


@options(**RESOLVE)
def test_attended_second_call_ends_before(net):
    """The target hangs up what it was to replace, then refuses: the first call goes on."""
    (one, first), (two, second) = two_calls(net, True)
    target = consult(net, one, two, second)
    second.bye()
    second.peer.expect("200 BYE")
    two.peer.reply(two.peer.expect("BYE"), 200)
    target.reply(481)
    target.peer.expect("ACK")
    told(one, 480, True)
    bye(net, one, first)


@options(**RESOLVE)
def test_attended_with_what_is_not_his(net):
    """Nobody can take over a call by its name but who is in it."""
    net.mixes = True
    (one, first), (two, second) = two_calls(net, True)
    first.send("REFER", headers=[f"Refer-To: <sip:1@1.1.1.1?Replaces={quote(name_of(two))}>"])
    first.peer.expect("403 REFER")
    one.send("REFER", headers=[f"Refer-To: <sip:1@1.1.1.1?Replaces={quote(name_of(one))}>"])  # with himself
    one.peer.expect("403 REFER")
    one.send("REFER", headers=["Refer-To: <sip:1@1.1.1.1?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>"])  # not of ours
    one.peer.expect("481 REFER")
    for near, far in ((one, first), (two, second)):
        near.bye()
        far.peer.reply(far.peer.expect("BYE"), 200)
        near.peer.expect("200 BYE")
    net.gateway.wait_idle()


# What the one that transfers has left behind


def taken_over(net, stays, target, meanwhile=lambda: None):
    """The target answers, and is the other end of who stays."""
    answered(net, None, target, sdp(target.peer, formats=(8,), port=52000))
    again = stays.peer.expect("INVITE")
    meanwhile()
    stays.peer.reply(again, 200, body=sdp(stays.peer, formats=(8,)), tag=stays.local_tag)
    acks = [stays.peer.expect("ACK"), target.peer.expect("ACK")]
    assert [formats_of(a.body) for a in acks if a.body] == [[(8,)]]


def advance(net, seconds):
    """Once the gateway has taken what both have said so far: it answers what comes behind that."""
    for side, peer in (("access", net.access), ("core", net.core)):
        net.caller(side).send("OPTIONS")
        peer.expect("200 OPTIONS")
    net.gateway.advance(seconds)


def timed(net, near, far=(WITH_REFER,)):
    """A call whose caller says this of its session."""
    caller, callee = ring(net, list(near))
    callee.reply(200, "OK", sdp(callee.peer), list(far))
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    return caller, callee


TIMED = dict(access_policy="transfer=resolve", core_policy="transfer=resolve,expires=0", t1=500)  # no transaction ends meanwhile


@options(**TIMED)
@pytest.mark.parametrize("when", ["meeting", "over"])
def test_refresh_is_due_for_who_has_gone(net, when):
    """It does not say that it has UPDATE, so that would be a re-INVITE with what the other side said last: it has no other side."""
    caller, callee = timed(net, [OLD + ", REFER, NOTIFY"])
    advance(net, 885)  # of 900
    target = begin(net, caller)
    taken_over(net, callee, target, (lambda: advance(net, 18)) if when == "meeting" else lambda: None)
    final = net.access.expect("NOTIFY")
    if when == "over":
        advance(net, 18)
    net.access.nothing("INVITE", 0.1)
    net.access.reply(final, 200)
    net.access.reply(net.access.expect("BYE"), 200)
    bye(net, callee, target)


@options(**TIMED)
@pytest.mark.parametrize("how", ["expires", 408, 481])
def test_session_of_who_has_gone_expires(net, how):
    """The call is the others'."""
    refresher = "uac" if how == "expires" else "uas"
    caller, callee = timed(net, [WITH_REFER, f"Session-Expires: 600;refresher={refresher}", "Supported: timer"])
    advance(net, 555 if how == "expires" else 285)  # of 600 - 32, or of 600 / 2
    target = begin(net, caller)
    if how != "expires":
        advance(net, 18)
        update = net.access.expect("UPDATE")
    taken_over(net, callee, target)
    final = net.access.expect("NOTIFY")
    if how == "expires":
        advance(net, 18)
    else:
        net.access.reply(update, how, tag=caller.local_tag)
        advance(net, 1)
    assert not net.gateway.events("session expired") and not net.gateway.events("call ended")
    net.access.reply(final, 200)
    net.access.reply(net.access.expect("BYE"), 200)
    bye(net, callee, target)


@options(**RESOLVE)
@pytest.mark.parametrize("what", ["INVITE", "UPDATE", "INVITE that asks"])
@pytest.mark.parametrize("taken", [True, False])
def test_transferor_hangs_up_with_a_request_open(net, what, taken):
    """It has its 487. What the other side answers goes nowhere, and the transfer goes on."""
    caller, callee = up(net)
    target = begin(net, caller)
    number = caller.cseq
    method = what.split()[0]
    if method == "UPDATE":
        caller.send("UPDATE", sdp(net.access, "sendonly"))
    else:
        caller.send_invite(None if "asks" in what else sdp(net.access, "sendonly"))
    carried = net.core.expect(method)
    caller.bye()
    net.access.expect(f"487 {method}")
    net.access.expect("200 BYE")
    body = sdp(net.core) if "asks" in what else sdp(net.core, "recvonly")
    net.core.reply(carried, 200 if taken else 488, body=body if taken else None, tag=callee.local_tag)
    if method == "INVITE":
        ack = net.core.expect("ACK")
        assert ports_of(ack.body) == (ports_of(callee.invite.body) if taken and "asks" in what else [])
    target.reply(180)
    net.access.reply(net.access.expect("NOTIFY"), 200)
    taken_over(net, callee, target)
    told(caller, 200, True, number)
    bye(net, callee, target)


@options(**RESOLVE)
def test_transferor_hangs_up_for_an_ack(net):
    """It has asked for an offer, and does not answer it: what it said before is the answer."""
    caller, callee = up(net)
    target = begin(net, caller)
    number = caller.cseq
    caller.send_invite()
    net.core.reply(net.core.expect("INVITE"), 200, body=sdp(net.core), tag=callee.local_tag)
    net.access.expect("200 INVITE")
    caller.bye()
    net.access.expect("200 BYE")
    assert ports_of(net.core.expect("ACK").body) == ports_of(callee.invite.body)
    taken_over(net, callee, target)
    told(caller, 200, True, number)
    bye(net, callee, target)


@options(**RESOLVE)
@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("first", ["BYE", "INVITE"])
def test_who_stays_asks_one_that_has_gone(net, asks, first):
    """It is told to try again: the target takes that place."""
    caller, callee = up(net)
    target = begin(net, caller)
    number = caller.cseq
    if first == "BYE":
        caller.bye()
        net.access.expect("200 BYE")
        callee.send_invite(None if asks else sdp(net.core, "sendonly"))
    else:
        callee.send_invite(None if asks else sdp(net.core, "sendonly"))
        net.access.expect("INVITE")
        caller.bye()
        net.access.expect("200 BYE")
    callee.ack(net.core.expect("491 INVITE"))
    net.access.nothing("INVITE", 0.05)
    taken_over(net, callee, target)
    told(caller, 200, True, number)
    bye(net, callee, target)


@options(**RESOLVE)
@pytest.mark.parametrize("tag", ["none", "too long"])
def test_target_answers_without_a_dialog(net, tag):
    """There is nobody to acknowledge it to: the old call goes on."""
    caller, callee = up(net)
    target = begin(net, caller)
    to = target.invite.get("To") + (f";tag={'t' * 300}" if tag == "too long" else "")
    lines = ["SIP/2.0 200 OK", *(f"Via: {v}" for v in target.invite.all("Via")), f"From: {target.invite.get('From')}",
             f"To: {to}", f"Call-ID: {target.call_id}", f"CSeq: {target.invite.get('CSeq')}", f"Contact: {net.core.contact()}",
             "Content-Type: application/sdp"]
    body = sdp(net.core, port=52000)
    net.core.send_text("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body, target.invite.source)
    told(caller, 500, True)
    net.core.nothing("INVITE", 0.05)
    finish(net, caller, callee)
