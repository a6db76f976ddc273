# SPDX-License-Identifier: GPL-3.0-or-later
"""Many callers and callees at once, of every kind of call; what each does stands in the number that is dialled. No threads,
and next to no state: the callees answer each message for itself, the callers remember how far each call has come.

    talk  the caller hangs up           held  re-INVITE, then the callee hangs up      cancel  given up while it rings
    busy  486                           wrong a description that is none, 488          mute    the callee never answers anything
    gone  the caller never ACKs         lost  the caller vanishes in mid-call: no BYE of the gateway's is answered
"""
import collections
import re
import select
import socket
import time

from peer import sdp

MIX = ["talk"] * 8 + ["held"] * 3 + ["cancel"] * 3 + ["busy"] * 2 + ["wrong", "mute", "gone", "lost"]
SILENT = ("gone", "lost")  # callers that answer no request
AT_ONCE = 50
NAME = re.compile(r"^(Call-ID|CSeq|From|To|Contact):\s*(.*?)\r$", re.M)


class Crowd:
    def __init__(self, near, far):
        """Addresses of our own: (host, port). The gateway is told each call's by its INVITE."""
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for s, address in zip(self.sockets, (near, far)):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a peer that was there before may not be quite closed
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            s.bind(address)
            s.setblocking(False)
        self.far = self.sockets[1].getsockname()
        self.near = self.sockets[0].getsockname()
        self.series = 0
        self.open = {}

    def close(self):
        for s in self.sockets:
            s.close()

    # Messages

    @staticmethod
    def heads(text):
        return dict(NAME.findall(text))

    def request(self, call, method, cseq, body=None, uri=None, branch=None):
        heads = [f"{method} {uri or call['target']} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.near[0]}:{self.near[1]};branch={branch or 'z9hG4bK%s%s%d' % (call['id'], method, cseq)};rport",
                 "Max-Forwards: 70", f"From: <sip:crowd@{self.near[0]}>;tag=n{call['id']}", f"To: {call['to']}",
                 f"Call-ID: {call['id']}", f"CSeq: {cseq} {method}", f"Contact: <sip:crowd@{self.near[0]}:{self.near[1]}>"]
        if body:
            heads.append("Content-Type: application/sdp")
        self.sockets[0].sendto("\r\n".join([*heads, f"Content-Length: {len(body or '')}", "", body or ""]).encode(), call["gateway"])

    def reply(self, side, text, source, status, body=None):
        heads = self.heads(text)
        to = heads["To"] if ";tag=" in heads["To"] else heads["To"] + ";tag=f" + heads["Call-ID"][-12:]
        host, port = (self.near, self.far)[side]
        lines = [f"SIP/2.0 {status} Crowd", *re.findall(r"^Via:.*(?=\r$)", text, re.M), f"From: {heads['From']}", f"To: {to}",
                 f"Call-ID: {heads['Call-ID']}", f"CSeq: {heads['CSeq']}", f"Contact: <sip:crowd@{host}:{port}>"]
        if body:
            lines.append("Content-Type: application/sdp")
        message = "\r\n".join([*lines, f"Content-Length: {len(body or '')}", "", body or ""]).encode()
        self.sockets[side].sendto(message, source)
        return message

    # The called side

    def callee(self, text, source):
        method = text.split(" ", 1)[0]
        heads = self.heads(text)
        if method in ("ACK", "SIP/2.0"):
            self.unacknowledged.pop((heads["Call-ID"], method == "ACK"), None)
            if method == "ACK":
                self.acknowledged(heads, source)
            return
        kind = re.match(r"<sip:([a-z]+)", heads["To"])[1]
        if kind == "mute":
            return
        if method != "INVITE":
            self.reply(1, text, source, 200)
            if method == "CANCEL":
                self.repeated(heads, self.reply(1, self.rang.get(heads["Call-ID"], text), source, 487), source)
            return
        if ";tag=" in heads["To"]: # a re-INVITE
            self.reply(1, text, source, 200, sdp(self.far[0], 50000, "recvonly", version=2))
            return
        if kind == "busy":
            self.repeated(heads, self.reply(1, text, source, 486), source)
            return
        self.contacts[heads["Call-ID"]] = heads["Contact"]
        self.reply(1, text, source, 180)
        if kind == "cancel":
            self.rang[heads["Call-ID"]] = text
        else:
            self.repeated(heads, self.reply(1, text, source, 200, sdp(self.far[0], 50000)), source)

    def repeated(self, heads, message, to):
        """Sent again until something comes that says it has arrived."""
        self.unacknowledged[heads["Call-ID"], not message.startswith(b"BYE")] = [time.monotonic() + 0.5, message, to]

    def acknowledged(self, heads, source):
        """The callees of some kinds hang up then, once."""
        kind = re.match(r"<sip:([a-z]+)", heads["To"])[1]
        last = {"lost": "1", "held": "2"}.get(kind)
        self.acks[heads["Call-ID"]].add(heads["CSeq"])
        if last is None or len(self.acks[heads["Call-ID"]]) < int(last) or heads["Call-ID"] in self.hung_up:
            return
        self.hung_up.add(heads["Call-ID"])
        target = re.search(r"<([^>]+)>", self.contacts[heads["Call-ID"]])[1]
        lines = [f"BYE {target} SIP/2.0", f"Via: SIP/2.0/UDP {self.far[0]}:{self.far[1]};branch=z9hG4bKbye{heads['Call-ID']}",
                 "Max-Forwards: 70", f"From: {heads['To']}", f"To: {heads['From']}", f"Call-ID: {heads['Call-ID']}", "CSeq: 7 BYE",
                 "Content-Length: 0"]
        bye = "\r\n".join([*lines, "", ""]).encode()
        self.sockets[1].sendto(bye, source)
        self.repeated(heads, bye, source)

    # The calling side

    def call(self, number, gateway):
        kind = MIX[number % len(MIX)]
        host = f"{gateway[0]}:{gateway[1]}"
        call = {"id": f"{self.series}x{number}", "kind": kind, "gateway": gateway, "to": f"<sip:{kind}@{host}>", "acked": set(),
                "target": f"sip:{kind}@{host}", "uri": f"sip:{kind}@{host}", "body": sdp(self.near[0], 40000)}
        if kind == "wrong":
            call["body"] = call["body"].replace("RTP/AVP", "TCP/MSRP")
        self.open[call["id"]] = call
        self.request(call, "INVITE", 1, call["body"])
        self.again(call, "INVITE", 1, call["body"])

    def again(self, call, *request):
        call["due"] = (time.monotonic() + 0.5, request)

    def over(self, call, how):
        self.results[call["kind"], how] += 1
        del self.open[call["id"]]

    def caller(self, text, source):
        heads = self.heads(text)
        call = self.open.get(heads["Call-ID"])
        first = text.split(" ", 2)
        if first[0] != "SIP/2.0":
            kind = re.match(r"<sip:([a-z]+)", heads["From"])[1]
            if kind not in SILENT and first[0] != "ACK":
                self.reply(0, text, source, 200)
                if call is not None and first[0] == "BYE":
                    self.over(call, "BYE")
            return
        status, (cseq, method) = int(first[1]), heads["CSeq"].split()
        if call is None:
            if method == "INVITE" and status >= 200 and not self.is_silent(heads["To"]): # repeated: the ACK was lost
                self.acknowledge(text, heads, status, source)
            return
        self.take(call, status, int(cseq), method, text, heads)

    @staticmethod
    def is_silent(to):
        return any(f"<sip:{kind}@" in to for kind in SILENT)

    def acknowledge(self, text, heads, status, source):
        call = {"id": heads["Call-ID"], "to": heads["To"], "gateway": source}
        target = re.search(r"<([^>]+)>", heads["Contact" if status < 300 else "To"])[1]
        cseq = int(heads["CSeq"].split()[0])
        branch = re.search(r"branch=([^;\r]+)", text)[1] if status >= 300 else f"z9hG4bKack{call['id']}{cseq}"
        self.request(call, "ACK", cseq, uri=target, branch=branch)

    def take(self, call, status, cseq, method, text, heads):
        kind = call["kind"]
        if status == 180 and kind == "cancel" and "cancelled" not in call:
            call["cancelled"] = True
            cancel = ("CANCEL", 1, None, call["uri"], re.search(r"branch=([^;\r]+)", text)[1])
            self.request(call, *cancel)
            self.again(call, *cancel)
            return
        if status < 200 or method == "CANCEL":
            if "cancelled" not in call or method == "CANCEL":
                call.pop("due", None)
            return
        if method == "BYE":
            self.over(call, status)
            return
        if kind == "gone":
            self.over(call, status)
            return
        self.acknowledge(text, heads, status, call["gateway"])
        if status >= 300:
            self.over(call, status)
            return
        if cseq in call["acked"]:
            return
        call["acked"].add(cseq)
        call["to"], call["target"] = heads["To"], re.search(r"<([^>]+)>", heads["Contact"])[1]
        if kind == "lost":
            self.over(call, "up")
        elif kind == "held" and cseq == 1:
            self.request(call, "INVITE", 2, sdp(self.near[0], 40000, "sendonly", version=2))
            self.again(call, "INVITE", 2, sdp(self.near[0], 40000, "sendonly", version=2))
        elif kind == "talk":
            self.request(call, "BYE", 3)
            self.again(call, "BYE", 3)
        else:
            call.pop("due", None)

    # All of it

    def pump(self, seconds):
        for s in select.select(self.sockets, [], [], seconds)[0]:
            take = self.caller if s is self.sockets[0] else self.callee
            for _ in range(200):
                try:
                    data, source = s.recvfrom(65536)
                except BlockingIOError:
                    break
                take(data.decode(), source)

    def repeat(self):
        now = time.monotonic()
        for call in list(self.open.values()):
            if "due" in call and call["due"][0] < now:
                self.request(call, *call["due"][1])
                self.again(call, *call["due"][1])
        for entry in self.unacknowledged.values():
            if entry[0] < now:
                self.sockets[1].sendto(entry[1], entry[2])
                entry[0] = now + 0.5

    def run(self, calls, gateway, seconds=60):
        """So many calls; how each kind ended."""
        self.series += 1
        self.results, self.rang, self.contacts = collections.Counter(), {}, {}
        self.unacknowledged = {}
        self.acks, self.hung_up = collections.defaultdict(set), set()
        begun, deadline, again = 0, time.monotonic() + seconds, 0
        while begun < calls or self.open:
            while begun < calls and len(self.open) < AT_ONCE:
                self.call(begun, gateway)
                begun += 1
            self.pump(0.02)
            if time.monotonic() > again:
                self.repeat()
                again = time.monotonic() + 0.1
            assert time.monotonic() < deadline, (begun, len(self.open), self.results)
        return self.results

    def answer_what_comes(self, until, seconds=30):
        """Requests of the gateway's that are left."""
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline
            self.pump(0.05)
