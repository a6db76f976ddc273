# SPDX-License-Identifier: GPL-3.0-or-later
# What stands between a peer and the gateway's media port: an ICE-lite agent (RFC 8445, 8489) for a peer that wants ICE, of
# which the gateway does none, and a forwarder of everything else, for a peer whose two directions have a socket each.
import hashlib
import hmac
import re
import secrets
import select
import socket
import struct
import threading
import zlib

COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS, USE_CANDIDATE, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x0025, 0x8028


def attribute(kind, value):
	return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def attributes(message):
	"""[(type, value, where it begins)]"""
	found, at = [], 20
	while at + 4 <= len(message):
		kind, size = struct.unpack_from("!HH", message, at)
		found.append((kind, message[at + 4:at + 4 + size], at))
		at += 4 + size + (-size % 4)
	return found


def _sized(message, more):
	"""The message as if `more` octets followed: that is what integrity and fingerprint are taken over."""
	return message[:2] + struct.pack("!H", len(message) - 20 + more) + message[4:]


def _integrity(message, password):
	return hmac.new(password.encode(), _sized(message, 24), hashlib.sha1).digest()


def _fingerprint(message):
	return struct.pack("!I", zlib.crc32(_sized(message, 8)) ^ 0x5354554E)


def sound(message, username, password):
	"""A binding request for `username`, of one who knows the password, unbroken."""
	if len(message) < 20 or struct.unpack_from("!HHI", message)[0::2] != (BINDING_REQUEST, COOKIE):
		return False
	held = {kind: (value, at) for kind, value, at in attributes(message)}
	if not {USERNAME, MESSAGE_INTEGRITY, FINGERPRINT} <= held.keys():
		return False
	(name, _), (code, at), (crc, end) = held[USERNAME], held[MESSAGE_INTEGRITY], held[FINGERPRINT]
	return (name.decode(errors="replace").split(":")[0] == username and crc == _fingerprint(message[:end])
		and hmac.compare_digest(code, _integrity(message[:at], password)))


def success(request, source, password):
	port = source[1] ^ COOKIE >> 16
	host = struct.unpack("!I", socket.inet_aton(source[0]))[0] ^ COOKIE
	message = struct.pack("!HH", BINDING_SUCCESS, 0) + request[4:20]
	message += attribute(XOR_MAPPED_ADDRESS, struct.pack("!BBHI", 0, 1, port, host))
	message += attribute(MESSAGE_INTEGRITY, _integrity(message, password))
	return _sized(message + attribute(FINGERPRINT, _fingerprint(message)), 0)


class Front:
	"""`inner` is what the peer sees, `outer` what the gateway sees. ICE: the peer is where its checks come from, and nothing
	passes before. No ICE: `peer` says where it listens."""

	def __init__(self, ns, address, peer=None, peer_side=None):
		self.inner, self.outer = ns.udp(peer_side or address), ns.udp(address)
		self.address, self.port = self.outer.getsockname()[:2]
		self.candidate = self.inner.getsockname()[:2]
		self.ice, self.peer, self.gateway = peer is None, peer, None
		self.checks = self.nominated = self.refused = 0
		self.early = [] # from the gateway, before the peer was known
		self.restart()
		self._open = True
		self._thread = threading.Thread(target=self._work, daemon=True)
		self._thread.start()

	def restart(self):
		self.username, self.password = secrets.token_hex(4), secrets.token_hex(12)

	def _work(self):
		while self._open:
			for ready in select.select([self.inner, self.outer], [], [], 0.1)[0]:
				try:
					datagram, source = ready.recvfrom(4096)
				except OSError:
					continue
				if ready is self.outer:
					self._to_peer(datagram)
				elif self.ice and datagram[:1] <= b"\x03":
					self._check(datagram, source)
				elif self.gateway:
					self.outer.sendto(datagram, self.gateway)

	def _to_peer(self, datagram):
		if self.peer:
			self.inner.sendto(datagram, self.peer)
		else:
			self.early.append(datagram)

	def _check(self, request, source):
		if not sound(request, self.username, self.password):
			self.refused += 1
			return
		self.checks += 1
		self.nominated += any(kind == USE_CANDIDATE for kind, _, _ in attributes(request))
		self.inner.sendto(success(request, source, self.password), source)
		if self.peer is None:
			self.peer = source
			for datagram in self.early:
				self._to_peer(datagram)

	def close(self):
		self._open = False
		self._thread.join(2)
		self.inner.close()
		self.outer.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()

	# Descriptions

	def without_ice(self, text):
		"""The browser's description as one of a phone at our outer port."""
		lines = [line for line in text.splitlines() if not re.match(r"a=(ice-|candidate|end-of-candidates|rtcp:|group:)", line)]
		text = "\r\n".join(lines) + "\r\n"
		text = re.sub(r"(?m)^c=IN IP4 \S+", f"c=IN IP4 {self.address}", text)
		return re.sub(r"(?m)^(m=audio) \d+", rf"\1 {self.port}", text)

	def with_ice(self, text, mid="0"):
		"""The gateway's description as a browser wants it: our candidate, lite, one bundle. Remembers the gateway's port."""
		session, _, media = text.replace("\r\n", "\n").partition("\nm=")
		host = re.search(r"(?m)^c=IN IP4 (\S+)", media) or re.search(r"(?m)^c=IN IP4 (\S+)", session)
		self.gateway = host[1], int(media.split()[1])
		media = re.sub(r"^audio \d+", f"audio {self.candidate[1]}", media)
		added = [f"a=ice-ufrag:{self.username}", f"a=ice-pwd:{self.password}",
			 f"a=candidate:1 1 udp 2130706431 {self.candidate[0]} {self.candidate[1]} typ host", "a=end-of-candidates"]
		if not re.search(r"(?m)^a=mid:", media):
			added.append(f"a=mid:{mid}")
		group = [] if "\na=group:BUNDLE" in session else [f"a=group:BUNDLE {mid}"]
		lines = [*session.split("\n"), *group, "a=ice-lite", *("m=" + media.rstrip("\n")).split("\n"), *added]
		return "\r\n".join(lines) + "\r\n"
