# SPDX-License-Identifier: GPL-3.0-or-later
"""A call after the death of the process that held it: whatever could be done with it before can be done after."""
import re

import exchange
import pytest
import test_downgrade as keyed
from conftest import options
from exchange import ALLOW, OLD, direction_of, finish, formats_of, lines, ports_of, ring, sdp
from peer import Peer
from test_session_timer import ended, quiet
from test_update import WAYS, offer


def restart(net, times=1):
    for _ in range(times):
        assert net.gateway.ask("restart") == "restarted"
    assert len(net.gateway.events("call restored")) == times


def origin(body):
    return re.search(r"^o=\S+ (\d+) (\d+) ", body, re.M).groups()


def same_but_version(a, b):
    return re.sub(r"(?m)^(o=\S+ \d+) \d+", r"\1", a) == re.sub(r"(?m)^(o=\S+ \d+) \d+", r"\1", b)


def told(net):
    return [(x["dialog"], x["local"], x["remote"], x["send"], x["receive"], x["agreed"], x["mechanism"], x["suite"], x["mux"])
            for x in net.gateway.events("plan line")[-2:]]


def cseq(message):
    return int(message.get("CSeq").split()[0])


def up(net, *args, **more):
    caller, callee = exchange.up(net, *args, **more)
    callee.peer.returned.add(re.search(r";branch=([^;,\s]+)", callee.invite.get("Via")).group(1))
    return caller, callee


def sides(net, by_caller, near=ALLOW, far=ALLOW):
    caller, callee = up(net, near if by_caller else far, far if by_caller else near)
    return (caller, callee, caller, callee) if by_caller else (callee, caller, caller, callee)


def final(dialog, method):
    """The 2xx to its newest request; those before may have come again."""
    while True:
        response = dialog.peer.expect(f"200 {method}")
        if cseq(response) == dialog.cseq:
            return response


def accept(first, second, method, onward, answer):
    asked = second.peer.expect(onward)
    second.peer.reply(asked, 200, "OK", answer, tag=second.local_tag)
    while onward == "INVITE" and cseq(second.peer.expect("ACK")) != cseq(asked):
        pass
    ok = final(first, method)
    if method == "INVITE":
        first.ack(ok)
    return asked, ok


either = pytest.mark.parametrize("by_caller", [True, False], ids=["caller", "callee"])
ways = pytest.mark.parametrize("method, far, onward", WAYS, ids=["reinvite", "update", "update-as-reinvite"])


@ways
@either
@pytest.mark.parametrize("net", [{}, {"transport": "tcp"}], indirect=True, ids=["udp", "tcp"])
def test_hold_and_resume(net, method, far, onward, by_caller):
    first, second, caller, callee = sides(net, by_caller, far=far)
    before = told(net)
    restart(net)
    assert told(net) == before, "the media side is told the same once more"
    was = None
    for direction, other in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
        offer(first, method, sdp(first.peer, direction))
        asked, ok = accept(first, second, method, onward, sdp(second.peer, other))
        assert asked.get("Call-ID") == second.call_id and direction_of(asked.body) == direction
        assert direction_of(ok.body) == other and formats_of(asked.body) == [(0, 8)]
        now = origin(asked.body)
        assert was is None or (now[0] == was[0] and int(now[1]) == int(was[1]) + 1)
        was = now
    assert told(net) == before
    finish(net, caller, callee)


def test_versions_go_on(net):
    """RFC 3264 section 8: o= keeps its identifier, and its version grows by one; the request's number grows as well."""
    caller, callee = up(net)
    invite, (number, version) = callee.invite, origin(callee.invite.body)
    restart(net)
    offer(caller, "INVITE", sdp(caller.peer, "sendonly"))
    asked, _ = accept(caller, callee, "INVITE", "INVITE", sdp(callee.peer, "recvonly"))
    assert origin(asked.body) == (number, str(int(version) + 1)) and cseq(asked) > cseq(invite)
    assert ports_of(asked.body) == ports_of(invite.body)
    restart_again = cseq(asked)
    assert net.gateway.ask("restart") == "restarted"
    offer(caller, "INVITE", sdp(caller.peer))
    asked, _ = accept(caller, callee, "INVITE", "INVITE", sdp(callee.peer))
    assert origin(asked.body) == (number, str(int(version) + 2)) and cseq(asked) > restart_again
    finish(net, caller, callee)


@either
def test_a_refresh_is_answered_here(net, by_caller):
    """An offer with nothing new does not cross, and is answered by what was said before, o= line and all."""
    caller, callee = up(net, offer=sdp(net.access, version=5), answer=sdp(net.core, version=6))
    first, other = (caller, net.core) if by_caller else (callee, net.access)
    said = net.gateway.events("plan line")[-2:]
    restart(net)
    first.send_invite(sdp(first.peer, version=5 if by_caller else 6))
    ok = final(first, "INVITE")
    first.ack(ok)
    if not by_caller:
        assert ok.body == callee.invite.body
    other.nothing("INVITE", 0.1)
    assert [x["local"] for x in net.gateway.events("plan line")[-2:]] == [x["local"] for x in said]
    finish(net, caller, callee)


def test_many_lives(net):
    """Each life skips the numbers of requests that the one before may have used, also when it sent none itself."""
    caller, callee = up(net)
    seen = cseq(callee.invite)
    for life in range(1, 4):
        assert net.gateway.ask("restart") == "restarted"
        caller.send("INFO", headers=["Info-Package: x"])
        info = callee.peer.expect("INFO")
        callee.peer.reply(info, 200, tag=callee.local_tag)
        caller.peer.expect("200 INFO")
        assert cseq(info) > seen
        seen = cseq(info)
    assert seen > 3000
    finish(net, caller, callee)


@either
def test_asked_for_an_offer(net, by_caller):
    first, second, caller, callee = sides(net, by_caller)
    restart(net)
    first.send_invite(None)
    asked = second.peer.expect("INVITE")
    assert asked.body == ""
    second.peer.reply(asked, 200, "OK", sdp(second.peer, formats=(8,)), tag=second.local_tag)
    ok = final(first, "INVITE")
    assert formats_of(ok.body) == [(8,)]
    first.ack(ok, sdp(first.peer, formats=(8,)))
    assert formats_of(second.peer.expect("ACK").body) == [(8,)]
    finish(net, caller, callee)


def test_lines_come_and_go(net):
    """A call with a line that was refused, on hold: both outlive the restart, and lines are added and taken away after."""
    caller, callee = up(net, offer=sdp(net.access, lines=2), answer=sdp(net.core, lines=2).replace("m=audio 50002", "m=audio 0"))
    offer(caller, "INVITE", sdp(caller.peer, "inactive", lines=2))
    accept(caller, callee, "INVITE", "INVITE", sdp(callee.peer, "inactive", lines=2).replace("m=audio 50002", "m=audio 0"))
    restart(net)
    assert net.gateway.counts()["seats"] == 2
    offer(caller, "INVITE", sdp(caller.peer, lines=3))
    asked, ok = accept(caller, callee, "INVITE", "INVITE", sdp(callee.peer, lines=3))
    assert len(ports_of(asked.body)) == 3 and all(ports_of(asked.body)) and all(ports_of(ok.body))
    assert net.gateway.counts()["seats"] == 6
    assert net.gateway.ask("restart") == "restarted"
    offer(callee, "INVITE", sdp(callee.peer, lines=3).replace("m=audio 50000", "m=audio 0"))
    asked, ok = accept(callee, caller, "INVITE", "INVITE", sdp(caller.peer, lines=3).replace("m=audio 40000", "m=audio 0"))
    assert [p > 0 for p in ports_of(asked.body)] == [False, True, True] == [p > 0 for p in ports_of(ok.body)]
    assert net.gateway.counts()["seats"] == 4
    finish(net, caller, callee)


def keys_of(body):
    return re.findall(r"a=(?:crypto|fingerprint|setup|tls-id):.*", body)


@either
@options(access_profile="any")
@pytest.mark.parametrize("proto, extra", [("RTP/SAVP", [keyed.crypto(0)]), (keyed.DTLS, [keyed.SHA256, "setup:actpass"])],
                         ids=["sdes", "dtls"])
def test_keys_stay(net, proto, extra, by_caller):
    caller, callee, ok = keyed.call_up(net, keyed.sdp(net, "access", proto, *extra))
    before = told(net)
    restart(net)
    assert told(net) == before
    assert [x["changing"] or x["confirm"] != "confirmed" for x in net.gateway.events("plan line")[-2:]] == [False, False]
    phone = keyed.sdp(net, "access", proto, *extra, "sendonly" if by_caller else "recvonly", version=2)
    pbx = keyed.sdp(net, "core", "RTP/AVP", "recvonly" if by_caller else "sendonly", version=2)
    if by_caller:
        _, said = keyed.reinvite(net, caller, callee, phone, pbx)
    else:
        said, _ = keyed.reinvite(net, callee, caller, pbx, phone.replace("setup:actpass", "setup:active"))
    was, now = ([k for k in keys_of(x.body) if "setup" not in k] for x in (ok, said))
    assert was and now[:len(was)] == was, "neither key nor association is another one"
    finish(net, caller, callee)


@options(access_profile="sdes")
def test_no_key_in_a_kept_description(net):
    """The record has the keys that are in force, and of what was offered beside them nothing."""
    offered = keyed.sdp(net, "access", "RTP/SAVP", keyed.crypto(0), keyed.crypto(1, tag=2))
    caller, callee, ok = keyed.call_up(net, offered)
    session = net.gateway.wait_event("call leg out")["session"]
    kept = bytes.fromhex(net.gateway.ask(f"record {session}").split()[-1])
    assert b"m=audio" in kept and b"crypto" not in kept and b"inline" not in kept
    finish(net, caller, callee)


UPDATE = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"


def timed(net, far, allow):
    caller, callee = ring(net, [UPDATE])
    callee.peer.returned.add(re.search(r";branch=([^;,\s]+)", callee.invite.get("Via")).group(1))
    callee.reply(200, "OK", sdp(callee.peer), [allow, *far])
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    return caller, callee


@options(access_policy="expires=0")
@pytest.mark.parametrize("allow, method", [(UPDATE, "UPDATE"), (OLD, "INVITE")])
def test_we_go_on_refreshing(net, allow, method):
    """In time, counted from the last refresh before the death; and again."""
    caller, callee = timed(net, ["Session-Expires: 1200;refresher=uac", "Require: timer"], allow)
    net.gateway.advance(400)
    restart(net)
    net.gateway.advance(190)
    quiet(net)
    for seconds in (11, 601):
        net.gateway.advance(seconds)
        asked = net.core.expect(method)
        assert asked.get("Session-Expires") == "1200;refresher=uac"
        if method == "INVITE":
            assert asked.body == callee.invite.body
        net.core.reply(asked, 200, "OK", sdp(net.core) if method == "INVITE" else None, callee.local_tag,
                       ["Session-Expires: 1200;refresher=uac"])
        if method == "INVITE":
            net.core.expect("ACK")
        net.gateway.events("session timer")
    net.access.nothing("INVITE", 0.05)
    finish(net, caller, callee)


@options(access_policy="expires=0")
def test_refresh_that_fell_due_meanwhile(net):
    caller, callee = timed(net, ["Session-Expires: 1200;refresher=uac", "Require: timer"], UPDATE)
    net.gateway.advance(590)
    restart(net)
    net.gateway.advance(20)
    net.core.reply(net.core.expect("UPDATE"), 200, "OK", None, callee.local_tag, ["Session-Expires: 1200;refresher=uac"])
    net.gateway.events("session timer")
    finish(net, caller, callee)


@options(access_policy="expires=0")
def test_peer_does_not_refresh(net):
    caller, callee = timed(net, ["Session-Expires: 1800;refresher=uas", "Require: timer"], UPDATE)
    net.gateway.advance(1000)
    restart(net)
    net.gateway.advance(755)
    quiet(net)
    net.gateway.advance(14)
    ended(net, caller, callee, cause="the peer did not refresh")


@options(access_policy="expires=0")
def test_peer_that_refreshed_before_the_death(net):
    """By an UPDATE that changed nothing else: the record knows of it all the same."""
    caller, callee = timed(net, ["Session-Expires: 1800;refresher=uas", "Require: timer"], UPDATE)
    net.gateway.advance(1000)
    callee.send("UPDATE", headers=["Session-Expires: 1800;refresher=uac", "Supported: timer"])
    net.core.expect("200 UPDATE")
    restart(net)
    net.gateway.advance(1700)
    quiet(net)
    callee.send("UPDATE", headers=["Session-Expires: 1800;refresher=uac", "Supported: timer"])
    assert net.core.expect("200 UPDATE").get("Session-Expires") == "1800;refresher=uac"
    net.gateway.advance(1755)
    quiet(net)
    net.gateway.advance(14)
    ended(net, caller, callee, cause="the peer did not refresh")


def test_descriptions_that_do_not_fit(net):
    """The call goes on and can be ended. That it cannot be changed is said when it is recorded, and when it is taken up."""
    caller, callee = up(net, offer=sdp(net.access, more=[f"x-{i}:{'v' * 200}" for i in range(90)]))
    net.gateway.wait_event("descriptions too large for the record")
    restart(net, 2)
    assert len(net.gateway.events("call restored without its descriptions")) == 2
    for dialog in (caller, callee):
        dialog.send_invite(sdp(dialog.peer, "sendonly"))
        dialog.ack(dialog.peer.expect("488 INVITE"))
        dialog.send("UPDATE", sdp(dialog.peer, "sendonly"))
        dialog.peer.expect("488 UPDATE")
        dialog.send("UPDATE")
        dialog.peer.expect("200 UPDATE")
    finish(net, caller, callee)


def test_a_long_route_set(net):
    """Twelve proxies that record their routes, as networks of carriers have them: BYE takes all of them, in order."""
    routes = [f"<sip:{net.access.host}:{net.access.port};lr>"]
    routes += [f"<sip:proxy-{i}.{'carrier' * 9}.example:5060;transport=udp;lr;ftag=0123456789abcdef;did={i:x}>" for i in range(11)]
    assert sum(map(len, routes)) > 1000
    caller, callee = ring(net, [f"Record-Route: {route}" for route in routes])
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    restart(net)
    callee.bye()
    bye = caller.peer.expect("BYE")
    assert ", ".join(bye.all("Route")).replace(" ", "") == ",".join(routes)
    caller.peer.reply(bye, 200)
    callee.peer.expect("200 BYE")
    net.gateway.wait_idle()


def test_before_the_ack(net):
    """Our 2xx may have been lost with the process, which repeats it no more: an ACK, or whatever else comes, says that it was not."""
    caller, callee = ring(net)
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    restart(net)
    caller.ack(ok)
    net.gateway.wait_event("answer has arrived")
    net.gateway.advance(10)
    quiet(net)
    offer(caller, "INVITE", sdp(caller.peer, "sendonly"))
    accept(caller, callee, "INVITE", "INVITE", sdp(callee.peer, "recvonly"))
    finish(net, caller, callee)


def test_the_ack_never_comes(net):
    caller, callee = ring(net)
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    restart(net)
    net.gateway.advance(4)  # 64 * T1 are 3.2 s here
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    assert net.gateway.wait_event("call ended")["cause"] == "no ACK for the answer"
    net.gateway.wait_idle()


def test_before_an_offer_was_answered(net):
    """The far side has offered in its 200, and the caller's answer has not come: there is nothing to go on with."""
    caller, callee = ring(net, body=None)
    callee.reply(200, "OK", sdp(callee.peer), [ALLOW])
    caller.peer.expect("200 INVITE")
    assert net.gateway.ask("restart") == "restarted"
    for dialog in (caller, callee):
        dialog.peer.reply(dialog.peer.expect("BYE"), 200)
    assert net.gateway.wait_event("call ended")["cause"] == "restarted before it was up"
    net.gateway.wait_idle()


def answer_in_place(net, second, asked, method, body):
    """A 200 to what the dead one sent: it is taken, and the change taken back. What the peer is told then."""
    second.peer.reply(asked, 200, "OK", body, tag=second.local_tag)
    if method == "INVITE":
        assert cseq(second.peer.expect("ACK")) == cseq(asked)
    back = second.peer.expect(method)
    assert cseq(back) > cseq(asked)
    return back


@either
@pytest.mark.parametrize("method, far", [("INVITE", OLD), ("UPDATE", ALLOW)])
def test_a_change_was_open(net, method, far, by_caller):
    """The other side answers it to the new process: that has the last stable pair, and says so."""
    first, second, caller, callee = sides(net, by_caller, far=far)
    before = told(net)
    offer(first, method, sdp(first.peer, "sendonly"))
    asked = second.peer.expect(method)
    restart(net)
    assert told(net) == before
    back = answer_in_place(net, second, asked, method, sdp(second.peer, "recvonly"))
    assert direction_of(back.body) == "sendrecv" and formats_of(back.body) == [(0, 8)]
    if method == "INVITE": # once more: the ACK was lost
        second.peer.reply(asked, 200, "OK", sdp(second.peer, "recvonly"), tag=second.local_tag)
        second.peer.expect("ACK")
    second.peer.reply(back, 200, "OK", sdp(second.peer), tag=second.local_tag)
    if method == "INVITE":
        while cseq(second.peer.expect("ACK")) != cseq(back):
            pass
    net.gateway.wait_event("state", tag="offer_answer", **{"from": "offer sent", "on": "receive answer", "dialog": before[by_caller][0]})
    assert len(net.gateway.events("change rolled back")) == 1 and told(net) == before
    offer(first, method, sdp(first.peer, "sendonly")) # what it wanted can be had
    asked = second.peer.expect(method)
    second.peer.reply(asked, 200, "OK", sdp(second.peer, "recvonly"), tag=second.local_tag)
    ok = final(first, method)
    if method == "INVITE":
        first.ack(ok)
    finish(net, caller, callee)


def asked_when_it_died(net, by_caller):
    """The first side's INVITE without a description has been carried to the second when control dies: it hears 500."""
    first, second, caller, callee = sides(net, by_caller, far=OLD, near=OLD)
    first.send_invite(None)
    asked = second.peer.expect("INVITE")
    assert asked.body == ""
    restart(net)
    first.ack(first.peer.expect("500 INVITE"))
    return first, second, caller, callee, asked


def ack_of(second, asked, body):
    second.peer.reply(asked, 200, "OK", body, tag=second.local_tag)
    ack = second.peer.expect("ACK")
    assert cseq(ack) == cseq(asked)
    return ack.body


@either
def test_an_offer_was_asked_for(net, by_caller):
    """RFC 3261 section 13.2.2.4: what the second side offers to the new process is answered in the ACK, by what the first one said last."""
    first, second, caller, callee, asked = asked_when_it_died(net, by_caller)
    before = told(net)
    body = sdp(second.peer)
    answer = ack_of(second, asked, body)
    assert formats_of(answer) == [(0, 8)] and direction_of(answer) == "sendrecv"
    assert before[by_caller][1].endswith(f":{ports_of(answer)[0]}"), before
    assert ack_of(second, asked, body) == answer, "the ACK was lost"
    assert told(net) == before and len(net.gateway.events("late offer answered")) == 1
    for dialog in (caller, callee):
        dialog.peer.nothing("INVITE", 0.1)
    finish(net, caller, callee)


@either
def test_an_offer_that_changes_was_asked_for(net, by_caller):
    """It holds the call: that is in force at once, and the first side is told by an offer of ours."""
    first, second, caller, callee, asked = asked_when_it_died(net, by_caller)
    assert direction_of(ack_of(second, asked, sdp(second.peer, "sendonly", formats=(8,)))) == "recvonly"
    onward = first.peer.expect("INVITE")
    assert direction_of(onward.body) == "sendonly" and formats_of(onward.body) == [(8,)]
    first.peer.reply(onward, 200, "OK", sdp(first.peer, "recvonly", formats=(8,)), tag=first.local_tag)
    while cseq(first.peer.expect("ACK")) != cseq(onward):
        pass
    net.gateway.wait_event("state", tag="offer_answer", **{"from": "offer sent", "on": "receive answer"})
    held = [(x["send"], x["receive"]) for x in lines(net)]
    assert held == ([(True, False), (False, True)] if by_caller else [(False, True), (True, False)])
    restart_and_resume(net, second, first)
    finish(net, caller, callee)


def restart_and_resume(net, first, second):
    """What was settled is in the record."""
    assert net.gateway.ask("restart") == "restarted"
    offer(first, "INVITE", sdp(first.peer))
    _, ok = accept(first, second, "INVITE", "INVITE", sdp(second.peer))
    assert direction_of(ok.body) == "sendrecv"


@either
def test_an_offer_that_cannot_be_taken_was_asked_for(net, by_caller):
    """It is declined, which is an answer too; then the peer hears what is in force, and the call goes on."""
    first, second, caller, callee, asked = asked_when_it_died(net, by_caller)
    before = told(net)
    declined = ack_of(second, asked, sdp(second.peer).replace("m=audio", "m=image").replace("RTP/AVP", "udptl"))
    assert ports_of(declined) == [0]
    back = second.peer.expect("INVITE")
    assert direction_of(back.body) == "sendrecv" and formats_of(back.body) == [(0, 8)]
    second.peer.reply(back, 200, "OK", sdp(second.peer), tag=second.local_tag)
    while cseq(second.peer.expect("ACK")) != cseq(back):
        pass
    assert told(net) == before
    finish(net, caller, callee)


@either
def test_a_change_is_repeated(net, by_caller):
    """Over UDP whoever asked asks again, and hears once more that it is to ask later; later it is served."""
    first, second, caller, callee = sides(net, by_caller, far=OLD)
    first.send_invite(sdp(first.peer, "sendonly"))
    second.peer.expect("INVITE")
    restart(net)
    first.peer.expect("500 INVITE")
    first.peer.send_text(first.invite_text)
    first.ack(first.peer.expect("500 INVITE"))
    first.send_invite(sdp(first.peer, "sendonly"))
    asked = second.peer.expect("INVITE")
    second.peer.reply(asked, 200, "OK", sdp(second.peer, "recvonly"), tag=second.local_tag)
    second.peer.expect("ACK")
    ok = final(first, "INVITE")
    assert direction_of(ok.body) == "recvonly"
    first.ack(ok)
    finish(net, caller, callee)


def test_a_change_was_answered_but_not_acknowledged(net):
    """Our 200 to a hold is out, its ACK comes to the new process: the hold is in force."""
    caller, callee = up(net)
    caller.send_invite(sdp(caller.peer, "sendonly"))
    asked = callee.peer.expect("INVITE")
    callee.peer.reply(asked, 200, "OK", sdp(callee.peer, "recvonly"), tag=callee.local_tag)
    ok = caller.peer.expect("200 INVITE")
    restart(net)
    caller.ack(ok)
    assert [(x["send"], x["receive"]) for x in net.gateway.events("plan line")[-2:]] == [(False, True), (True, False)]
    callee.peer.nothing("INVITE", 0.2)
    finish(net, caller, callee)


def test_a_stranger_s_answer(net):
    """Nobody but the dialog's peer moves a restored call by a late answer."""
    caller, callee = up(net, far=OLD)
    caller.send_invite(sdp(caller.peer, "sendonly"))
    asked = callee.peer.expect("INVITE")
    restart(net)
    stranger = Peer("127.0.2.9", gateway=net.core_gw)
    stranger.reply(asked, 200, "OK", sdp(callee.peer, "recvonly"), tag=callee.local_tag)
    net.access.reply(asked, 200, "OK", sdp(callee.peer, "recvonly"), tag=callee.local_tag)
    callee.peer.nothing("ACK", 0.3)
    stranger.close()
    assert not net.gateway.events("change rolled back")
    finish(net, caller, callee)
