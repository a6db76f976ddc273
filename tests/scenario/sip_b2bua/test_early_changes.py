# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller changes before the answer, when it is not the fork that it spoke to that takes the call: another one of the same
INVITE's, at the same time or after it, or the target of a 3xx."""
import pytest
from conftest import options
from exchange import ALLOW, RELIABLE, Far, finish, formats_of, prack, ring, sdp
from test_forks import secure, secured

FOLLOW = options(core_policy="redirect=follow")


def described(net, near=None, far=None):
    """The caller has a reliable answer of the first fork's, and has not acknowledged it."""
    caller, one = ring(net, [ALLOW, RELIABLE], near or True)
    one.reliable(183, far(one) if far else sdp(one.peer))
    return caller, one, caller.peer.expect("183")


def acknowledged(caller, one, told, body=None):
    prack(caller, told, body)
    one.answer_to(one.pracked())
    caller.peer.expect("200 PRACK")


def open_offer(caller, one, told, carrier):
    """An offer of the caller's that the first fork has, and does not answer."""
    body = sdp(caller.peer, formats=(9,))
    if carrier == "PRACK":
        prack(caller, told, body)
    else:
        acknowledged(caller, one, told)
        caller.send("UPDATE", body)
    assert formats_of(one.peer.expect(carrier).body) == [(9,)]


def goes_elsewhere(net, one):
    """302 of the first one's: who is called instead. It is where the core peer is."""
    one.reply(302, "Moved", headers=[f"Contact: <sip:moved@{net.core.host}:{net.core.port}>"])
    net.core.expect("ACK")
    return Far(net.core, net.core.expect("INVITE"))


@pytest.mark.parametrize("carrier", ["UPDATE", "PRACK"])
@pytest.mark.parametrize("who", ["rings", "answers", "moved"])
@FOLLOW
def test_an_open_offer_of_the_callers(net, carrier, who):
    """504, as one of several cannot be asked for all of them; what was agreed before it holds, and the next offer is heard."""
    caller, one, told = described(net)
    open_offer(caller, one, told, carrier)
    if who == "moved":
        two = goes_elsewhere(net, one)
    else:
        two = Far(net.core, one.invite)
    if who == "rings":
        two.reply(183, "Progress", sdp(net.core, port=50100))
    elif who == "answers":
        two.reply(200, "OK", sdp(net.core, port=50100), [ALLOW])
    caller.peer.expect(f"504 {carrier}")
    if who == "rings":
        caller.peer.expect("183")
    if who != "answers":
        two.reply(200, "OK", sdp(net.core, port=50100), [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == ""
    assert net.core.expect("ACK").tag("To") == two.local_tag
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    assert net.gateway.events("plan line")[-1]["remote"] == "127.0.2.1:50100"
    caller.send("UPDATE", sdp(caller.peer, formats=(8,)))
    asked = net.core.expect("UPDATE")
    assert formats_of(asked.body) == [(8,)]
    net.core.reply(asked, 200, "OK", sdp(net.core, formats=(8,), port=50100), tag=two.local_tag)
    caller.peer.expect("200 UPDATE")
    finish(net, caller, two)


@pytest.mark.parametrize("status", [200, 488])
def test_an_answer_that_waits_for_a_prack_with_an_offer(net, status):
    """The far side has answered already: the offer goes there by UPDATE, and the caller's 200 follows that of its PRACK."""
    caller, one, told = described(net)
    one.reply(200, "OK", None, [ALLOW])
    net.core.expect("ACK")
    prack(caller, told, sdp(caller.peer, formats=(8,)))
    asked = net.core.expect("UPDATE")
    net.core.reply(asked, status, "Reply", sdp(net.core, formats=(8,)) if status == 200 else None, tag=one.local_tag)
    caller.peer.expect(f"{status} PRACK")
    caller.ack(caller.peer.expect("200 INVITE"))
    net.gateway.wait_event("state", tag="call", to="up")
    finish(net, caller, one)


NEW = dict(connection="127.0.9.9", port=41000)


def heard(net):
    """The caller's line, as the media side was told last."""
    return [line for line in net.gateway.events("plan line") if line["leg"] == 0][-1]


def identity(line):
    return line["mechanism"], line["key"], line["fingerprint"], line["tls_id"], line["our_tls_id"]


@pytest.mark.parametrize("net, mechanism", secured(core_policy="redirect=follow"), indirect=["net"])
@pytest.mark.parametrize("who", ["the only one", "another", "the first again", "next", "moved"])
def test_an_address_and_a_key_that_have_changed(net, mechanism, who):
    """The caller's last word holds, whoever had its ear when it was said."""
    def speaks(far, port):
        return secure(sdp(net.core, port=port), mechanism, key=port, offer=far.invite.body)

    caller, one, told = described(net, secure(sdp(net.access), mechanism, "actpass", key=6), lambda far: speaks(far, 50000))
    acknowledged(caller, one, told)
    winner, body = one, None
    if who in ("another", "the first again"):
        two = Far(net.core, one.invite)
        two.reliable(183, speaks(two, 50100))
        two.answer_to(two.pracked())
        prack(caller, caller.peer.expect("183"))
        caller.peer.expect("200 PRACK")
    old = heard(net)
    changed = secure(sdp(net.access, **NEW), mechanism, "actpass", key=7).replace("inline:0", "inline:z")
    caller.send("UPDATE", changed)
    caller.peer.expect("200 UPDATE")
    new = heard(net)
    assert new["remote"] == "127.0.9.9:41000" and (mechanism == "plain" or identity(new) != identity(old))
    if who == "another":
        winner = two
    elif who == "next":
        winner = Far(net.core, one.invite)
    elif who == "moved":
        winner = goes_elsewhere(net, one)
    port = 50000 if winner is one else 50100
    winner.reply(200, "OK", None if winner is one else speaks(winner, port), [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == "" and net.core.expect("ACK").tag("To") == winner.local_tag
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    near, far = net.gateway.events("plan line")[-2:]
    assert near["agreed"] and far["agreed"] and far["remote"] == f"127.0.2.1:{port}"
    assert (near["remote"], identity(near)) == (new["remote"], identity(new))
    for peer in (net.access, net.core):  # nobody has anything to be told
        peer.nothing("UPDATE", 0.05)
    finish(net, caller, winner)


def test_an_open_offer_of_a_fork(net):
    """It is 504 when another one answers; the caller, which may have taken it, is told what holds."""
    caller, one, told = described(net)
    acknowledged(caller, one, told)
    one.send("UPDATE", sdp(net.core, formats=(8,)))
    assert formats_of(caller.peer.expect("UPDATE").body) == [(8,)]
    two = Far(net.core, one.invite)
    two.reply(200, "OK", sdp(net.core, port=50100), [ALLOW])
    net.core.expect("504 UPDATE")
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == "" and net.core.expect("ACK").tag("To") == two.local_tag
    caller.peer.kept = []
    caller.ack(ok)
    asked = caller.peer.expect("UPDATE")
    assert formats_of(asked.body) == [(0, 8)]
    net.access.reply(asked, 200, "OK", sdp(net.access), tag=caller.local_tag)
    net.gateway.wait_event("state", tag="call", to="up")
    finish(net, caller, two)


def test_an_open_offer_whose_fork_wins_after_all(net):
    """Whether it has taken the offer that was given up is not known: it is told what holds."""
    caller, one, told = described(net)
    open_offer(caller, one, told, "UPDATE")
    two = Far(net.core, one.invite)
    two.reply(183, "Progress", sdp(net.core, port=50100))
    caller.peer.expect("504 UPDATE")
    caller.peer.expect("183")
    one.reply(200, "OK", None, [ALLOW])
    net.core.expect("ACK")
    net.core.kept = []
    caller.ack(caller.peer.expect("200 INVITE"))
    asked = net.core.expect("UPDATE")
    assert asked.tag("To") == one.local_tag and formats_of(asked.body) == [(0, 8)]
    net.core.reply(asked, 200, "OK", sdp(net.core), tag=one.local_tag)
    net.access.nothing("UPDATE", 0.05)
    finish(net, caller, one)


@pytest.mark.parametrize("who", ["next", "moved"])
@FOLLOW
def test_formats_that_have_changed(net, who):
    """Carried to the first one, and taken. Another answers the first offer: the caller is asked what it takes of that, and who
    has answered is told in turn."""
    caller, one, told = described(net)
    acknowledged(caller, one, told)
    caller.send("UPDATE", sdp(caller.peer, formats=(8,), **NEW))
    asked = net.core.expect("UPDATE")
    net.core.reply(asked, 200, "OK", sdp(net.core, formats=(8,)), tag=one.local_tag)
    assert formats_of(caller.peer.expect("200 UPDATE").body) == [(8,)]
    two = goes_elsewhere(net, one) if who == "moved" else Far(net.core, one.invite)
    two.reply(200, "OK", sdp(net.core, port=50100), [ALLOW])
    ok = caller.peer.expect("200 INVITE")
    assert ok.body == "" and net.core.expect("ACK").tag("To") == two.local_tag
    caller.ack(ok)
    asked = net.access.expect("UPDATE")
    assert formats_of(asked.body) == [(0, 8)]
    net.access.reply(asked, 200, "OK", sdp(net.access, formats=(8,), **NEW), tag=caller.local_tag)
    asked = net.core.expect("UPDATE")
    assert formats_of(asked.body) == [(8,)]
    net.core.reply(asked, 200, "OK", sdp(net.core, formats=(8,), port=50100), tag=two.local_tag)
    net.gateway.wait_event("state", tag="call", to="up")
    for peer in (net.access, net.core):
        peer.nothing("UPDATE", 0.05)
    assert heard(net)["remote"] == "127.0.9.9:41000"
    finish(net, caller, two)
