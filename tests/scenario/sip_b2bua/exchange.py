# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that can do more than INVITE and ACK: what a test says of reliable responses, UPDATE and descriptions."""
import itertools

from peer import Dialog

ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE"
OLD = "Allow: INVITE, ACK, CANCEL, BYE"
RELIABLE = "Supported: 100rel"
NAMES = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 101: "telephone-event/8000"}

_version = itertools.count(1)


def sdp(peer, direction="sendrecv", formats=(0, 8), port=None, connection=None, version=None, more=(), lines=1):
    """One audio line of this peer, or several."""
    port = (40000 if peer.address.startswith("127.0.1") else 50000) if port is None else port
    text = ["v=0", f"o=- 7 {version or next(_version)} IN IP4 {peer.address}", "s=-",
            f"c=IN IP4 {connection or peer.address}", "t=0 0"]
    for i in range(lines):
        text += [f"m=audio {port + 2 * i} RTP/AVP {' '.join(map(str, formats))}"]
        text += [f"a=rtpmap:{f} {NAMES[f]}" for f in formats] + [f"a={x}" for x in more] + [f"a={direction}"]
    return "\r\n".join(text) + "\r\n"


def formats_of(body):
    return [tuple(int(f) for f in line.split()[3:]) for line in body.split("\r\n") if line.startswith("m=")]


def ports_of(body):
    return [int(line.split()[1]) for line in body.split("\r\n") if line.startswith("m=")]


def direction_of(body):
    return [line[2:] for line in body.split("\r\n") if line in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")][-1]


def lines(net):
    """What the media side was told last: the access line, then the core line."""
    return net.gateway.events("plan line")[-2:]


def state(net):
    return [(x["local"], x["remote"], x["send"], x["receive"], x["agreed"]) for x in lines(net)]


def tags(message, name="Require"):
    return {tag.strip() for value in message.all(name) for tag in value.split(",")}


def prack(dialog, response, body=None):
    """PRACK for a reliable response to the dialog's INVITE."""
    dialog.answered(response)
    dialog.send("PRACK", body, [f"RAck: {response.get('RSeq')} {response.get('CSeq')}"])


class Far(Dialog):
    """A callee that counts its reliable responses."""

    def __init__(self, peer, invite):
        super().__init__(peer, invite=invite)
        self.rseq = 700

    def reliable(self, status, body=None, headers=()):
        self.rseq += 1
        self.reply(status, "Reliable", body, ["Require: 100rel", f"RSeq: {self.rseq}", ALLOW, *headers])

    def pracked(self):
        """The PRACK for the last one; not answered yet."""
        request = self.peer.expect("PRACK")
        assert request.get("RAck") == f"{self.rseq} {self.invite.get('CSeq')}", request.headers
        return request

    def answer_to(self, request, status=200, body=None, headers=()):
        self.peer.reply(request, status, "Reply", body, tag=self.local_tag, headers=headers)


def ring(net, headers=(), body=True, side="access"):
    """An INVITE that has arrived."""
    caller = net.caller(side)
    caller.send_invite(sdp(caller.peer) if body is True else body, headers)
    return caller, Far(net.callee_peer(side), net.callee_peer(side).expect("INVITE"))


def up(net, near=ALLOW, far=ALLOW, side="access", offer=None, answer=None):
    """A call that is up, between peers of these abilities."""
    caller, callee = ring(net, [near], offer or True, side)
    callee.reply(200, "OK", answer or sdp(callee.peer), [far])
    ok = caller.peer.expect("200 INVITE")
    callee.peer.expect("ACK")
    caller.ack(ok)
    net.gateway.wait_event("state", tag="call", to="up")
    return caller, callee


def finish(net, caller, callee):
    caller.bye()
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    caller.peer.expect("200 BYE")
    net.gateway.wait_idle()
