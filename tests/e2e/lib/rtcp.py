# SPDX-License-Identifier: GPL-3.0-or-later
# RTCP written by a test, right or wrong on purpose, and a second reader of it.
import collections
import hmac
import struct
import threading

SR, RR, SDES, BYE, APP, RTPFB, PSFB, XR = range(200, 208)
Part = collections.namedtuple("Part", "kind count body") # body: what is behind the first word


def part(count, kind, body):
	return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def block(ssrc, fraction=0, lost=0, highest=1000, jitter=0, lsr=0, dlsr=0.0):
	return struct.pack("!IIIIII", ssrc, fraction << 24 | lost & 0xFFFFFF, highest, jitter, lsr, round(dlsr * 65536))


def sender_report(ssrc, ntp=0x83AA7E8000000000, blocks=()):
	return part(len(blocks), SR, struct.pack("!IQIII", ssrc, ntp, 0, 1, 160) + b"".join(blocks))


def receiver_report(ssrc, *blocks):
	return part(len(blocks), RR, struct.pack("!I", ssrc) + b"".join(blocks))


def description(ssrc, name=b"phone@test"):
	item = b"\x01" + bytes([len(name)]) + name
	return part(1, SDES, struct.pack("!I", ssrc) + item.ljust((len(item) // 4 + 1) * 4, b"\0"))


def bye(ssrc, reason=b"done"):
	text = bytes([len(reason)]) + reason
	return part(1, BYE, struct.pack("!I", ssrc) + text.ljust((len(text) + 3) // 4 * 4, b"\0"))


def nack(ssrc, media, first=7):
	return part(1, RTPFB, struct.pack("!IIHH", ssrc, media, first, 0))


def picture_loss(ssrc, media):
	return part(1, PSFB, struct.pack("!II", ssrc, media))


def parts(packet):
	"""The packets of a compound; raises if lengths do not add up."""
	found, at = [], 0
	while at < len(packet):
		first, kind, words = struct.unpack_from("!BBH", packet, at)
		size = 4 * (words + 1)
		assert first >> 6 == 2 and at + size <= len(packet), packet.hex()
		found.append(Part(kind, first & 31, packet[at + 4:at + size]))
		at += size
	return found


def ntp_middle(packet):
	"""What an LSR says of the sender report that this packet begins with."""
	return struct.unpack_from("!I", packet, 10)[0]


def sealed_in_clear(context, packet):
	"""SRTCP whose tag is right and whose E bit is 0 (AES-CM suites)."""
	context._rtcp_index += 1
	body = packet + struct.pack("!I", context._rtcp_index)
	return body + hmac.digest(context._rtcp[1], body, "sha1")[:10]


class Judge:
	"""Holds datagrams against the keys of whoever sent them: what is not SRTCP that verifies, and indices that came twice."""

	def __init__(self, *contexts):
		self.contexts, self.verified, self.foreign, self.repeated = contexts, [], [], 0
		self._seen = set()

	def look(self, datagrams):
		for d in datagrams:
			for number, context in enumerate(self.contexts):
				plain = context.unprotect_rtcp(d.payload) if len(d.payload) >= 32 - 8 else None
				if plain is not None:
					name = number, struct.unpack_from("!I", d.payload, 4)[0], context.rtcp_indices[-1]
					self.repeated += name in self._seen
					self._seen.add(name)
					self.verified.append(plain)
					break
			else:
				self.foreign.append(d)
		return self

	def __repr__(self):
		return f"{len(self.verified)} verified, {len(self.foreign)} not, {self.repeated} indices twice"


class Stream:
	"""Sends RTCP over and over, whatever the call is at, until it is stopped."""

	def __init__(self, media, packets, interval=0.01):
		self._media, self._packets, self._interval = media, packets, interval
		self.sent, self._stop = 0, threading.Event()
		self._thread = threading.Thread(target=self._run, daemon=True)
		self._thread.start()

	def _run(self):
		while not self._stop.is_set():
			if self._media.remote:
				try:
					self._media.send_rtcp(self._packets[self.sent % len(self._packets)])
					self.sent += 1
				except OSError:
					pass # the port may be gone at either end of the call
			self._stop.wait(self._interval)

	def stop(self):
		self._stop.set()
		self._thread.join(5)
		return self.sent
