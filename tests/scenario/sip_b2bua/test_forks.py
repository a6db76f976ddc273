# SPDX-License-Identifier: GPL-3.0-or-later
"""Forks of the far side: several answerers of one INVITE of ours, told apart by their To tags. The rows of docs/offer-answer.md,
'Forks'."""
import itertools
import re
import time

import pytest
from conftest import options
from exchange import ALLOW, OLD, RELIABLE, Far, finish, formats_of, lines, prack, ports_of, ring
from exchange import sdp as plain_sdp

FINGERPRINT = "sha-256 " + ":".join(["%02X"] * 32)
_key = itertools.count(1)


def secure(text, mechanism, setup="active", key=None, offer=""):
    """The same description with this mechanism's lines; another key or certificate each time."""
    n = key or next(_key)
    if mechanism == "sdes":
        tag = re.search(r"a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80 ", offer)
        more = f"a=crypto:{tag.group(1) if tag else 1} AES_CM_128_HMAC_SHA1_80 inline:{n:040}\r\n"
        return text.replace("RTP/AVP", "RTP/SAVP") + more
    if mechanism == "dtls":
        more = f"a=fingerprint:{FINGERPRINT % tuple([n % 256] * 32)}\r\na=setup:{setup}\r\na=tls-id:{n:032x}\r\n"
        return text.replace("RTP/AVP", "UDP/TLS/RTP/SAVP") + more
    return text


class Forks:
    """An INVITE that a proxy behind the gateway has forked to `n` phones."""

    def __init__(self, net, n, near=(OLD,), mechanism="plain", near_mechanism="plain", body=True):
        self.net, self.mechanism = net, mechanism
        self.caller = net.caller()
        self.caller.send_invite(body and secure(plain_sdp(net.access), near_mechanism, "actpass"), near)
        invite = net.core.expect("INVITE")
        self.branches = [Far(net.core, invite) for _ in range(n)]

    def sdp(self, i, formats=(0, 8)):
        return secure(plain_sdp(self.net.core, formats=formats, port=50000 + 100 * i), self.mechanism, key=1000 + i,
                      offer=self.branches[i].invite.body)

    def progress(self, i, status=183, formats=None):
        """What the caller is told when phone i speaks."""
        self.branches[i].reply(status, "Progress", self.sdp(i, formats) if formats else None, [ALLOW])
        return self.net.access.expect(status)

    def answer(self, i, formats=(0, 8), body=True):
        self.branches[i].reply(200, "OK", self.sdp(i, formats) if body else None, [ALLOW])
        ok = self.net.access.expect("200 INVITE")
        assert self.net.core.expect("ACK").tag("To") == self.branches[i].local_tag
        self.caller.ack(ok)
        self.net.gateway.wait_event("state", tag="call", to="up")
        return ok

    def late(self, i):
        """A second 2xx: acknowledged and ended; a lost ACK is repeated."""
        core = self.net.core
        for _ in range(2):
            self.branches[i].reply(200, "OK", self.sdp(i), [ALLOW])
            ack = core.expect("ACK")
            assert ack.tag("To") == self.branches[i].local_tag and ack.source == self.net.core_gw and not ack.body
        bye = core.expect("BYE")
        assert bye.tag("To") == self.branches[i].local_tag and bye.source == self.net.core_gw
        assert int(bye.get("CSeq").split()[0]) == int(ack.get("CSeq").split()[0]) + 1
        core.reply(bye, 200)
        time.sleep(0.05)
        core.kept = [m for m in core.kept if m.get("Via") != bye.get("Via")]  # repeated while ours was on its way
        while not core.inbox.empty():
            message = core.inbox.get()
            assert message.method != "BYE" or message.get("Via") == bye.get("Via"), "a second BYE"
            core.kept += [message] if message.get("Via") != bye.get("Via") else []

    def others_late(self, winner):
        """Each but the winner answers as well, and nothing but the winner's call is held."""
        for other in range(len(self.branches)):
            if other != winner:
                self.late(other)
        counts = self.net.gateway.counts()
        assert (counts["calls"], counts["dialogs"], counts["sessions"], counts["seats"]) == (1, 2, 1, 2), counts

    def plan(self):
        """What the media side was told last, by leg: the caller, the fork that is followed, and what the others have."""
        told = self.net.gateway.events("plan line")
        begin = max(i for i, line in enumerate(told) if line["leg"] == 0)
        return told[begin:]

    def far(self):
        """Where the followed fork's media goes, and with which keys."""
        return self.plan()[1]

    def heard(self):
        """Where media of the far side comes from, and goes to, beside the one that is followed."""
        return sorted(line["remote"] for line in self.plan()[2:] if line["realm"] == self.far()["realm"] and line["agreed"])

    def finish(self, i):
        finish(self.net, self.caller, self.branches[i])


def secured(**more):
    return [pytest.param(dict(access_profile=m, core_profile=m, **more), m, id=m) for m in ("plain", "sdes", "dtls")]


def keys(body):
    return re.findall(r"a=(?:crypto|fingerprint|setup|tls-id):.*", body)


@pytest.mark.parametrize("net, mechanism", secured(), indirect=["net"])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("winner", ["first", "last"])
def test_single(net, mechanism, n, winner):
    """One To tag; the caller has one answer, whoever speaks; each is heard, at one port of ours, each with keys of its own,
    until one answers."""
    forks = Forks(net, n, mechanism=mechanism, near_mechanism=mechanism)
    told = [forks.progress(i, formats=(0, 8)) for i in range(n)]
    assert len({m.tag("To") for m in told}) == 1 and len({m.body for m in told}) == 1
    assert forks.far()["remote"] == f"127.0.2.1:{50000 + 100 * (n - 1)}" and forks.far()["provisional"]
    assert forks.heard() == [f"127.0.2.1:{50000 + 100 * i}" for i in range(n - 1)]
    far = [line for line in forks.plan() if line["realm"] == forks.far()["realm"]]
    assert len({line["local"] for line in far}) == 1 and len({line["dialog"] for line in far}) == n
    if mechanism == "dtls":
        assert len({line["fingerprint"] for line in far}) == n
    i = 0 if winner == "first" else n - 1
    ok = forks.answer(i)
    assert ok.body == told[0].body and ok.tag("To") == told[0].tag("To")
    for peer in (net.access, net.core):
        peer.nothing("INVITE", 0.05)
    assert forks.heard() == [] and len(forks.plan()) == 2
    near, far = lines(net)
    assert far["agreed"] and near["agreed"] and far["remote"] == f"127.0.2.1:{50000 + 100 * i}"
    assert not far["provisional"] and far["mechanism"] == near["mechanism"]
    forks.others_late(i)
    forks.finish(i)


@pytest.mark.parametrize("near, carrier", [(ALLOW, "UPDATE"), (OLD, "INVITE")])
@pytest.mark.parametrize("said", ["183", "200 alone"])
def test_a_winner_with_other_formats(net, near, carrier, said):
    """The first answer holds, in the 200 as well; what the winner has chosen reaches the caller by an offer of ours."""
    forks = Forks(net, 2, [near])
    told = forks.progress(0, formats=(0,))
    if said == "183":
        assert forks.progress(1, formats=(8,)).body == told.body
    ok = forks.answer(1, formats=(8,))
    assert ok.body == told.body and formats_of(told.body) == [(0,)]
    asked = net.access.expect(carrier)
    assert formats_of(asked.body) == [(8,)] and ports_of(asked.body) == ports_of(told.body)
    version = [int(re.search(r"o=\S+ \d+ (\d+)", m.body).group(1)) for m in (told, asked)]
    assert version[1] == version[0] + 1
    net.access.reply(asked, 200, "OK", plain_sdp(net.access, formats=(8,)), tag=forks.caller.local_tag)
    if carrier == "INVITE":
        net.access.expect("ACK")
    net.core.nothing("INVITE", 0.05)
    forks.finish(1)


def test_a_2xx_without_what_its_1xx_has_said(net):
    """It is that fork's description, not the one that was read last."""
    forks = Forks(net, 2)
    forks.progress(0, formats=(0,))
    forks.progress(1, formats=(0,))
    forks.answer(0, body=False)
    assert forks.far()["remote"] == "127.0.2.1:50000"
    forks.finish(0)


def test_serial(net):
    """A proxy tries one phone after the other: each is heard, none of them holds anything."""
    forks = Forks(net, 4)
    for i in range(4):
        forks.progress(i, 180)
        forks.progress(i, formats=(0, 8))
        assert forks.far()["remote"] == f"127.0.2.1:{50000 + 100 * i}"
    assert net.gateway.counts()["dialogs"] == 5
    forks.answer(3)
    assert net.gateway.counts()["dialogs"] == 2
    forks.finish(3)


def test_more_than_eight(net):
    """The ninth is not followed; it wins all the same."""
    forks = Forks(net, 9)
    for i in range(8):
        forks.progress(i, 180)
    forks.branches[8].reply(180)
    net.access.nothing("180", 0.1)
    forks.answer(8)
    assert forks.far()["remote"] == "127.0.2.1:50800"
    forks.finish(8)


@pytest.mark.parametrize("bodies", [True, False])
def test_all_fail(net, bodies):
    forks = Forks(net, 3)
    for i in range(3):
        forks.progress(i, formats=(0, 8) if bodies else None)
    forks.branches[2].reply(486)
    net.core.expect("ACK")
    forks.caller.ack(net.access.expect("486"))
    net.gateway.wait_idle()


@pytest.mark.parametrize("winner", [None, 0, 1])
def test_cancel(net, winner):
    """CANCEL; a 200 of any fork that has crossed it is acknowledged and ended, and one after that as well."""
    forks = Forks(net, 2)
    forks.progress(0, formats=(0, 8))
    forks.progress(1, formats=(0, 8))
    forks.caller.cancel()
    net.access.expect("200 CANCEL")
    forks.caller.ack(net.access.expect("487"))
    net.core.reply(net.core.expect("CANCEL"), 200)
    if winner is None:
        forks.branches[0].reply(487)
        net.core.expect("ACK")
    else:
        forks.branches[winner].reply(200, "OK", forks.sdp(winner))
        assert net.core.expect("ACK").tag("To") == forks.branches[winner].local_tag
        bye = net.core.expect("BYE")
        assert bye.tag("To") == forks.branches[winner].local_tag
        net.core.reply(bye, 200)
        forks.late(1 - winner)
    net.gateway.wait_idle()


def test_a_second_answer_goes_by_its_route_set(net):
    """A proxy has recorded itself: ACK and BYE go there, with the phone's Contact, a name, in the Request-URI."""
    forks = Forks(net, 2)
    forks.answer(0)
    late = forks.branches[1]
    headers = [f"Record-Route: <sip:{net.core.host}:{net.core.port};lr>", "Contact: <sip:phone@inner.example.com>"]
    net.core.reply(late.invite, 200, "OK", forks.sdp(1), late.local_tag, headers, contact=False)
    for method in ("ACK", "BYE"):
        request = net.core.expect(method)
        assert request.first == f"{method} sip:phone@inner.example.com SIP/2.0"
        assert request.get("Route") == f"<sip:{net.core.host}:{net.core.port};lr>"
    net.core.reply(request, 200)
    forks.finish(0)


def test_a_second_answer_after_the_call(net):
    forks = Forks(net, 2)
    forks.answer(0)
    forks.finish(0)
    forks.late(1)
    net.gateway.wait_idle()


def test_reliable_forks(net):
    """Each has its own RSeq, and is acknowledged by us; the caller has the first one's answer, reliably."""
    forks = Forks(net, 2, [ALLOW, RELIABLE])
    one, two = forks.branches
    one.reliable(183, forks.sdp(0, (0,)))
    told = net.access.expect("183")
    prack(forks.caller, told)
    net.access.expect("200 PRACK")
    one.answer_to(one.pracked())
    two.rseq = 40
    two.reliable(183, forks.sdp(1, (8,)))
    asked = net.core.expect("PRACK")
    assert asked.tag("To") == two.local_tag and asked.get("RAck").startswith("41 ")
    two.answer_to(asked)
    again = net.access.expect("183")
    assert again.body == "" and formats_of(told.body) == [(0,)]
    prack(forks.caller, again)
    net.access.expect("200 PRACK")
    two.send("UPDATE", forks.sdp(1, (0, 8)))  # what one of several would change cannot be asked now
    net.core.expect("504 UPDATE")
    ok = forks.answer(1, body=False)
    assert ok.body == "" and forks.far()["remote"] == "127.0.2.1:50100" and not forks.far()["provisional"]
    asked = net.access.expect("UPDATE")
    assert formats_of(asked.body) == [(8,)]
    net.access.reply(asked, 200, "OK", plain_sdp(net.access, formats=(8,)), tag=forks.caller.local_tag)
    forks.finish(1)


def test_a_reliable_answer_becomes_final(net):
    """Not before the 2xx, though nothing in that is new: until then another one may answer."""
    forks = Forks(net, 1)
    forks.branches[0].reliable(183, forks.sdp(0))
    forks.branches[0].answer_to(forks.branches[0].pracked())
    net.access.expect("183")
    assert forks.far()["agreed"] and forks.far()["provisional"]
    forks.answer(0, body=False)
    assert forks.far()["agreed"] and not forks.far()["provisional"]
    forks.finish(0)


def test_a_fork_while_a_prack_is_due(net):
    """The first one's PRACK waits for the caller's no longer."""
    forks = Forks(net, 2, [ALLOW, RELIABLE])
    one, two = forks.branches
    one.reliable(183, forks.sdp(0))
    told = net.access.expect("183")
    net.core.nothing("PRACK", 0.05)
    two.reply(180)
    one.answer_to(one.pracked())
    prack(forks.caller, told)
    net.access.expect("200 PRACK")
    two.reply(486)
    net.core.expect("ACK")
    forks.caller.ack(net.access.expect("486"))
    net.gateway.wait_idle()


def test_delayed_offer(net):
    """Our INVITE has no offer: the fork that answers offers."""
    caller = net.caller()
    caller.send_invite(None)
    invite = net.core.expect("INVITE")
    one, two = Far(net.core, invite), Far(net.core, invite)
    one.reply(180)
    two.reply(180)
    net.access.expect("180")
    two.reply(200, "OK", plain_sdp(net.core))
    ok = net.access.expect("200 INVITE")
    caller.ack(ok, plain_sdp(net.access))
    ack = net.core.expect("ACK")
    assert ack.tag("To") == two.local_tag and ack.body
    finish(net, caller, two)


def declines(answer, offer):
    """A valid answer that takes nothing (RFC 3264 section 6): each line in its place, as it was offered, with port 0."""
    def lines(body):
        return [line.split() for line in body.split("\r\n") if line.startswith("m=")]
    assert answer.get("Content-Type") == "application/sdp" and answer.body.startswith("v=0\r\n")
    assert lines(answer.body) == [[kind, "0", *rest] for kind, _, *rest in lines(offer)] and not keys(answer.body)
    assert ports_of(answer.body) == [0] * len(ports_of(offer)) and "127.0.2.1" not in answer.body.replace("127.0.2.254", "")


@pytest.mark.parametrize("when", ["in the call", "after it"])
@pytest.mark.parametrize("mechanism, n", [("plain", 1), ("plain", 3), ("sdes", 1), ("dtls", 1)])
def test_a_second_answer_that_offers(net, when, mechanism, n):
    """Our INVITE had no offer, so every 2xx has one, and its ACK answers that (RFC 3261 section 13.2.2.4): with nothing, the same
    again when it is repeated, though nobody knows the INVITE any more."""
    caller, one = ring(net, body=None)
    two = Far(net.core, one.invite)
    one.reply(200, "OK", plain_sdp(net.core), [ALLOW])
    ok = net.access.expect("200 INVITE")
    caller.ack(ok, plain_sdp(net.access))
    assert net.core.expect("ACK").tag("To") == one.local_tag
    net.gateway.wait_event("state", tag="call", to="up")
    if when == "after it":
        finish(net, caller, one)
    offer = secure(plain_sdp(net.core, port=50100, lines=n), mechanism, "actpass")
    bodies = []
    for _ in range(2):
        two.reply(200, "OK", offer, [ALLOW])
        ack = net.core.expect("ACK")
        assert ack.tag("To") == two.local_tag
        declines(ack, offer)
        bodies.append(ack.body)
    assert bodies[0] == bodies[1]
    net.core.reply(net.core.expect("BYE"), 200)
    if when == "in the call":
        finish(net, caller, one)


@pytest.mark.parametrize("body", [None, "nonsense", "v=0\r\n"])
def test_a_second_answer_that_offers_nothing(net, body):
    """To what is no description there is no answer."""
    caller, one = ring(net, body=None)
    two = Far(net.core, one.invite)
    one.reply(200, "OK", plain_sdp(net.core), [ALLOW])
    caller.ack(net.access.expect("200 INVITE"), plain_sdp(net.access))
    net.core.expect("ACK")
    two.reply(200, "OK", body, [ALLOW])
    ack = net.core.expect("ACK")
    assert ack.tag("To") == two.local_tag and not ack.body
    net.core.reply(net.core.expect("BYE"), 200)
    finish(net, caller, one)


class Offering(Forks):
    """The INVITE has no offer: the forks make theirs, in reliable responses. The caller has answered the first one's."""

    def __init__(self, net, n=2, answered=True):
        super().__init__(net, n, [ALLOW, RELIABLE], body=None)
        assert not self.branches[0].invite.body
        self.offer(0, (0, 8))
        self.told = net.access.expect("183")
        if answered:
            self.caller_answers()

    def caller_answers(self, formats=(8,)):
        prack(self.caller, self.told, plain_sdp(self.net.access, formats=formats))
        assert formats_of(self.acknowledged(0).body) == [formats]
        self.net.access.expect("200 PRACK")

    def offer(self, i, formats):
        self.branches[i].rseq = 700 + 100 * i
        self.branches[i].reliable(183, plain_sdp(self.net.core, formats=formats, port=50000 + 100 * i))

    def acknowledged(self, i):
        """Our PRACK for what phone i has said last."""
        asked = self.net.core.expect("PRACK")
        assert asked.tag("To") == self.branches[i].local_tag and asked.get("RAck").startswith(f"{self.branches[i].rseq} ")
        self.branches[i].answer_to(asked)
        return asked

    def pracked(self, i):
        asked = self.acknowledged(i)
        again = self.told
        while again.get("RSeq") == self.told.get("RSeq"):  # repeated, before the PRACK for it had come
            again = self.net.access.expect("183")
        assert again.body == ""
        prack(self.caller, again)
        self.net.access.expect("200 PRACK")
        return asked


@pytest.mark.parametrize("winner", [0, 1])
@pytest.mark.parametrize("waits", [False, True])
def test_offers_of_several(net, winner, waits):
    """The caller is offered the first one's, and what it has answered answers the second's, with ports of its own. Not before
    the caller has: until then the second's response is repeated."""
    forks = Offering(net, answered=not waits)
    forks.offer(1, (0, 8))
    if waits:
        net.core.nothing("PRACK", 0.05)
        forks.caller_answers()
        forks.branches[1].rseq -= 1
        forks.offer(1, (0, 8))
    asked = forks.pracked(1)
    assert formats_of(asked.body) == [(8,)]
    assert forks.heard() == ["127.0.2.1:50000"] and forks.far()["remote"] == "127.0.2.1:50100"
    far = [line for line in forks.plan() if line["realm"] == forks.far()["realm"]]
    assert ports_of(asked.body) == [int(far[0]["local"].rpartition(":")[2])] and far[0]["local"] != far[1]["local"]
    ok = forks.answer(winner, body=False)
    assert ok.body == ""
    for peer in (net.access, net.core):
        peer.nothing("UPDATE", 0.05)
    assert len(forks.plan()) == 2 and forks.far()["remote"] == f"127.0.2.1:{50000 + 100 * winner}"
    assert all(line["agreed"] for line in forks.plan()) and net.gateway.counts()["seats"] == 2
    forks.finish(winner)


@pytest.mark.parametrize("winner", [0, 1])
def test_an_offer_that_the_caller_has_not_had(net, winner):
    """It cannot be told before the answer: that fork is answered with nothing, and does not win."""
    forks = Offering(net)
    forks.offer(1, (0, 101))
    asked = forks.pracked(1)
    assert re.search(r"m=audio 0 ", asked.body), asked.body
    assert forks.heard() == [] and forks.far()["remote"] == "127.0.2.1:50000"
    if winner == 0:
        forks.answer(0, body=False)
        forks.finish(0)
        return
    forks.branches[1].reply(200, "OK", None, [ALLOW])
    assert net.core.expect("ACK").tag("To") == forks.branches[1].local_tag
    bye = net.core.expect("BYE")
    assert bye.tag("To") == forks.branches[1].local_tag
    net.core.reply(bye, 200)
    forks.caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


@pytest.mark.parametrize("formats, answered, taken", [((0, 8), True, True), ((0, 101), True, False), ((0, 8), False, False)])
def test_an_offer_in_the_2xx_of_another(net, formats, answered, taken):
    """The caller has the first one's offer, and the second answers with its own: the ACK has the caller's answer, or takes nothing."""
    forks = Offering(net, answered=answered)
    forks.branches[1].reply(200, "OK", plain_sdp(net.core, formats=formats, port=50100), [ALLOW])
    ack = net.core.expect("ACK")
    assert ack.tag("To") == forks.branches[1].local_tag
    if taken:
        assert formats_of(ack.body) == [(8,)]
        ok = net.access.expect("200 INVITE")
        assert ok.body == ""
        forks.caller.ack(ok)
        net.gateway.wait_event("state", tag="call", to="up")
        assert forks.far()["remote"] == "127.0.2.1:50100" and len(forks.plan()) == 2
        forks.finish(1)
        return
    assert re.search(r"m=audio 0 ", ack.body), ack.body
    net.core.reply(net.core.expect("BYE"), 200)
    forks.caller.ack(net.access.expect("488 INVITE"))
    net.gateway.wait_idle()


@options(core_policy="delayed_offer=insert")
@pytest.mark.parametrize("winner", [0, 1])
def test_forks_of_an_offer_of_ours(net, winner):
    """`insert`: each fork answers our offer. The caller is offered what the first has said, in that one's dialog or with the 2xx."""
    caller = net.caller()
    caller.send_invite(None)
    invite = net.core.expect("INVITE")
    assert invite.body
    branches = [Far(net.core, invite), Far(net.core, invite)]
    for i, branch in enumerate(branches):
        branch.reply(183, "Progress", plain_sdp(net.core, port=50000 + 100 * i), [ALLOW])
        net.access.expect("183")
    branches[winner].reply(200, "OK", plain_sdp(net.core, port=50000 + 100 * winner), [ALLOW])
    ok = net.access.expect("200 INVITE")
    assert net.core.expect("ACK").tag("To") == branches[winner].local_tag
    caller.ack(ok, plain_sdp(net.access))
    net.gateway.wait_event("state", tag="call", to="up")
    assert lines(net)[1]["remote"] == f"127.0.2.1:{50000 + 100 * winner}" and lines(net)[1]["agreed"]
    assert net.gateway.counts()["seats"] == 2
    finish(net, caller, branches[winner])


def test_restart_after_forks(net):
    """The call that goes on is the fork's that won, with the ports of the INVITE."""
    forks = Forks(net, 2)
    forks.progress(0, formats=(0, 8))
    forks.answer(1)
    net.gateway.ask("restart")
    forks.caller.send_invite(plain_sdp(net.access, "sendonly"))
    asked = net.core.expect("INVITE")
    assert asked.tag("To") == forks.branches[1].local_tag
    net.core.reply(asked, 200, "OK", plain_sdp(net.core, "recvonly", port=50100), tag=forks.branches[1].local_tag)
    forks.caller.ack(net.access.expect("200 INVITE"))
    net.core.expect("ACK")
    forks.finish(1)


@pytest.mark.parametrize("net, mechanism", secured(access_policy="forking=parallel"), indirect=["net"])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("winner", ["first", "last"])
def test_parallel(net, mechanism, n, winner):
    """A To tag, ports, keys and an answer for each; the 200 is in the winner's dialog, and repeats its answer."""
    forks = Forks(net, n, [ALLOW, RELIABLE], mechanism=mechanism, near_mechanism=mechanism)
    chosen = [(0,), (8,), (0, 8)]
    for i in range(n):  # all ring before any is heard
        assert not forks.progress(i, 180).get("RSeq")
    told = [forks.progress(i, formats=chosen[i]) for i in range(n)]
    assert [formats_of(m.body)[0] for m in told] == chosen[:n]
    tags, ports = {m.tag("To") for m in told}, {ports_of(m.body)[0] for m in told}
    assert len(tags) == n and len(ports) == n and len({m.get("Contact") for m in told}) == n
    if mechanism == "sdes":
        assert len({tuple(keys(m.body)) for m in told}) == n
    assert net.gateway.counts()["seats"] == n + 1 and net.gateway.counts()["dialogs"] == 2 * n
    assert forks.heard() == [f"127.0.2.1:{50000 + 100 * i}" for i in range(n - 1)]
    i = 0 if winner == "first" else n - 1
    ok = forks.answer(i, formats=chosen[i])
    assert ok.tag("To") == told[i].tag("To") and ok.body == told[i].body
    for method in ("INVITE", "UPDATE", "200 INVITE"):
        net.access.nothing(method, 0.06)
    near, far = lines(net)
    assert near["local"].endswith(f":{ports_of(ok.body)[0]}") and near["agreed"] and far["agreed"]
    assert far["remote"] == f"127.0.2.1:{50000 + 100 * i}" and not near["provisional"] and not far["provisional"]
    forks.others_late(i)
    forks.finish(i)


@options(access_policy="forking=parallel")
@pytest.mark.parametrize("end", ["refused", "cancelled", "crossed"])
def test_parallel_ends(net, end):
    forks = Forks(net, 3)
    for i in range(3):
        forks.progress(i, formats=(0, 8))
    if end == "refused":
        forks.branches[1].reply(486)
        net.core.expect("ACK")
        forks.caller.ack(net.access.expect("486"))
    else:
        forks.caller.cancel()
        net.access.expect("200 CANCEL")
        forks.caller.ack(net.access.expect("487"))
        net.core.reply(net.core.expect("CANCEL"), 200)
        forks.branches[2].reply(487 if end == "cancelled" else 200, "Reply", forks.sdp(2) if end == "crossed" else None)
        net.core.expect("ACK")
        if end == "crossed":
            net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_idle()


@options(access_policy="forking=parallel")
def test_parallel_is_not_for_who_requires_reliable_responses(net):
    forks = Forks(net, 2, [ALLOW, "Require: 100rel"])
    tags = set()
    for i in (0, 1):
        told = forks.progress(i, 180)
        prack(forks.caller, told)
        net.access.expect("200 PRACK")
        tags.add(told.tag("To"))
    assert len(tags) == 1
    forks.answer(1)
    forks.finish(1)


@options(access_policy="forking=parallel", core_policy="redirect=follow")
def test_parallel_and_redirected(net):
    forks = Forks(net, 2)
    told = [forks.progress(i, formats=(0, 8)) for i in (0, 1)]
    contact = f"Contact: <sip:200@{net.core.host}:{net.core.port}>"
    net.core.reply(forks.branches[1].invite, 302, "Moved", tag=forks.branches[1].local_tag, headers=[contact], contact=False)
    net.core.expect("ACK")
    target = Far(net.core, net.core.expect("INVITE"))
    target.reply(200, "OK", plain_sdp(net.core, port=52000))
    ok = net.access.expect("200 INVITE")
    assert ok.tag("To") == told[0].tag("To") and ok.body == told[0].body
    net.core.expect("ACK")
    forks.caller.ack(ok)
    finish(net, forks.caller, target)
