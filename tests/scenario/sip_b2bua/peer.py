# SPDX-License-Identifier: GPL-3.0-or-later
"""A SIP peer under a script: sends what the test writes, hands out what comes in. UDP or TCP, IPv4 or IPv6."""
import queue
import random
import re
import socket
import threading
import time

SDP = """v=0\r
o=- {id} {version} IN IP{family} {address}\r
s=-\r
c=IN IP{family} {connection}\r
t=0 0\r
m=audio {port} RTP/AVP 0 8\r
a=rtpmap:0 PCMU/8000\r
a={direction}\r
"""


def sdp(address="127.0.0.1", port=40000, direction="sendrecv", connection=None, version=1):
    family = 6 if ":" in address else 4
    return SDP.format(id=1000 + port, version=version, family=family, address=address, port=port,
                      direction=direction, connection=connection or address)


class Message:
    """One SIP message: first line, headers in order, body. Header names compare without case."""

    def __init__(self, text, source=None):
        head, _, self.body = text.partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.first = lines[0]
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers.append((name.strip(), value.strip()))
        self.source = source
        self.text = text

    @property
    def status(self):
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self):
        return self.first.split()[0] if not self.status else self.get("CSeq").split()[1]

    @property
    def is_request(self):
        return self.status == 0

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def tag(self, name):
        found = re.search(r";tag=([^;>]+)", self.get(name) or "")
        return found.group(1) if found else None

    def uri(self, name):
        value = self.get(name)
        found = re.search(r"<([^>]+)>", value)
        return found.group(1) if found else value.split(";")[0]

    def __repr__(self):
        return self.first


class Peer:
    """A socket, a thread that reads it, and a queue of what came in."""

    def __init__(self, address="127.0.0.1", port=0, transport="udp", gateway=None):
        self.address, self.transport, self.gateway = address, transport, gateway
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.inbox = queue.Queue()
        self.sent, self.received = [], []  # every message, for topology.py
        self.kept = []
        self.returned = set()  # branches of requests
        self.closing = False
        self.connection = None
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(family, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.port = self.socket.getsockname()[1]
        self.answered_acks = []
        target = self._read_udp if transport == "udp" else self._accept
        if transport == "tcp":
            self.socket.listen(5)
        threading.Thread(target=target, daemon=True).start()

    @property
    def host(self):
        return f"[{self.address}]" if ":" in self.address else self.address

    def close(self):
        self.closing = True
        for s in (self.socket, self.connection):
            try:
                if s:
                    s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if s:
                s.close()

    def drop_connection(self):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection = None

    def _read_udp(self):
        while not self.closing:
            try:
                data, source = self.socket.recvfrom(65536)
            except OSError:
                return
            self._take(data, source)

    def _take(self, data, source):
        text = data.decode("utf-8", "replace")
        self.received.append(text)
        self.inbox.put(Message(text, source))

    def _accept(self):
        while not self.closing:
            try:
                connection, source = self.socket.accept()
            except OSError:
                return
            self.connection = connection
            threading.Thread(target=self._read_tcp, args=(connection, source), daemon=True).start()

    def connect(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.connection = socket.socket(family, socket.SOCK_STREAM)
        self.connection.bind((self.address, 0))
        self.connection.connect(self.gateway)
        threading.Thread(target=self._read_tcp, args=(self.connection, self.gateway), daemon=True).start()

    def _read_tcp(self, connection, source):
        data = b""
        while True:
            try:
                more = connection.recv(65536)
            except OSError:
                return
            if not more:
                if self.connection is connection:
                    self.connection = None  # the next request opens another
                return
            data += more
            while b"\r\n\r\n" in data:
                head, _, rest = data.partition(b"\r\n\r\n")
                found = re.search(rb"\r\n(?:Content-Length|l)\s*:\s*(\d+)", head, re.I)
                length = int(found.group(1)) if found else 0
                if len(rest) < length:
                    break
                self._take(head + b"\r\n\r\n" + rest[:length], source)
                data = rest[length:]

    def send_text(self, text, to=None):
        data = text.encode()
        if to is None or self.transport == "tcp" or to[:2] == self.gateway:
            self.sent.append(text)
        if self.transport == "udp":
            self.socket.sendto(data, to or self.gateway)
        else:
            if self.connection is None or self._is_closed(self.connection):
                self.connect()
            self.connection.sendall(data)

    @staticmethod
    def _is_closed(connection):
        """The other side has closed it, whether or not the reading thread knows yet; what is sent there is lost."""
        try:
            return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def expect(self, what, timeout=10.0, again=False):
        """The next message of this method (a request) or status (a response, e.g. 200 or "200 BYE"). Others are kept. A request,
        or a 2xx to an INVITE, that was returned before and is sent once more since its answer or its ACK took some time, is
        not meant; unless `again`."""
        deadline = time.monotonic() + timeout
        for i, message in enumerate(self.kept):
            if self.is_a(message, what, again):
                return self._returned(self.kept.pop(i))
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {what} within {timeout} s; came: {self.kept}")
            try:
                message = self.inbox.get(timeout=left)
            except queue.Empty:
                continue
            if self.is_a(message, what, again):
                return self._returned(message)
            self.kept.append(message)

    def _returned(self, message):
        repeated = message.method != "ACK" if message.is_request else message.method == "INVITE" and 200 <= message.status < 300
        if repeated:
            self.returned.add(message.text)
        return message

    @staticmethod
    def branch_of(message):
        return re.search(r";branch=([^;,\s]+)", message.get("Via")).group(1)

    def is_a(self, message, what, again=True):
        wanted, _, method = str(what).partition(" ")
        if not again and message.text in self.returned:
            return False
        if wanted.isdigit():
            return message.status == int(wanted) and (not method or message.method == method)
        return message.is_request and message.method == wanted

    def nothing(self, what, timeout=0.5):
        """No such message comes within the time, but for repetitions."""
        try:
            message = self.expect(what, timeout)
        except AssertionError:
            return
        raise AssertionError(f"unexpected {message} {message.headers}")

    def branch(self):
        return "z9hG4bK" + "".join(random.choices("0123456789abcdef", k=16))

    def via(self, branch=None):
        return f"SIP/2.0/{self.transport.upper()} {self.host}:{self.port};branch={branch or self.branch()};rport"

    def contact(self):
        suffix = ";transport=tcp" if self.transport == "tcp" else ""
        return f"<sip:peer{self.port}@{self.host}:{self.port}{suffix}>"

    def reply(self, request, status, phrase="Reply", body=None, tag="remote", headers=(), contact=True):
        to = request.get("To")
        if status > 100 and ";tag=" not in to:
            to += f";tag={tag}"
        lines = [f"SIP/2.0 {status} {phrase}"]
        lines += [f"Via: {v}" for v in request.all("Via")]
        lines += [f"Record-Route: {v}" for v in request.all("Record-Route")]
        lines += [f"From: {request.get('From')}", f"To: {to}", f"Call-ID: {request.get('Call-ID')}",
                  f"CSeq: {request.get('CSeq')}"]
        if contact:
            lines.append(f"Contact: {self.contact()}")
        lines += headers
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body or '')}")
        self.send_text("\r\n".join(lines) + "\r\n\r\n" + (body or ""), request.source)


class Dialog:
    """One dialog of a peer, as caller or as callee."""

    def __init__(self, peer, uri=None, user="alice", invite=None, tag=None):
        self.peer = peer
        self.cseq = random.randint(1, 1000)
        self.local_tag = tag or "%08x" % random.getrandbits(32)
        self.route = []
        if invite is None:
            self.call_id = "%016x@%s" % (random.getrandbits(64), peer.address.replace(":", "-"))
            self.local = f"<sip:{user}@{peer.host}>;tag={self.local_tag}"
            self.remote = f"<{uri}>"
            self.target = uri
        else:
            self.call_id = invite.get("Call-ID")
            self.local = invite.get("To") + f";tag={self.local_tag}"
            self.remote = invite.get("From")
            self.target = invite.uri("Contact")
        self.invite = invite

    def request_text(self, method, body=None, branch=None, cseq=None, headers=(), uri=None, contact=True):
        lines = [f"{method} {uri or self.target} SIP/2.0", f"Via: {self.peer.via(branch)}", "Max-Forwards: 70",
                 f"From: {self.local}", f"To: {self.remote}", f"Call-ID: {self.call_id}",
                 f"CSeq: {cseq or self.cseq} {method}"]
        if contact:
            lines.append(f"Contact: {self.peer.contact()}")
        lines += headers
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len((body or '').encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + (body or "")

    def send_invite(self, body=None, headers=()):
        self.cseq += 1
        self.invite_cseq = self.cseq
        self.invite_branch = self.peer.branch()
        self.invite_uri = self.target
        self.invite_text = self.request_text("INVITE", body, self.invite_branch, headers=headers)
        self.peer.send_text(self.invite_text)

    def cancel(self):
        self.peer.send_text(self.request_text("CANCEL", None, self.invite_branch, self.invite_cseq, uri=self.invite_uri,
                                              contact=False))

    def answered(self, response):
        """Takes the dialog from a response with a To tag."""
        self.remote = response.get("To")
        if response.get("Contact"):
            self.target = response.uri("Contact")

    def ack(self, response, body=None):
        if response.status < 300:
            self.answered(response)
            self.peer.send_text(self.request_text("ACK", body, cseq=self.invite_cseq))
        else:
            remote, self.remote = self.remote, response.get("To")
            self.peer.send_text(self.request_text("ACK", None, self.invite_branch, self.invite_cseq, uri=self.invite_uri,
                                                  contact=False))
            self.remote = remote

    def send(self, method, body=None, headers=()):
        self.cseq += 1
        self.peer.send_text(self.request_text(method, body, headers=headers))

    def bye(self, headers=()):
        self.send("BYE", headers=headers)

    def reply(self, status, phrase="Reply", body=None, headers=()):
        self.peer.reply(self.invite, status, phrase, body, self.local_tag, headers)
