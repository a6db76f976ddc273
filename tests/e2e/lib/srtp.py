# SPDX-License-Identifier: GPL-3.0-or-later
# SRTP and SRTCP written down a second time, straight from RFC 3711, 6188 and 7714, so that the tests judge the gateway by
# something that shares no line with it. AES is the system's libcrypto. A few hundred packets a second; no more is needed.
import base64
import collections
import ctypes
import ctypes.util
import hmac
import os
import struct

from .capture import Rtp

Suite = collections.namedtuple("Suite", "name key salt tag aead")

SUITES = {suite.name: suite for suite in (
	Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 10, False),
	Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, 4, False),
	Suite("AES_192_CM_HMAC_SHA1_80", 24, 14, 10, False),
	Suite("AES_192_CM_HMAC_SHA1_32", 24, 14, 4, False),
	Suite("AES_256_CM_HMAC_SHA1_80", 32, 14, 10, False),
	Suite("AES_256_CM_HMAC_SHA1_32", 32, 14, 4, False),
	Suite("AEAD_AES_128_GCM", 16, 12, 16, True),
	Suite("AEAD_AES_256_GCM", 32, 12, 16, True),
)}

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for _name in ("EVP_aes_128_ecb", "EVP_aes_256_ecb", "EVP_aes_128_ctr", "EVP_aes_192_ctr", "EVP_aes_256_ctr",
	      "EVP_aes_128_gcm", "EVP_aes_256_gcm", "EVP_CIPHER_CTX_new"):
	getattr(_crypto, _name).restype = ctypes.c_void_p
_crypto.EVP_CipherInit_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p,
				      ctypes.c_char_p, ctypes.c_int]
_crypto.EVP_CipherUpdate.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int), ctypes.c_char_p,
				     ctypes.c_int]
_crypto.EVP_CipherFinal_ex.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int)]
_crypto.EVP_CIPHER_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
_crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]
_GET_TAG, _SET_TAG = 0x10, 0x11


def _cipher(mode, key, iv, data, encrypt=True, aad=None, tag=None):
	"""Output; for GCM when encrypting with the tag behind it, when decrypting None for a bad tag."""
	context = _crypto.EVP_CIPHER_CTX_new()
	try:
		kind = getattr(_crypto, f"EVP_aes_{len(key) * 8}_{mode}")()
		assert _crypto.EVP_CipherInit_ex(context, kind, None, key, iv, int(encrypt)) == 1
		out, size = ctypes.create_string_buffer(len(data) + 32), ctypes.c_int()
		if aad:
			assert _crypto.EVP_CipherUpdate(context, None, ctypes.byref(size), aad, len(aad)) == 1
		if tag is not None:
			_crypto.EVP_CIPHER_CTX_ctrl(context, _SET_TAG, len(tag), tag)
		total = 0
		if data:
			assert _crypto.EVP_CipherUpdate(context, out, ctypes.byref(size), data, len(data)) == 1
			total = size.value
		if mode == "gcm":
			rest = ctypes.create_string_buffer(32)
			if _crypto.EVP_CipherFinal_ex(context, rest, ctypes.byref(size)) != 1:
				return None
			if encrypt:
				made = ctypes.create_string_buffer(16)
				_crypto.EVP_CIPHER_CTX_ctrl(context, _GET_TAG, 16, made)
				return out.raw[:total] + made.raw
		return out.raw[:total]
	finally:
		_crypto.EVP_CIPHER_CTX_free(context)


def _xor(a, b):
	return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def _derive(key, salt, label, size):
	"""RFC 3711 4.3.1 with key_derivation_rate 0; the salt is that of AES-CM, 112 bits (RFC 7714 12: 96 zero-padded)."""
	x = int.from_bytes(salt.ljust(14, b"\0"), "big") ^ label << 48
	return _cipher("ctr", key, (x << 16).to_bytes(16, "big"), bytes(size))


class Context:
	"""One direction: the master key of whoever sends. Knows every SSRC's index; tells a repeated one."""

	def __init__(self, suite, master):
		self.suite = suite = SUITES[suite]
		assert len(master) == suite.key + suite.salt, (suite.name, len(master))
		self.master = master
		key, salt = master[:suite.key], master[suite.key:]
		rest = (0x01, 0x04) # authentication keys
		self._rtp = [_derive(key, salt, 0x00, suite.key), _derive(key, salt, rest[0], 20),
			     _derive(key, salt, 0x02, suite.salt)]
		self._rtcp = [_derive(key, salt, 0x03, suite.key), _derive(key, salt, rest[1], 20),
			      _derive(key, salt, 0x05, suite.salt)]
		self._newest = {}    # ssrc -> 48 bit index
		self._seen = set()
		self._rtcp_index = 0
		self.rtcp_indices = []  # of what was opened, in order of arrival
		self.bad = self.repeated = 0

	@classmethod
	def from_inline(cls, suite, inline):
		"""The key of an a=crypto line, before any |lifetime|MKI."""
		return cls(suite, base64.b64decode(inline.split("|")[0]))

	def _iv(self, salt, ssrc, index, rtcp=False):
		if self.suite.aead:
			return _xor(salt, struct.pack("!HI", 0, ssrc) + index.to_bytes(6, "big"))
		return (int.from_bytes(salt, "big") << 16 ^ ssrc << 64 ^ index << 16).to_bytes(16, "big")

	def _guess(self, ssrc, sequence):
		newest = self._newest.get(ssrc)
		if newest is None:
			return sequence
		roc = newest >> 16
		candidates = [((roc + step) << 16) + sequence for step in (-1, 0, 1) if roc + step >= 0]
		return min(candidates, key=lambda index: abs(index - newest))

	def protect(self, packet):
		rtp = Rtp(packet)
		index = self._guess(rtp.ssrc, rtp.sequence)
		self._newest[rtp.ssrc] = max(index, self._newest.get(rtp.ssrc, 0))
		key, auth, salt = self._rtp
		header = packet[:rtp.header_size]
		iv = self._iv(salt, rtp.ssrc, index)
		if self.suite.aead:
			return header + _cipher("gcm", key, iv, rtp.body, aad=header)
		body = header + _cipher("ctr", key, iv, rtp.body)
		return body + hmac.digest(auth, body + struct.pack("!I", index >> 16), "sha1")[:self.suite.tag]

	def _counts(self, ssrc, index, plain):
		"""Whether what was opened (None: it was not) is good, and new."""
		if plain is None:
			self.bad += 1
			return False
		if (ssrc, index) in self._seen:
			self.repeated += 1
			return False
		self._seen.add((ssrc, index))
		self._newest[ssrc] = max(index, self._newest.get(ssrc, 0))
		return True

	def unprotect(self, packet):
		"""The RTP packet, or None (counted as bad or repeated)."""
		rtp = Rtp(packet)
		index = self._guess(rtp.ssrc, rtp.sequence)
		key, auth, salt = self._rtp
		header, tag = packet[:rtp.header_size], packet[-self.suite.tag:]
		iv = self._iv(salt, rtp.ssrc, index)
		body = packet[rtp.header_size:-self.suite.tag]
		if self.suite.aead:
			plain = _cipher("gcm", key, iv, body, encrypt=False, aad=header, tag=tag)
		else:
			made = hmac.digest(auth, header + body + struct.pack("!I", index >> 16), "sha1")
			plain = _cipher("ctr", key, iv, body) if made[:self.suite.tag] == tag else None
		return header + plain if self._counts(rtp.ssrc, index, plain) else None

	def protect_rtcp(self, packet):
		self._rtcp_index += 1
		word = struct.pack("!I", 0x80000000 | self._rtcp_index)
		key, auth, salt = self._rtcp
		iv = self._iv(salt, struct.unpack_from("!I", packet, 4)[0], self._rtcp_index)
		if self.suite.aead:
			return packet[:8] + _cipher("gcm", key, iv, packet[8:], aad=packet[:8] + word) + word
		body = packet[:8] + _cipher("ctr", key, iv, packet[8:]) + word
		# RFC 4568 6.2 and RFC 5764 4.1.2: the SRTCP tag stays at 80 bits where SRTP has 32
		return body + hmac.digest(auth, body, "sha1")[:10]

	def unprotect_rtcp(self, packet):
		key, auth, salt = self._rtcp
		if self.suite.aead:
			word, sealed = packet[-4:], packet[8:-4]
			body, tag = sealed[:-16], sealed[-16:]
		else:
			word, body, tag = packet[-14:-10], packet[8:-14], packet[-10:]
			if hmac.digest(auth, packet[:-10], "sha1")[:10] != tag:
				self.bad += 1
				return None
		index = struct.unpack("!I", word)[0]
		iv = self._iv(salt, struct.unpack_from("!I", packet, 4)[0], index & 0x7FFFFFFF)
		if not index & 0x80000000:
			return None # nobody here sends SRTCP in clear
		if self.suite.aead:
			plain = _cipher("gcm", key, iv, body, encrypt=False, aad=packet[:8] + word, tag=tag)
		else:
			plain = _cipher("ctr", key, iv, body)
		if plain is None:
			self.bad += 1
			return None
		self.rtcp_indices.append(index & 0x7FFFFFFF)
		return packet[:8] + plain


def fresh_master(suite):
	return os.urandom(SUITES[suite].key + SUITES[suite].salt)
