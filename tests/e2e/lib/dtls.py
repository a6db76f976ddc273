# SPDX-License-Identifier: GPL-3.0-or-later
# A DTLS-SRTP endpoint on the system's libssl (DTLS 1.2), without sockets: datagrams in, datagrams out. Gives a test what a
# finished phone does not: every SRTP profile, either role, a certificate other than the one that was signalled.
import ctypes
import ctypes.util
import hashlib
import pathlib
import struct
import subprocess
import tempfile
import threading

from . import srtp

PROFILES = { # name in SDP and in our logs -> name that libssl wants
	"AES_CM_128_HMAC_SHA1_80": "SRTP_AES128_CM_SHA1_80",
	"AES_CM_128_HMAC_SHA1_32": "SRTP_AES128_CM_SHA1_32",
	"AEAD_AES_128_GCM": "SRTP_AEAD_AES_128_GCM",
	"AEAD_AES_256_GCM": "SRTP_AEAD_AES_256_GCM",
}
_PROFILE_ID = {1: "AES_CM_128_HMAC_SHA1_80", 2: "AES_CM_128_HMAC_SHA1_32", 7: "AEAD_AES_128_GCM", 8: "AEAD_AES_256_GCM"}

_ssl = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
_P = ctypes.c_void_p
for _library, _name, _result, _arguments in (
	(_ssl, "DTLS_method", _P, []), (_ssl, "SSL_CTX_new", _P, [_P]), (_ssl, "SSL_CTX_free", None, [_P]),
	(_ssl, "SSL_CTX_use_certificate_file", ctypes.c_int, [_P, ctypes.c_char_p, ctypes.c_int]),
	(_ssl, "SSL_CTX_use_PrivateKey_file", ctypes.c_int, [_P, ctypes.c_char_p, ctypes.c_int]),
	(_ssl, "SSL_CTX_set_tlsext_use_srtp", ctypes.c_int, [_P, ctypes.c_char_p]),
	(_ssl, "SSL_CTX_set_verify", None, [_P, ctypes.c_int, _P]),
	(_ssl, "SSL_new", _P, [_P]), (_ssl, "SSL_free", None, [_P]), (_ssl, "SSL_set_bio", None, [_P, _P, _P]),
	(_ssl, "SSL_ctrl", ctypes.c_long, [_P, ctypes.c_int, ctypes.c_long, _P]),
	(_ssl, "SSL_set_options", ctypes.c_uint64, [_P, ctypes.c_uint64]),
	(_ssl, "SSL_set_accept_state", None, [_P]), (_ssl, "SSL_set_connect_state", None, [_P]),
	(_ssl, "SSL_do_handshake", ctypes.c_int, [_P]), (_ssl, "SSL_get_error", ctypes.c_int, [_P, ctypes.c_int]),
	(_ssl, "SSL_read", ctypes.c_int, [_P, _P, ctypes.c_int]), (_ssl, "SSL_shutdown", ctypes.c_int, [_P]),
	(_ssl, "SSL_get_version", ctypes.c_char_p, [_P]), (_ssl, "SSL_get_selected_srtp_profile", _P, [_P]),
	(_ssl, "SSL_get1_peer_certificate", _P, [_P]),
	(_ssl, "SSL_export_keying_material", ctypes.c_int,
	 [_P, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, _P, ctypes.c_size_t, ctypes.c_int]),
	(_crypto, "BIO_new", _P, [_P]), (_crypto, "BIO_s_mem", _P, []),
	(_crypto, "BIO_ctrl", ctypes.c_long, [_P, ctypes.c_int, ctypes.c_long, _P]),
	(_crypto, "BIO_read", ctypes.c_int, [_P, _P, ctypes.c_int]),
	(_crypto, "BIO_write", ctypes.c_int, [_P, ctypes.c_char_p, ctypes.c_int]),
	(_crypto, "X509_digest", ctypes.c_int, [_P, _P, _P, _P]), (_crypto, "EVP_sha256", _P, []),
	(_crypto, "X509_free", None, [_P]), (_crypto, "ERR_clear_error", None, []),
):
	_function = getattr(_library, _name)
	_function.restype, _function.argtypes = _result, _arguments

_VERIFY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, _P)
_accept_any = _VERIFY(lambda _ok, _context: 1) # the digest is what counts, compared by the owner
_SET_MTU, _HANDLE_TIMEOUT, _MEM_EOF_RETURN = 17, 74, 130
_OP_NO_QUERY_MTU = 1 << 12
_directory = None


def _colons(digest):
	return ":".join(f"{byte:02X}" for byte in digest)


class Certificate:
	"""A self-signed ECDSA P-256 certificate in files of its own."""

	def __init__(self, digest="sha-256"):
		global _directory
		_directory = _directory or tempfile.TemporaryDirectory(prefix="spe2e-dtls-")
		stem = pathlib.Path(tempfile.mkdtemp(dir=_directory.name))
		self.certificate, self.key = str(stem / "cert.pem"), str(stem / "key.pem")
		subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
				"-subj", "/CN=phone", "-days", "30", "-keyout", self.key, "-out", self.certificate],
			       check=True, capture_output=True)
		der = subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"], check=True,
				     capture_output=True).stdout
		self.fingerprint = f"{digest} {_colons(hashlib.new(digest.replace('-', ''), der).digest())}"


class Endpoint:
	"""active=True sends the ClientHello. poll() after feed() and now and then gives what to send. Several threads may."""

	def __init__(self, certificate, active, profiles=tuple(PROFILES), mtu=1200):
		self.active, self.done, self.failed, self.closed = active, False, None, False
		self._lock, self._finished = threading.RLock(), False
		self._context = _ssl.SSL_CTX_new(_ssl.DTLS_method())
		if certificate.certificate:
			assert _ssl.SSL_CTX_use_certificate_file(self._context, certificate.certificate.encode(), 1) == 1
			assert _ssl.SSL_CTX_use_PrivateKey_file(self._context, certificate.key.encode(), 1) == 1
		names = ":".join(PROFILES[name] for name in profiles).encode()
		assert _ssl.SSL_CTX_set_tlsext_use_srtp(self._context, names) == 0
		_ssl.SSL_CTX_set_verify(self._context, 3, ctypes.cast(_accept_any, _P)) # peer, fail if none
		self._ssl = _ssl.SSL_new(self._context)
		self._in, self._out = (_crypto.BIO_new(_crypto.BIO_s_mem()) for _ in range(2))
		for bio in (self._in, self._out):
			_crypto.BIO_ctrl(bio, _MEM_EOF_RETURN, -1, None)
		_ssl.SSL_set_bio(self._ssl, self._in, self._out)
		_ssl.SSL_set_options(self._ssl, _OP_NO_QUERY_MTU)
		_ssl.SSL_ctrl(self._ssl, _SET_MTU, mtu, None)
		(_ssl.SSL_set_connect_state if active else _ssl.SSL_set_accept_state)(self._ssl)

	def feed(self, datagram):
		with self._lock:
			_crypto.BIO_write(self._in, datagram, len(datagram))
			self._advance()

	def start(self):
		with self._lock:
			self._advance()

	def finishes(self):
		"""True once, when the handshake is through: who gets it takes the keys."""
		with self._lock:
			first, self._finished = self.done and not self._finished, self.done
			return first

	def _advance(self):
		_crypto.ERR_clear_error()
		if not self.done:
			result = _ssl.SSL_do_handshake(self._ssl)
			if result == 1:
				self.done = True
			elif _ssl.SSL_get_error(self._ssl, result) not in (2, 3):
				self.failed = _ssl.SSL_get_error(self._ssl, result)
		else:
			scratch = ctypes.create_string_buffer(4096)
			result = _ssl.SSL_read(self._ssl, scratch, 4096)
			if result <= 0 and _ssl.SSL_get_error(self._ssl, result) == 6:
				self.closed = True # close_notify

	def poll(self):
		"""Datagrams to send; retransmits by libssl's own timer."""
		buffer = ctypes.create_string_buffer(65536)
		with self._lock:
			if not self.done and not self.failed:
				_ssl.SSL_ctrl(self._ssl, _HANDLE_TIMEOUT, 0, None)
			size = _crypto.BIO_read(self._out, buffer, 65536)
		raw, datagrams = buffer.raw[:max(size, 0)], []
		while len(raw) >= 13: # one record a datagram
			record = 13 + struct.unpack_from("!H", raw, 11)[0]
			datagrams.append(raw[:record])
			raw = raw[record:]
		return datagrams

	def peer_fingerprint(self):
		certificate = _ssl.SSL_get1_peer_certificate(self._ssl)
		digest, size = ctypes.create_string_buffer(64), ctypes.c_uint()
		_crypto.X509_digest(certificate, _crypto.EVP_sha256(), digest, ctypes.byref(size))
		_crypto.X509_free(certificate)
		return f"sha-256 {_colons(digest.raw[:size.value])}"

	@property
	def version(self):
		return _ssl.SSL_get_version(self._ssl).decode()

	def contexts(self):
		"""(suite, receiving, sending) after the handshake; None if no profile was agreed."""
		profile = _ssl.SSL_get_selected_srtp_profile(self._ssl)
		if not profile:
			return None
		number = ctypes.cast(profile + ctypes.sizeof(_P), ctypes.POINTER(ctypes.c_ulong))[0]
		suite = srtp.SUITES[_PROFILE_ID[number]]
		size = 2 * (suite.key + suite.salt)
		out = ctypes.create_string_buffer(size)
		label = b"EXTRACTOR-dtls_srtp"
		with self._lock:
			assert _ssl.SSL_export_keying_material(self._ssl, out, size, label, len(label), None, 0, 0) == 1
		raw, k, s = out.raw, suite.key, suite.salt
		client = raw[:k] + raw[2 * k:2 * k + s]
		server = raw[k:2 * k] + raw[2 * k + s:2 * k + 2 * s]
		mine, theirs = (client, server) if self.active else (server, client)
		return suite.name, srtp.Context(suite.name, theirs), srtp.Context(suite.name, mine)

	def close(self):
		"""close_notify; what to send."""
		with self._lock:
			_ssl.SSL_shutdown(self._ssl)
		return self.poll()
