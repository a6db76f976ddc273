# SPDX-License-Identifier: GPL-3.0-or-later
# ClientHellos byte by byte: those of an honest client of either version, and those that broke others.
import os
import struct


def extension(kind, body):
	return struct.pack("!HH", kind, len(body)) + body


def vector(size, body):
	return len(body).to_bytes(size, "big") + body


SRTP = extension(14, vector(2, b"\0\x07\0\x08\0\x01") + b"\0")
GROUPS = extension(10, vector(2, b"\0\x1d\0\x17"))
POINTS = extension(11, vector(1, b"\0"))
SIGNATURES = extension(13, vector(2, b"\x04\x03\x05\x03\x08\x04\x04\x01"))
MASTER_SECRET = extension(23, b"")
CIPHERS_12 = b"\xc0\x2b\xc0\x2c\xc0\x2f"
CIPHERS_13 = b"\x13\x01\x13\x02\x13\x03"


def record(kind, body, epoch=0, sequence=0, version=b"\xfe\xfd"):
	return bytes([kind]) + version + struct.pack("!H", epoch) + sequence.to_bytes(6, "big") + vector(2, body)


def handshake(kind, body, message=0, offset=0, size=None, length=None):
	"""A message, or a fragment of one: bytes [offset, offset + size) of it, which says that it is `length` long."""
	part = body[offset:] if size is None else body[offset:offset + size]
	length = len(body) if length is None else length
	return bytes([kind]) + length.to_bytes(3, "big") + struct.pack("!H", message) + offset.to_bytes(3, "big") + \
		len(part).to_bytes(3, "big") + part


def body(version=b"\xfe\xfd", ciphers=CIPHERS_12, extensions=SRTP + GROUPS + POINTS + SIGNATURES + MASTER_SECRET, cookie=b"",
	 random=None):
	return version + (random or os.urandom(32)) + b"\0" + vector(1, cookie) + vector(2, ciphers) + b"\x01\0" + \
		(vector(2, extensions) if extensions else b"")


def whole(content, sequence=0, message=0):
	return record(22, handshake(1, content, message), sequence=sequence, version=b"\xfe\xff")


def dtls12(**more):
	return whole(body(**more))


def dtls13():
	"""With a key share of X25519 that nobody has the key of."""
	share = extension(51, vector(2, b"\0\x1d" + vector(2, os.urandom(32))))
	versions = extension(43, vector(1, b"\xfe\xfc"))
	return whole(body(ciphers=CIPHERS_13, extensions=SRTP + GROUPS + SIGNATURES + versions + share))


def null_suite():
	"""CVE-2023-49786, -51443, -51275."""
	return whole(body(ciphers=b"\0\0", extensions=b""))


def bogus():
	"""One of each kind, named."""
	good = dtls12()
	padding = extension(21, bytes(1200))
	return {
		"null suite": null_suite(),
		"truncated": good[:len(good) // 2],
		"truncated in the header": good[:20],
		"half of a message": record(22, handshake(1, body(), size=40), version=b"\xfe\xff"),
		"huge": whole(body(extensions=SRTP + padding)),
		"length beyond all": record(22, handshake(1, body(), length=0xFFFFFF), version=b"\xfe\xff"),
		"DTLS 1.0": whole(body(version=b"\xfe\xff")),
		"DTLS 1.2": good,
		"DTLS 1.3": dtls13(),
		"cookie of nobody": dtls12(cookie=bytes(32)),
	}


def cookie_of(datagram):
	"""Of a HelloVerifyRequest (DTLS 1.2); None: it is none."""
	if len(datagram) < 28 or datagram[0] != 22 or datagram[13] != 3:
		return None
	return datagram[28:28 + datagram[27]]


def with_cookie(hello, cookie):
	"""The same DTLS 1.2 hello, brought back with its cookie."""
	content = hello[25:]
	at = 34 + 1 + content[34]
	return whole(content[:at] + vector(1, cookie) + content[at + 1 + content[at]:], sequence=1, message=1)
