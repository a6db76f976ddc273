# SPDX-License-Identifier: GPL-3.0-or-later
# Somebody on the access wire who is no party to any call: sends from an address of its own or in another's name, in bulk if
# told to, and keeps all that reaches it. Frames go straight to the device, so that a source may be anybody's.
import ctypes
import ipaddress
import itertools
import os
import random
import socket
import struct
import time

from .capture import Capture

BATCH = 128
MARK = b"\xa5ATTACKER\x5a" # in every payload that must reach nobody


class _Iovec(ctypes.Structure):
	_fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class _Message(ctypes.Structure):
	_fields_ = [("name", ctypes.c_void_p), ("name_size", ctypes.c_uint), ("iov", ctypes.POINTER(_Iovec)),
		    ("n_iov", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
		    ("flags", ctypes.c_int), ("sent", ctypes.c_uint)] # struct mmsghdr


_libc = ctypes.CDLL(None, use_errno=True)
_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20


def checksum(data):
	"""RFC 1071; the sum of 16 bit words with end-around carry is the number modulo 65535."""
	if len(data) % 2:
		data += b"\0"
	return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


def datagram(source, target, payload, hops=64):
	"""An IP packet with UDP in it; source and target are (address, port)."""
	ends = [ipaddress.ip_address(end[0]) for end in (source, target)]
	addresses = ends[0].packed + ends[1].packed
	size = 8 + len(payload)
	pseudo = addresses + (struct.pack("!BBH", 0, 17, size) if ends[0].version == 4 else struct.pack("!II", size, 17))
	udp = struct.pack("!HHH", source[1], target[1], size)
	udp += struct.pack("!H", checksum(pseudo + udp + b"\0\0" + payload) or 0xFFFF)
	if ends[0].version == 6:
		return struct.pack("!IHBB", 6 << 28, size, 17, hops) + addresses + udp + payload
	head = struct.pack("!BBHHHBB", 0x45, 0, 20 + size, random.getrandbits(16), 0, hops, 17)
	return head + struct.pack("!H", checksum(head + b"\0\0" + addresses)) + addresses + udp + payload


class Attacker:
	"""Needs Topology(attacker=True)."""

	address = "10.10.0.66"

	def __init__(self, topology, port=40000):
		self.ns, self.port = topology.attacker, port
		self.target_mac = self._mac(topology.gw, topology.DEVICE["access"])
		self.own_mac = self._mac(self.ns, "net0")
		self._raw = self.ns.inside(self._open)
		# A socket where our own source is, so that our kernel answers nothing in our name (ICMP).
		self._own = self.ns.udp(self.address, port)
		self.capture = Capture(self.ns, "net0", "udp and (dst host 10.10.0.66 or dst host fd00:10::66)")
		self._path = [(topology.gw, "access0"), (topology.access, "net0"), (topology.access, "net1"), (self.ns, "net0")]
		self._lost_before = 0
		self._lost_before = self.lost()
		self._buffers = ctypes.create_string_buffer(BATCH * 2048)
		self._iovecs, self._messages = (_Iovec * BATCH)(), (_Message * BATCH)()
		base = ctypes.addressof(self._buffers)
		for i in range(BATCH):
			self._iovecs[i].base = base + i * 2048
			self._messages[i].iov, self._messages[i].n_iov = ctypes.pointer(self._iovecs[i]), 1

	@staticmethod
	def _mac(ns, device):
		return bytes.fromhex(ns.run("cat", f"/sys/class/net/{device}/address").stdout.strip().replace(":", ""))

	@staticmethod
	def _open():
		raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
		raw.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
		raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
		raw.bind(("net0", 0))
		return raw

	@property
	def source(self):
		return self.address, self.port

	def send(self, payload, target, source=None):
		self.flood([payload], target, source)

	def flood(self, payloads, target, source=None, rate=None):
		"""Sends each payload to target, (address, port), at `rate` a second at most; returns how many. source: (address, port),
		or an iterator of such, one a packet; ours by default."""
		kind = 0x86DD if ":" in target[0] else 0x0800
		ether = self.target_mac + self.own_mac + struct.pack("!H", kind)
		sources = itertools.repeat(source or self.source) if source is None or isinstance(source, tuple) else source
		packets = (ether + datagram(origin, target, payload) for payload, origin in zip(payloads, sources))
		return self.frames(packets, rate)

	def frames(self, frames, rate=None):
		"""Whole frames, as they are."""
		began, sent = time.monotonic(), 0
		# A rate is kept over a few milliseconds: no burst is longer than what comes due in that time.
		batch = BATCH if rate is None else max(1, min(BATCH, int(rate * 0.004)))
		frames = iter(frames)
		while True:
			some = list(itertools.islice(frames, batch))
			if not some:
				return sent
			for i, frame in enumerate(some):
				ctypes.memmove(self._iovecs[i].base, frame, len(frame))
				self._iovecs[i].size = len(frame)
			self._send_batch(len(some))
			sent += len(some)
			if rate:
				wait = began + sent / rate - time.monotonic()
				if wait > 0:
					time.sleep(wait)

	def _send_batch(self, n):
		at = 0
		while at < n:
			rest = ctypes.byref(self._messages, at * ctypes.sizeof(_Message))
			done = _libc.sendmmsg(self._raw.fileno(), rest, n - at, 0)
			if done < 0:
				if ctypes.get_errno() != 105: # ENOBUFS: the device is behind
					raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
				time.sleep(0.0005)
				continue
			at += done

	def received(self, gateway="10.10.0.1"):
		"""Datagrams that the gateway's media address sent to us, from the attack's first moment on; ends the capture."""
		self.capture.stop()
		return [d for d in self.capture.datagrams() if d.source == gateway and d.source_port != 5060]

	def lost(self):
		"""What the devices on the way to the gateway have dropped: on a busy machine a veth pair is no wire."""
		names = ("rx_dropped", "tx_dropped", "rx_missed_errors")
		files = [[f"/sys/class/net/{device}/statistics/{name}" for name in names] for _, device in self._path]
		return sum(int(n) for (ns, _), paths in zip(self._path, files)
			   for n in ns.run("cat", *paths).stdout.split()) - self._lost_before

	def close(self):
		self.capture.delete()
		self._raw.close()
		self._own.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()


def rtp(ssrc, sequence, payload=None, payload_type=0, timestamp=None, tail=b""):
	"""A plain RTP packet that bears our mark."""
	payload = (MARK * 16)[:160] if payload is None else payload
	timestamp = sequence * 160 if timestamp is None else timestamp
	return struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload + tail


def marked(packets):
	"""Of packets, or (time, packet) as a Media keeps them: those that bear our mark."""
	return [p for p in packets if MARK in (p[1] if isinstance(p, tuple) else p)]
