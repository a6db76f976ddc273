# SPDX-License-Identifier: GPL-3.0-or-later
# A SIP phone of our own that does exactly what a test says, right or wrong, message by message. UDP or TCP.
# It is no SIP stack: a request's retransmission gets the last answer again, nothing of ours is retransmitted (veth loses
# nothing), and the test decides what is answered when.
import itertools
import random
import re
import socket
import threading
import time

from .netns import uri_host

_numbers = itertools.count(1)


class Message:
	def __init__(self, raw):
		head, _, self.body = raw.decode(errors="replace").partition("\r\n\r\n")
		self.first, *lines = head.split("\r\n")
		self.headers = []
		for line in lines:
			name, _, value = line.partition(":")
			self.headers.append((name.strip().lower(), value.strip()))
		match = re.match(r"SIP/2\.0 (\d+)", self.first)
		self.status = int(match[1]) if match else None
		self.method = None if match else self.first.split(" ")[0]

	def get(self, name, default=None):
		return next((value for key, value in self.headers if key == name), default)

	def all(self, name):
		return [value for key, value in self.headers if key == name]

	@property
	def cseq(self):
		number, method = self.get("cseq").split()
		return int(number), method

	@property
	def to_tag(self):
		match = re.search(r";tag=([^;>\s]+)", self.get("to", ""))
		return match[1] if match else None

	def recorded(self):
		"""The proxies that stay in the dialog, as they stand."""
		return [route for value in self.all("record-route") for route in re.findall(r"<[^>]+>", value)]

	def contact_uri(self):
		return re.search(r"<?(sips?:[^>;\s]+[^>\s]*)>?", self.get("contact"))[1]

	def __repr__(self):
		return f"{self.first} / {self.get('cseq')}"


class Sdp:
	"""Reads what a test wants to know of a description; m-lines by index."""

	def __init__(self, text):
		self.text = text
		session, *media = re.split(r"(?m)^(?=m=)", text.replace("\r\n", "\n"))
		self.session, self.media = session.splitlines(), [part.splitlines() for part in media]

	def attributes(self, name, index=0):
		"""Values of a=name in that m-line, else the session's."""
		def values(lines):
			return [line[2:].partition(":")[2] for line in lines if re.match(rf"a={name}(:|$)", line)]
		return values(self.media[index]) or values(self.session)

	def m(self, index=0):
		kind, port, proto, *formats = self.media[index][0][2:].split()
		return kind, int(port), proto, formats

	def address(self, index=0):
		line = next(line for line in self.media[index] + self.session if line.startswith("c="))
		return line.split()[2]

	def remote(self, index=0):
		return self.address(index), self.m(index)[1]

	def rtcp_remote(self, index=0):
		rtcp = self.attributes("rtcp", index)
		return self.address(index), int(rtcp[0].split()[0]) if rtcp else self.m(index)[1] + 1

	def direction(self, index=0):
		lines = self.media[index] + self.session
		return next((line[2:] for line in lines if line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive")), "sendrecv")

	def crypto(self, index=0):
		"""[(tag, suite, key)]"""
		return [(line.split()[0], line.split()[1], re.search(r"inline:([^|\s;]+)", line)[1])
			for line in self.attributes("crypto", index)]


def sdp(address, *sections, session=(), version=1):
	family = "IP6" if ":" in address else "IP4"
	lines = ["v=0", f"o=phone 4711 {version} IN {family} {address}", "s=-", f"c=IN {family} {address}", "t=0 0", *session]
	for section in sections:
		lines += section
	return "\r\n".join(lines) + "\r\n"


def audio_section(port, proto="RTP/AVP", *attributes, payload_types="0 101"):
	return [f"m=audio {port} {proto} {payload_types}", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000",
		*(f"a={attribute}" for attribute in attributes)]


class Dialog:
	"""What one call leg remembers: enough to send within it."""

	def __init__(self, phone, call_id, local, remote, target, cseq=1):
		self.phone, self.call_id, self.local, self.remote, self.target, self.cseq = phone, call_id, local, remote, target, cseq
		self.routes = []

	def request(self, method, body=None, headers=(), cseq=None):
		if cseq is None:
			self.cseq += 1
			cseq = self.cseq
		routes = [f"Route: {route}" for route in self.routes]
		target = self.phone._target(self.routes[0]) if self.routes else None
		return self.phone.send_request(method, self.target, self.call_id, self.local, self.remote, cseq, body, [*routes, *headers],
					       target=target)

	def ack(self, number):
		self.request("ACK", cseq=number)


class Phone:
	def __init__(self, ns, address, name="phone", port=5060, transport="udp"):
		self.ns, self.address, self.name, self.port, self.transport = ns, address, name, port, transport
		self.messages, self._taken = [], set()
		self._changed = threading.Condition()
		self.sent, self.received = [], [] # every message, as text, for topology.py
		ns.phones = [*getattr(ns, "phones", []), self]
		self._answers = {}       # (call-id, cseq, branch) -> bytes, for retransmitted requests
		self._streams = {}
		self._open = True
		if transport == "udp":
			self.socket = ns.udp(address, port)
			self.socket.settimeout(0.1)
			self._reader = threading.Thread(target=self._read_udp, daemon=True)
			self._reader.start()
		else:
			self.socket = ns.tcp_listen(address, port)
			threading.Thread(target=self._accept, daemon=True).start()

	# Transport

	def _read_udp(self):
		while self._open:
			try:
				raw, source = self.socket.recvfrom(65536)
			except socket.timeout:
				continue
			except OSError:
				return
			self._incoming(raw, source[:2])

	def _accept(self):
		while self._open:
			try:
				stream, source = self.socket.accept()
			except OSError:
				return
			self._adopt(stream, source[:2])

	def _adopt(self, stream, peer):
		self._streams[peer] = stream
		threading.Thread(target=self._read_stream, args=(stream, peer), daemon=True).start()

	def _read_stream(self, stream, peer):
		self._take_from(stream, peer)
		if self._streams.get(peer) is stream:
			del self._streams[peer] # closed: what is sent next opens another

	def _take_from(self, stream, peer):
		pending = b""
		stream.settimeout(None)
		while self._open:
			try:
				chunk = stream.recv(65536)
			except OSError:
				return
			if not chunk:
				return
			pending += chunk
			while b"\r\n\r\n" in pending:
				head, _, rest = pending.partition(b"\r\n\r\n")
				match = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
				size = int(match[1]) if match else 0
				if len(rest) < size:
					break
				self._incoming(head + b"\r\n\r\n" + rest[:size], peer)
				pending = rest[size:]

	def _send(self, raw, target):
		self.sent.append(raw.decode(errors="replace"))
		if self.transport == "udp":
			self.socket.sendto(raw, target)
			return
		if target not in self._streams:
			self._adopt(self.ns.tcp_connect(*target), target)
		self._streams[target].sendall(raw)

	def _incoming(self, raw, source):
		if not raw.strip():
			return
		message = Message(raw)
		message.source = source
		self.received.append(raw.decode(errors="replace"))
		if message.method:
			known = self._answers.get(self._key(message))
			if known:
				if message.method != "ACK":
					self._send(known, source)
				return
			if any(m.method and self._key(m) == self._key(message) for m in self.messages):
				return # a retransmission that the test has not answered yet
		with self._changed:
			self.messages.append(message)
			self._changed.notify_all()

	@staticmethod
	def _key(message):
		return message.get("call-id"), message.get("cseq"), message.all("via")[0]

	# Waiting

	def wait(self, wanted, timeout=10, what="message"):
		"""The first message, not taken before, for which wanted(message); takes it."""
		deadline = time.monotonic() + timeout
		with self._changed:
			while True:
				for index, message in enumerate(self.messages):
					if index not in self._taken and wanted(message):
						self._taken.add(index)
						return message
				left = deadline - time.monotonic()
				if left <= 0:
					rest = [m for i, m in enumerate(self.messages) if i not in self._taken]
					raise AssertionError(f"{self.name}: no {what} in {timeout} s; not taken: {rest}; all: {self.messages}")
				self._changed.wait(left)

	def untaken(self, method):
		"""Requests that have come and that nobody has waited for."""
		with self._changed:
			return [m for i, m in enumerate(self.messages) if i not in self._taken and m.method == method]

	def answered(self, number, method="INVITE"):
		"""Whether a final response to that CSeq has come."""
		with self._changed:
			return any(m.status >= 200 and m.cseq == (number, method) for m in self.messages if m.status)

	def wait_request(self, method, timeout=10):
		return self.wait(lambda m: m.method == method, timeout, method)

	def wait_response(self, number, method="INVITE", timeout=10, provisional=False):
		"""The next final (or any) response to that CSeq."""
		return self.wait(lambda m: m.status and m.cseq == (number, method) and (provisional or m.status >= 200), timeout,
				 f"response to {number} {method}")

	# Sending

	@property
	def contact(self):
		suffix = ";transport=tcp" if self.transport == "tcp" else ""
		return f"<sip:{self.name}@{uri_host(self.address)}:{self.port}{suffix}>"

	def send_request(self, method, uri, call_id, local, remote, cseq, body=None, headers=(), branch=None, target=None):
		branch = branch or f"z9hG4bK{random.getrandbits(64):x}"
		lines = [f"{method} {uri} SIP/2.0",
			 f"Via: SIP/2.0/{self.transport.upper()} {uri_host(self.address)}:{self.port};branch={branch};rport",
			 "Max-Forwards: 70", f"From: {local}", f"To: {remote}", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}",
			 f"Contact: {self.contact}", *headers]
		body = (body or "").encode()
		if body:
			lines.append("Content-Type: application/sdp")
		lines.append(f"Content-Length: {len(body)}")
		self._send("\r\n".join(lines).encode() + b"\r\n\r\n" + body, target or self._target(uri))
		return branch

	def _target(self, uri):
		match = re.search(r"sips?:(?:[^@>]*@)?(\[[^\]]+\]|[^:;>]+)(?::(\d+))?", uri)
		return match[1].strip("[]"), int(match[2] or 5060)

	def invite(self, uri, body, headers=(), cseq=1):
		"""Sends an INVITE; returns its dialog, not yet confirmed. dialog.branch serves cancel()."""
		call_id = f"e2e-{next(_numbers)}-{random.getrandbits(48):x}"
		local = f"<sip:{self.name}@{uri_host(self.address)}>;tag={random.getrandbits(32):x}"
		dialog = Dialog(self, call_id, local, f"<{uri}>", uri, cseq)
		dialog.uri = uri
		dialog.branch = self.send_request("INVITE", uri, call_id, local, dialog.remote, cseq, body, headers)
		return dialog

	def cancel(self, dialog):
		self.send_request("CANCEL", dialog.uri, dialog.call_id, dialog.local, f"<{dialog.uri}>", dialog.cseq,
				  branch=dialog.branch)

	def confirm(self, dialog, response, ack=True):
		"""A 2xx has come: the dialog takes its tag and target, and ACKs."""
		dialog.remote = response.get("to")
		dialog.target, dialog.routes = response.contact_uri(), response.recorded()[::-1]
		if ack:
			dialog.ack(response.cseq[0])

	def ack_failure(self, dialog, response):
		self.send_request("ACK", dialog.uri, dialog.call_id, dialog.local, response.get("to"), response.cseq[0],
				  branch=dialog.branch)

	def answer(self, request, status, reason="Reason", body=None, tag=None, headers=()):
		to = request.get("to")
		if status > 100 and not request.to_tag:
			request.our_tag = tag or getattr(request, "our_tag", None) or f"{random.getrandbits(32):x}"
			to += f";tag={request.our_tag}"
		lines = [f"SIP/2.0 {status} {reason}", *(f"Via: {via}" for via in request.all("via")),
			 *(f"Record-Route: {route}" for route in request.all("record-route")), f"From: {request.get('from')}",
			 f"To: {to}", f"Call-ID: {request.get('call-id')}", f"CSeq: {request.get('cseq')}",
			 f"Contact: {self.contact}", *headers]
		body = (body or "").encode()
		if body:
			lines.append("Content-Type: application/sdp")
		lines.append(f"Content-Length: {len(body)}")
		raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
		if status >= 200:
			self._answers[self._key(request)] = raw
		self._send(raw, request.source)
		return to

	def accept(self, invite, body, headers=()):
		"""200 with a description; returns the dialog."""
		local = self.answer(invite, 200, "OK", body, headers=headers)
		dialog = Dialog(self, invite.get("call-id"), local, invite.get("from"), invite.contact_uri(), 100)
		dialog.routes = invite.recorded()
		return dialog

	def take_bye(self, timeout=10):
		bye = self.wait_request("BYE", timeout)
		self.answer(bye, 200, "OK")
		return bye

	def close(self):
		self._open = False
		if self.transport == "udp":
			self._reader.join(2) # a thread inside recvfrom() would keep the port
		self.socket.close()
		for stream in list(self._streams.values()):
			try:
				stream.shutdown(socket.SHUT_RDWR)
			except OSError:
				pass
			stream.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
