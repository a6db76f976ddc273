# SPDX-License-Identifier: GPL-3.0-or-later
# libsrtp2 as a judge: the library that most phones have, opening what the gateway sent. Its static archive, as deploy/setup
# built it for control, is linked to a shared object once a run.
import ctypes
import subprocess
import tempfile

from . import gateway

_SETTERS = { # of srtp_crypto_policy_t; RFC 4568 6.2: the short tag is for RTP alone
	"AES_CM_128_HMAC_SHA1_80": ("srtp_crypto_policy_set_rtp_default",) * 2,
	"AES_CM_128_HMAC_SHA1_32": ("srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32", "srtp_crypto_policy_set_rtp_default"),
	"AES_256_CM_HMAC_SHA1_80": ("srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80",) * 2,
	"AEAD_AES_128_GCM": ("srtp_crypto_policy_set_aes_gcm_128_16_auth",) * 2,
	"AEAD_AES_256_GCM": ("srtp_crypto_policy_set_aes_gcm_256_16_auth",) * 2,
}
SUITES = tuple(_SETTERS)
ANY_INBOUND = 2


class _Crypto(ctypes.Structure):
	_fields_ = [(name, ctypes.c_int) for name in ("cipher", "key", "auth", "auth_key", "tag", "services")]


class _Ssrc(ctypes.Structure):
	_fields_ = [("type", ctypes.c_int), ("value", ctypes.c_uint)]


class _Policy(ctypes.Structure):
	_fields_ = [("ssrc", _Ssrc), ("rtp", _Crypto), ("rtcp", _Crypto), ("key", ctypes.c_char_p), ("keys", ctypes.c_void_p),
		    ("n_keys", ctypes.c_ulong), ("ekt", ctypes.c_void_p), ("window", ctypes.c_ulong), ("repeat", ctypes.c_int),
		    ("extensions", ctypes.c_void_p), ("n_extensions", ctypes.c_int), ("next", ctypes.c_void_p)]


_library = _directory = None


def _load():
	global _library, _directory
	if _library is None:
		_directory = tempfile.TemporaryDirectory(prefix="spe2e-srtp-")
		path = f"{_directory.name}/libsrtp2.so"
		subprocess.run(["gcc", "-shared", "-o", path, "-Wl,--whole-archive", str(gateway.dependencies() / "lib/libsrtp2.a"), "-Wl,--no-whole-archive",
				"-lcrypto"], check=True)
		_library = ctypes.CDLL(path)
		assert _library.srtp_init() == 0
	return _library


class Judge:
	"""One master key, as receiver; every packet in the order of arrival."""

	def __init__(self, suite, master):
		self._library, self._session = _load(), ctypes.c_void_p()
		policy = _Policy(ssrc=_Ssrc(ANY_INBOUND, 0), key=master, window=128)
		for setter, place in zip(_SETTERS[suite], (policy.rtp, policy.rtcp)):
			getattr(self._library, setter)(ctypes.byref(place))
		assert self._library.srtp_create(ctypes.byref(self._session), ctypes.byref(policy)) == 0

	def opens(self, packet):
		buffer, size = ctypes.create_string_buffer(packet, len(packet) + 64), ctypes.c_int(len(packet))
		return self._library.srtp_unprotect(self._session, buffer, ctypes.byref(size)) == 0
