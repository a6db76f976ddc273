# SPDX-License-Identifier: GPL-3.0-or-later
# RTP header extensions (RFC 8285), and SRTP that encrypts them: element by element (RFC 6904), or whole with the CSRCs
# (RFC 9335, cryptex); and packets that name their key (MKI, RFC 3711 3.1). Written from the texts, as srtp.py is.
import base64
import functools
import hmac
import re
import struct

from . import srtp
from .capture import Rtp
from .leg import Leg

ONE_BYTE, CRYPTEX_ONE_BYTE = 0xBEDE, 0xC0DE


def packet(media, payload, elements=(), csrcs=()):
	"""The next RTP packet of `media`, with one-byte elements [(id, bytes)] and CSRCs."""
	plain = type(media).packet(media, payload)
	first = plain[0] | len(csrcs) | (0x10 if elements else 0)
	body = b"".join(bytes([number << 4 | len(data) - 1]) + data for number, data in elements)
	body += bytes(-len(body) % 4)
	extension = struct.pack("!HH", ONE_BYTE, len(body) // 4) + body if elements else b""
	return bytes([first]) + plain[1:12] + b"".join(c.to_bytes(4, "big") for c in csrcs) + extension + payload


def split(raw):
	"""(fixed header, CSRCs, extension's own header or b"", its data, payload)"""
	csrcs = 12 + 4 * (raw[0] & 0x0F)
	end = Rtp(raw).header_size
	own = csrcs + 4 if raw[0] & 0x10 else csrcs
	return raw[:12], raw[12:csrcs], raw[csrcs:own], raw[own:end], raw[end:]


def elements(raw):
	"""[(id, bytes)] of a packet's one-byte extension; what is not one gives none."""
	_, _, own, data, _ = split(raw)
	if own[:2] != struct.pack("!H", ONE_BYTE):
		return []
	return [(number, data[start:end]) for number, start, end in _places(data)]


def _places(data):
	"""Where the one-byte elements' data lie: (id, start, end)."""
	at, found = 0, []
	while at < len(data):
		number, size = data[at] >> 4, (data[at] & 0x0F) + 1
		if data[at] == 0: # padding
			at += 1
			continue
		if number == 15:
			break
		found.append((number, at + 1, at + 1 + size))
		at += 1 + size
	return found


class Sealed(srtp.Context):
	"""One direction. encrypted: ids after RFC 6904. With cryptex all of it is, and what comes in the clear is no error."""

	def __init__(self, suite, master, mki=b"", encrypted=(), cryptex=False):
		super().__init__(suite, master)
		self.mki, self.encrypted, self.cryptex = mki, set(encrypted), cryptex
		key, salt = master[:self.suite.key], master[self.suite.key:]
		self._header = [srtp._derive(key, salt, 0x06, self.suite.key), srtp._derive(key, salt, 0x07, self.suite.salt)]
		self.wrong_mki = self.cryptex_seen = 0

	# The MKI stands before the tag; with AEAD, where ciphertext and tag are one, behind it.
	def _tail(self, rtcp=False):
		return 0 if self.suite.aead else 10 if rtcp else self.suite.tag

	def _insert(self, sealed, rtcp=False):
		at = len(sealed) - self._tail(rtcp)
		return sealed[:at] + self.mki + sealed[at:]

	def _remove(self, raw, rtcp=False):
		at = len(raw) - self._tail(rtcp)
		if raw[at - len(self.mki):at] != self.mki:
			self.wrong_mki += 1
			return None
		return raw[:at - len(self.mki)] + raw[at:]

	def _mask(self, raw, index):
		"""RFC 6904 3: a keystream as long as the extension, on the encrypted elements' data alone."""
		fixed, csrcs, own, data, payload = split(raw)
		if not own or not self.encrypted:
			return raw
		assert not self.suite.aead, "not needed here"
		key, salt = self._header
		stream = srtp._cipher("ctr", key, self._iv(salt, Rtp(raw).ssrc, index), bytes(len(data)))
		data = bytearray(data)
		for number, start, end in _places(bytes(data)):
			if number in self.encrypted:
				data[start:end] = srtp._xor(bytes(data[start:end]), stream[start:end])
		return fixed + csrcs + own + bytes(data) + payload

	def protect(self, raw):
		rtp = Rtp(raw)
		index = self._guess(rtp.ssrc, rtp.sequence)
		if self.cryptex and raw[0] & 0x1F:
			return self._insert(self._seal_cryptex(raw, index))
		return self._insert(super().protect(self._mask(raw, index)))

	def _seal_cryptex(self, raw, index):
		rtp = Rtp(raw)
		self._newest[rtp.ssrc] = max(index, self._newest.get(rtp.ssrc, 0))
		fixed, csrcs, own, data, payload = split(raw)
		fixed = bytes([fixed[0] | 0x10]) + fixed[1:]
		own = struct.pack("!H", CRYPTEX_ONE_BYTE) + (own[2:] or bytes(2))
		key, auth, salt = self._rtp
		iv = self._iv(salt, rtp.ssrc, index)
		if self.suite.aead:
			sealed = srtp._cipher("gcm", key, iv, csrcs + data + payload, aad=fixed + own)
			return fixed + sealed[:len(csrcs)] + own + sealed[len(csrcs):]
		sealed = srtp._cipher("ctr", key, iv, csrcs + data + payload)
		body = fixed + sealed[:len(csrcs)] + own + sealed[len(csrcs):]
		return body + hmac.digest(auth, body + struct.pack("!I", index >> 16), "sha1")[:self.suite.tag]

	def _open_cryptex(self, raw):
		rtp = Rtp(raw)
		index = self._guess(rtp.ssrc, rtp.sequence)
		key, auth, salt = self._rtp
		iv = self._iv(salt, rtp.ssrc, index)
		tag = raw[-self.suite.tag:]
		fixed, csrcs, own, data, payload = split(raw[:-self.suite.tag])
		sealed = csrcs + data + payload
		if self.suite.aead:
			plain = srtp._cipher("gcm", key, iv, sealed, encrypt=False, aad=fixed + own, tag=tag)
		else:
			made = hmac.digest(auth, raw[:-self.suite.tag] + struct.pack("!I", index >> 16), "sha1")[:self.suite.tag]
			plain = srtp._cipher("ctr", key, iv, sealed) if made == tag else None
		if not self._counts(rtp.ssrc, index, plain):
			return None
		self.cryptex_seen += 1
		own = struct.pack("!H", ONE_BYTE) + own[2:]
		return fixed + plain[:len(csrcs)] + own + plain[len(csrcs):]

	def unprotect(self, raw):
		raw = self._remove(raw)
		if raw is None:
			return None
		if raw[0] & 0x10 and split(raw)[2][:2] == struct.pack("!H", CRYPTEX_ONE_BYTE):
			assert self.cryptex, "cryptex without having been negotiated"
			return self._open_cryptex(raw)
		index = self._guess(Rtp(raw).ssrc, Rtp(raw).sequence)
		plain = super().unprotect(raw)
		return None if plain is None else self._mask(plain, index)

	def protect_rtcp(self, raw):
		return self._insert(super().protect_rtcp(raw), rtcp=True)

	def unprotect_rtcp(self, raw):
		raw = self._remove(raw, rtcp=True)
		return None if raw is None else super().unprotect_rtcp(raw)


class SealedLeg(Leg):
	"""An SDES phone with these forms. mki: (value, octets) of its own key; elements and csrcs stand in each packet."""

	def __init__(self, *args, mki=None, encrypted=(), cryptex=False, elements=(), csrcs=(), **kwargs):
		super().__init__(*args, keying="sdes", **kwargs)
		self.mki, self.encrypted, self.cryptex = mki, encrypted, cryptex
		if cryptex:
			self.extra.append("cryptex")
		self.media.packet = functools.partial(packet, self.media, elements=elements, csrcs=csrcs)

	def _describe(self, attributes, direction="sendrecv"):
		if self.mki:
			attributes = [f"{line}|2^31|{self.mki[0]}:{self.mki[1]}" if line.startswith("crypto:") else line
				      for line in attributes]
		return super()._describe(attributes, direction)

	def _seal(self, line):
		suite, key = line.split()[1], re.search(r"inline:([^|\s]+)", line)[1]
		theirs = re.search(r"\|(\d+):(\d+)", line)
		theirs = int(theirs[1]).to_bytes(int(theirs[2]), "big") if theirs else b""
		ours = self.mki[0].to_bytes(self.mki[1], "big") if self.mki else b""
		cryptex = self.cryptex and bool(self.described.attributes("cryptex"))
		self.media.sdes(Sealed(suite, base64.b64decode(key), theirs, self.encrypted, cryptex),
				Sealed(suite, self.masters[suite], ours, self.encrypted, cryptex))

	def take_answer(self, text):
		super().take_answer(text)
		self._seal(self.described.attributes("crypto")[0])

	def begin_answer(self, text):
		answer = super().begin_answer(text)
		self._seal(next(line for line in self.described.attributes("crypto") if line.split()[1] in self.suites))
		return answer
