# SPDX-License-Identifier: GPL-3.0-or-later
"""INVITE within a dialog: hold in its three forms, resume, new address, refusal and roll-back, glare."""
import pytest
from exchange import finish
from peer import Peer, sdp


def lines(net):
    return net.gateway.events("plan line")[-2:]


def reinvite(net, first, second, offer, answer):
    first.send_invite(offer)
    invite = second.peer.expect("INVITE")
    second.peer.reply(invite, 200, "OK", answer, tag=second.local_tag)
    ok = first.peer.expect("200 INVITE")
    second.peer.expect("ACK")
    first.ack(ok)
    return invite, ok


HOLDS = {
    "sendonly": (dict(direction="sendonly"), dict(direction="recvonly")),
    "inactive": (dict(direction="inactive"), dict(direction="inactive")),
    "address": (dict(connection="0.0.0.0"), dict(direction="sendrecv")),
}


@pytest.mark.parametrize("form", HOLDS)
@pytest.mark.parametrize("by_caller", [True, False])
def test_hold_and_resume(net, form, by_caller):
    caller, callee = net.call_up()
    first, second = (caller, callee) if by_caller else (callee, caller)
    here, there = first.peer.address, second.peer.address
    ports = (40000, 50000) if by_caller else (50000, 40000)
    ask, say = HOLDS[form]
    invite, _ = reinvite(net, first, second, sdp(here, ports[0], version=2, **ask), sdp(there, ports[1], version=2, **say))
    assert invite.get("Call-ID") == second.call_id
    held = {x["realm"]: x for x in lines(net)}
    mine = held[0 if first.peer is net.access else 1]
    other = held[1 if first.peer is net.access else 0]
    assert mine["send"] is False and other["receive"] is False
    assert mine["agreed"] and other["agreed"]
    seats = {x["realm"]: x["local"] for x in lines(net)}
    reinvite(net, first, second, sdp(here, ports[0], version=3), sdp(there, ports[1], version=3))
    assert all(x["send"] and x["receive"] for x in lines(net))
    assert {x["realm"]: x["local"] for x in lines(net)} == seats  # ports stay over the whole call
    finish(net, caller, callee)


def test_new_address(net):
    caller, callee = net.call_up()
    caller.send_invite(sdp("127.0.1.77", 41000, version=2))
    caller.ack(net.access.expect("200 INVITE"))
    net.core.nothing("INVITE", 0.1)  # where the caller is heard concerns this gateway alone
    assert lines(net)[0]["remote"] == "127.0.1.77:41000" and lines(net)[1]["remote"] == "127.0.2.1:50000"
    finish(net, caller, callee)


def test_version_grows_and_ports_stay(net):
    caller, callee = net.call_up()
    first = callee.invite.body
    invite, _ = reinvite(net, caller, callee, sdp(net.access.address, 40000, "sendonly", version=2),
                         sdp(net.core.address, 50000, "recvonly", version=2))

    def origin(body):
        return [line for line in body.split("\r\n") if line.startswith("o=")][0].split()

    assert origin(invite.body)[1] == origin(first)[1]
    assert int(origin(invite.body)[2]) == int(origin(first)[2]) + 1
    finish(net, caller, callee)


@pytest.mark.parametrize("status", [488, 491, 500, 603])
def test_refusal_rolls_back(net, status):
    caller, callee = net.call_up()
    before = [(x["local"], x["remote"], x["send"], x["receive"], x["agreed"]) for x in lines(net)]
    caller.send_invite(sdp("127.0.1.77", 41000, "sendonly", version=2))
    net.core.reply(net.core.expect("INVITE"), status, tag=callee.local_tag)
    caller.ack(net.access.expect(f"{status} INVITE"))
    net.core.expect("ACK")
    assert [(x["local"], x["remote"], x["send"], x["receive"], x["agreed"]) for x in lines(net)] == before
    reinvite(net, caller, callee, sdp(net.access.address, 40000, "recvonly", version=3),
             sdp(net.core.address, 50000, "sendonly", version=3))
    finish(net, caller, callee)


def test_description_that_cannot_be_read(net):
    caller, callee = net.call_up()
    plans = net.gateway.counts()["plans"]
    caller.send_invite("nonsense")
    caller.ack(net.access.expect("400 INVITE"))
    net.core.nothing("INVITE", 0.1)
    assert net.gateway.counts()["plans"] == plans
    finish(net, caller, callee)


def test_glare_both_sides_at_once(net):
    """Both sides send; ours to the one that sent is refused by it, its own is refused by us (491 both ways)."""
    caller, callee = net.call_up()
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    invite = net.core.expect("INVITE")
    callee.send_invite(sdp(net.core.address, 50000, "sendonly", version=2))
    callee.ack(net.core.expect("491 INVITE"))
    net.core.reply(invite, 491, tag=callee.local_tag)
    caller.ack(net.access.expect("491 INVITE"))
    net.core.expect("ACK")
    reinvite(net, callee, caller, sdp(net.core.address, 50000, "sendonly", version=3),
             sdp(net.access.address, 40000, "recvonly", version=3))
    finish(net, caller, callee)


def test_second_from_the_same_side(net):
    caller, callee = net.call_up()
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    first = (caller.invite_cseq, caller.invite_branch)
    invite = net.core.expect("INVITE")
    caller.send_invite(sdp(net.access.address, 40000, "inactive", version=3))
    response = net.access.expect("500 INVITE")
    assert int(response.get("Retry-After")) <= 10
    caller.ack(response)
    net.core.reply(invite, 200, body=sdp(net.core.address, 50000, "recvonly", version=2), tag=callee.local_tag)
    ok = net.access.expect("200 INVITE")
    later = caller.cseq
    caller.invite_cseq, caller.invite_branch = first
    caller.ack(ok)
    caller.cseq = later
    net.core.expect("ACK")
    finish(net, caller, callee)


def test_cancelled(net):
    caller, callee = net.call_up()
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    invite = net.core.expect("INVITE")
    net.core.reply(invite, 180, tag=callee.local_tag)
    caller.cancel()
    net.access.expect("200 CANCEL")
    net.core.reply(net.core.expect("CANCEL"), 200, tag=callee.local_tag)
    net.core.reply(invite, 487, tag=callee.local_tag)
    net.core.expect("ACK")
    caller.ack(net.access.expect("487 INVITE"))
    assert all(x["send"] and x["receive"] for x in lines(net))
    finish(net, caller, callee)


@pytest.mark.parametrize("by_asker", [True, False])
def test_bye_while_it_is_open(net, by_asker):
    caller, callee = net.call_up()
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    net.core.expect("INVITE")
    first, second = (caller, callee) if by_asker else (callee, caller)
    first.bye()
    first.peer.expect("200 BYE")
    second.peer.reply(second.peer.expect("BYE"), 200)
    caller.ack(net.access.expect("487 INVITE"))
    net.gateway.wait_idle()


def test_other_side_has_lost_the_dialog(net):
    caller, callee = net.call_up()
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    net.core.reply(net.core.expect("INVITE"), 481, tag=callee.local_tag)
    caller.ack(net.access.expect("480 INVITE"))
    net.access.reply(net.access.expect("BYE"), 200)
    net.gateway.wait_idle()


def test_remote_target_moves(net):
    caller, callee = net.call_up()
    caller.send_invite(sdp(net.access.address, 40000, "sendonly", version=2))
    invite = net.core.expect("INVITE")
    elsewhere = Peer("127.0.2.1", 0, "udp", net.core_gw)
    callee.peer = elsewhere
    elsewhere.reply(invite, 200, body=sdp(net.core.address, 50000, version=2), tag=callee.local_tag)
    caller.ack(net.access.expect("200 INVITE"))
    elsewhere.expect("ACK")
    caller.bye()
    elsewhere.reply(elsewhere.expect("BYE"), 200)
    net.gateway.wait_idle()
    elsewhere.close()


def test_line_added_and_taken_away(net):
    caller, callee = net.call_up()

    def two(address, port, second):
        body = sdp(address, port, version=second)
        return body + body[body.index("m="):].replace(str(port), str(second))

    reinvite(net, caller, callee, two(net.access.address, 40000, 40010), two(net.core.address, 50000, 50010))
    plan = net.gateway.events("plan line")[-4:]
    assert [x["remote"] for x in plan] == ["127.0.1.1:40000", "127.0.1.1:40010", "127.0.2.1:50000", "127.0.2.1:50010"]
    reinvite(net, caller, callee, two(net.access.address, 40000, 0), two(net.core.address, 50000, 0))
    assert [x["remote"] for x in lines(net)] == ["127.0.1.1:40000", "127.0.2.1:50000"]
    finish(net, caller, callee)
