# SPDX-License-Identifier: GPL-3.0-or-later
"""3xx of the far side: told to the caller with our address, or followed here (RFC 3261 section 8.1.3.4)."""
import pytest
from conftest import options
from exchange import ALLOW, OLD, RELIABLE, Far, finish, formats_of, lines, ports_of, prack, sdp
from peer import Peer


def call(net, headers=(OLD,), number="100"):
    caller = net.caller(number=number)
    caller.send_invite(sdp(caller.peer), headers)
    return caller, Far(net.core, net.core.expect("INVITE"))


def redirect(callee, *contacts, status=302):
    callee.peer.reply(callee.invite, status, "Moved", tag=callee.local_tag, contact=False,
                      headers=[f"Contact: {c}" for c in contacts])
    callee.peer.expect("ACK")


def at(peer, user="200", more=""):
    return f"<sip:{user}@{peer.host}:{peer.port}{more}>"


@pytest.fixture
def other(net):
    """Another phone of the core peer's."""
    peer = Peer("127.0.2.1", 0, "udp", net.core_gw)
    yield peer
    net.core.sent += peer.sent
    net.core.received += peer.received
    peer.close()


@pytest.mark.parametrize("said", ["nothing", "early", "reliable"])
def test_passed(net, said):
    """What the same one has said before makes no difference."""
    caller, callee = call(net, [ALLOW, RELIABLE])
    if said == "early":
        callee.reply(183, "Progress", sdp(callee.peer))
        net.access.expect("183")
    elif said == "reliable":
        callee.reliable(183, sdp(callee.peer))
        prack(caller, net.access.expect("183"))
        callee.answer_to(callee.pracked())
        net.access.expect("200 PRACK")
    redirect(callee, "<sip:200@10.9.9.9:5070>;q=0.5", "<sip:300@inner.example.com;x=y?Subject=z>")
    told = net.access.expect("302")
    host = f"{net.access_gw[0]}:{net.access_gw[1]}"
    contacts = [c.strip() for value in told.all("Contact") for c in value.split(",")]
    assert contacts == [f"<sip:200@{host}>;q=0.5", f"<sip:300@{host}>"]
    caller.ack(told)
    net.gateway.wait_idle()


@pytest.mark.parametrize("status, contact", [(305, "<sip:200@127.0.2.1>"), (380, "<sip:200@127.0.2.1>"), (302, "<sip:10.9.9.9>"),
                                             (302, "<tel:+49123>")])
@pytest.mark.parametrize("net", [dict(core_policy=f"redirect={r}") for r in ("pass", "follow")], indirect=True)
def test_neither(net, status, contact):
    caller, callee = call(net)
    redirect(callee, contact, status=status)
    caller.ack(net.access.expect("480"))
    net.gateway.wait_idle()


@options(core_policy="redirect=follow")
@pytest.mark.parametrize("early", [False, True])
def test_followed(net, other, early):
    """An INVITE of its own, to ports of its own; the caller has one To tag, and one answer."""
    caller, callee = call(net)
    told = None
    if early:
        callee.reply(183, "Progress", sdp(callee.peer, formats=(0,)))
        told = net.access.expect("183")
    redirect(callee, at(other))
    second = Far(other, other.expect("INVITE"))
    assert second.invite.first == f"INVITE {at(other)[1:-1]} SIP/2.0"
    assert second.call_id != callee.call_id and ports_of(second.invite.body) != ports_of(callee.invite.body)
    second.reply(180)
    assert told is None or net.access.expect("180").tag("To") == told.tag("To")
    second.reply(200, "OK", sdp(net.core, formats=(8,), port=52000))
    ok = net.access.expect("200 INVITE")
    other.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    assert lines(net)[1]["remote"] == "127.0.2.1:52000"
    if early:
        assert ok.tag("To") == told.tag("To") and ok.body == told.body
        asked = net.access.expect("INVITE")
        assert formats_of(asked.body) == [(8,)]
        net.access.reply(asked, 200, "OK", sdp(net.access, formats=(8,)), tag=caller.local_tag)
        net.access.expect("ACK")
    counts = net.gateway.counts()
    assert (counts["sessions"], counts["seats"]) == (1, 2), counts
    finish(net, caller, second)


@options(core_policy="redirect=follow")
def test_one_contact_after_the_other(net, other):
    """By q; what is nobody's of ours is not called; the first that answers is the call."""
    caller, callee = call(net)
    redirect(callee, at(other, "1") + ";q=0.2", at(other, "2") + ";q=0.9", "<sip:3@10.9.9.9>;q=1", at(other, "4") + ";q=0.5")
    for user, status in (("2", 486), ("4", 404)):
        target = Far(other, other.expect("INVITE"))
        assert target.invite.first.startswith(f"INVITE sip:{user}@")
        target.reply(status)
        other.expect("ACK")
    target = Far(other, other.expect("INVITE"))
    target.reply(200, "OK", sdp(net.core))
    caller.ack(net.access.expect("200 INVITE"))
    other.expect("ACK")
    finish(net, caller, target)


@options(core_policy="redirect=follow")
@pytest.mark.parametrize("status, told", [(603, 603), (486, 486)])
def test_none_takes_it(net, other, status, told):
    caller, callee = call(net)
    redirect(callee, at(other, "1"), at(other, "2"))
    for _ in range(1 if status == 603 else 2):
        target = Far(other, other.expect("INVITE"))
        target.reply(status)
        other.expect("ACK")
    caller.ack(net.access.expect(f"{told} INVITE"))
    net.gateway.wait_idle()


@options(core_policy="redirect=follow")
def test_in_a_circle(net, other):
    """Nobody is called twice."""
    caller, callee = call(net)
    here = callee.invite.first.split()[1]
    redirect(callee, f"<{here}>", at(other))
    target = Far(other, other.expect("INVITE"))
    redirect(target, f"<{here}>", at(other))
    caller.ack(net.access.expect("480 INVITE"))
    net.gateway.wait_idle()


@options(core_policy="redirect=follow")
def test_five_at_most(net, other):
    caller, target = call(net)
    for i in range(5):
        redirect(target, at(other, str(200 + i)))
        target = Far(other, other.expect("INVITE"))
    redirect(target, at(other, "205"))
    caller.ack(net.access.expect("480 INVITE"))
    other.nothing("INVITE", 0.05)
    net.gateway.wait_idle()


@options(core_policy="redirect=follow", access_profile="dtls", core_profile="sdes")
def test_cancelled_on_the_way(net, other):
    from test_forks import secure
    caller = net.caller()
    caller.send_invite(secure(sdp(net.access), "dtls", "actpass"))
    callee = Far(net.core, net.core.expect("INVITE"))
    redirect(callee, at(other))
    target = Far(other, other.expect("INVITE"))
    keys = [line for far in (callee, target) for line in far.invite.body.split("\r\n") if line.startswith("a=crypto:")]
    assert len(keys) >= 2 and len(set(keys)) == len(keys)  # no key goes to both
    target.reply(180)
    net.access.expect("180")
    caller.cancel()
    net.access.expect("200 CANCEL")
    caller.ack(net.access.expect("487"))
    other.reply(other.expect("CANCEL"), 200)
    target.reply(487)
    other.expect("ACK")
    net.gateway.wait_idle()


@options(core_policy="redirect=follow")
def test_forks_before_it(net, other):
    """A proxy gives its forks up and answers 302: nothing of them is left."""
    caller, one = call(net)
    two = Far(net.core, one.invite)
    for far, port in ((one, 50000), (two, 50100)):
        far.reply(183, "Progress", sdp(net.core, port=port))
        net.access.expect("183")
    redirect(two, at(other))
    target = Far(other, other.expect("INVITE"))
    assert net.gateway.counts()["seats"] == 2
    target.reply(200, "OK", sdp(net.core, port=52000))
    caller.ack(net.access.expect("200 INVITE"))
    other.expect("ACK")
    finish(net, caller, target)
