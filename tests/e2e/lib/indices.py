# SPDX-License-Identifier: GPL-3.0-or-later
# The judge of a secured leg's wire: holds the keys, knows nothing of the gateway's counters, and says of each datagram what it was.
# The roll-over counter is not guessed: it is the one under which the tag is good.
import collections
import hmac
import struct

from . import srtp
from .capture import Rtp, kind_of

ROCS = 8 # as many wraps are looked for


class Verdict:
	def __init__(self):
		self.kinds = collections.Counter() # of what may be there
		self.foreign = []                  # (datagram, why): what may not
		self.repeated = []                 # (key, kind, SSRC, index) that were used before
		self.used = set()
		self.highest = {}                  # (key, SSRC) -> highest RTP index

	@property
	def good(self):
		return not self.foreign and not self.repeated

	def __repr__(self):
		wrong = [f"{d.source}:{d.source_port} > {d.target}:{d.target_port} {why} {d.payload[:16].hex()}"
			 for d, why in self.foreign[:5]]
		return f"{dict(self.kinds)}, foreign {len(self.foreign)} {wrong}, repeated {len(self.repeated)} {self.repeated[:5]}"


def _well_formed_dtls(payload):
	"""Whole records, nothing behind them. DTLS 1.3 protects its own under a short header (RFC 9147 4)."""
	at = 0
	while at < len(payload):
		if payload[at] & 0xE0 == 0x20:
			return not payload[at] & 0x04 or len(payload) > at + 5
		if len(payload) - at < 13 or payload[at] not in (20, 21, 22, 26) or payload[at + 1:at + 3] not in (b"\xfe\xff", b"\xfe\xfd"):
			return False
		at += 13 + struct.unpack_from("!H", payload, at + 11)[0]
	return at == len(payload)


class Judge:
	def __init__(self, *contexts):
		"""Of the keys under which the observed side sends; more may follow."""
		self.contexts = list(contexts)
		self.verdict = Verdict()

	def add(self, context):
		if all(context.master != known.master for known in self.contexts):
			self.contexts.append(context)

	@staticmethod
	def _rtp_index(context, packet, near):
		"""The index for which the tag is good; None: for none."""
		rtp = Rtp(packet)
		key, auth, salt = context._rtp
		rocs = sorted(range(ROCS), key=lambda roc: abs(roc - (near >> 16)))
		if context.suite.aead:
			header, sealed = packet[:rtp.header_size], packet[rtp.header_size:]
			for roc in rocs:
				index = roc << 16 | rtp.sequence
				if srtp._cipher("gcm", key, context._iv(salt, rtp.ssrc, index), sealed[:-16], encrypt=False, aad=header,
						tag=sealed[-16:]) is not None:
					return index
			return None
		mac = hmac.new(auth, packet[:-context.suite.tag], "sha1")
		for roc in rocs:
			attempt = mac.copy()
			attempt.update(struct.pack("!I", roc))
			if attempt.digest()[:context.suite.tag] == packet[-context.suite.tag:]:
				return roc << 16 | rtp.sequence
		return None

	@staticmethod
	def _rtcp_index(context, packet):
		key, auth, salt = context._rtcp
		if context.suite.aead:
			word, sealed = packet[-4:], packet[8:-4]
			index = struct.unpack("!I", word)[0]
			iv = context._iv(salt, struct.unpack_from("!I", packet, 4)[0], index & 0x7FFFFFFF)
			good = srtp._cipher("gcm", key, iv, sealed[:-16], encrypt=False, aad=packet[:8] + word,
					    tag=sealed[-16:]) is not None
		else:
			index = struct.unpack("!I", packet[-14:-10])[0]
			good = hmac.digest(auth, packet[:-10], "sha1")[:10] == packet[-10:]
		return index & 0x7FFFFFFF if good and index & 0x80000000 else None # E = 0 is a packet in clear

	def _find(self, kind, packet):
		ssrc = struct.unpack_from("!I", packet, 8 if kind == "rtp" else 4)[0]
		for number in reversed(range(len(self.contexts))):
			context = self.contexts[number]
			if kind == "rtp":
				index = self._rtp_index(context, packet, self.verdict.highest.get((number, ssrc), 0))
			else:
				index = self._rtcp_index(context, packet)
			if index is not None:
				return number, ssrc, index
		return None

	def look(self, datagram):
		packet, verdict = datagram.payload, self.verdict
		kind = kind_of(packet)
		if kind == "dtls":
			if not _well_formed_dtls(packet):
				return verdict.foreign.append((datagram, "no DTLS records"))
		elif kind in ("rtp", "rtcp"):
			if len(packet) < 24:
				return verdict.foreign.append((datagram, "too short to be authenticated"))
			found = self._find(kind, packet)
			if found is None:
				return verdict.foreign.append((datagram, f"{kind} under no key"))
			number, ssrc, index = found
			if (number, kind, ssrc, index) in verdict.used:
				verdict.repeated.append((number, kind, ssrc, index))
			verdict.used.add((number, kind, ssrc, index))
			if kind == "rtp":
				verdict.highest[number, ssrc] = max(index, verdict.highest.get((number, ssrc), 0))
		elif kind != "stun":
			return verdict.foreign.append((datagram, kind))
		verdict.kinds[kind] += 1

	def judge(self, datagrams):
		for datagram in datagrams:
			self.look(datagram)
		return self.verdict


def fresh(context):
	"""The same key, nothing seen yet."""
	return srtp.Context(context.suite.name, context.master)


def media_of(capture, source, target=None):
	"""What one address sent, signalling aside."""
	return [d for d in capture.datagrams()
		if d.source == source and target in (None, d.target) and 5060 not in (d.source_port, d.target_port)]
