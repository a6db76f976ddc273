# SPDX-License-Identifier: GPL-3.0-or-later
"""Forks of the far side: several answerers of one INVITE of ours, told apart by their To tags. The rows of docs/offer-answer.md,
'Forks'."""
import itertools
import re

import pytest
from conftest import options
from exchange import ALLOW, OLD, RELIABLE, Far, finish, formats_of, lines, prack, ports_of
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

    def __init__(self, net, n, near=(OLD,), mechanism="plain", near_mechanism="plain"):
        self.net, self.mechanism = net, mechanism
        self.caller = net.caller()
        self.caller.send_invite(secure(plain_sdp(net.access), near_mechanism, "actpass"), near)
        invite = net.core.fresh("INVITE")
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
            assert ack.tag("To") == self.branches[i].local_tag and ack.source == self.net.core_gw
        bye = core.expect("BYE")
        assert bye.tag("To") == self.branches[i].local_tag and bye.source == self.net.core_gw
        assert int(bye.get("CSeq").split()[0]) == int(ack.get("CSeq").split()[0]) + 1
        core.reply(bye, 200)
        core.nothing("BYE", 0.05)

    def far(self):
        """Where the core side's media goes, and with which keys."""
        return lines(self.net)[1]

    def finish(self, i):
        finish(self.net, self.caller, self.branches[i])


SECURED = [pytest.param(dict(access_profile=m, core_profile=m), m, id=m) for m in ("plain", "sdes", "dtls")]


@pytest.mark.parametrize("net, mechanism", SECURED, indirect=["net"])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("winner", ["first", "last"])
def test_single(net, mechanism, n, winner):
    """One To tag; the caller has one answer, whoever speaks; media follows who has described itself last, then who answers."""
    forks = Forks(net, n, mechanism=mechanism, near_mechanism=mechanism)
    told = [forks.progress(i, formats=(0, 8)) for i in range(n)]
    assert len({m.tag("To") for m in told}) == 1 and len({m.body for m in told}) == 1
    assert forks.far()["remote"] == f"127.0.2.1:{50000 + 100 * (n - 1)}"
    i = 0 if winner == "first" else n - 1
    ok = forks.answer(i)
    assert ok.body == told[0].body and ok.tag("To") == told[0].tag("To")
    net.access.nothing("INVITE", 0.05)
    near, far = lines(net)
    assert far["agreed"] and near["agreed"] and far["remote"] == f"127.0.2.1:{50000 + 100 * i}"
    assert not far["provisional"]
    for other in range(n):
        if other != i:
            forks.late(other)
    counts = net.gateway.counts()
    assert (counts["calls"], counts["dialogs"], counts["sessions"], counts["seats"]) == (1, 2, 1, 2), counts
    forks.finish(i)
