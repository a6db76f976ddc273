# SPDX-License-Identifier: GPL-3.0-or-later
# What was on the wire, seen from a peer's side: tcpdump into a file, and a reader that needs nothing else.
import collections
import ipaddress
import math
import os
import pathlib
import signal
import struct
import tempfile
import time

from . import audio, cleanup
from .process import Process

Datagram = collections.namedtuple("Datagram", "time source source_port target target_port payload")


def kind_of(payload):
	"""RFC 7983, with RTCP told from RTP as RFC 5761 does."""
	if not payload:
		return "empty"
	first = payload[0]
	if first <= 3:
		return "stun"
	if 20 <= first <= 63:
		return "dtls"
	if 128 <= first <= 191:
		return "rtcp" if len(payload) > 1 and 192 <= payload[1] <= 223 else "rtp"
	return "other"


class Rtp:
	def __init__(self, payload):
		first, second, self.sequence, self.timestamp, self.ssrc = struct.unpack_from("!BBHII", payload)
		self.payload_type, self.marker = second & 0x7F, bool(second & 0x80)
		self.header_size = 12 + 4 * (first & 0x0F)
		if first & 0x10:
			self.header_size += 4 + 4 * struct.unpack_from("!H", payload, self.header_size + 2)[0]
		self.body = payload[self.header_size:]


class Capture:
	"""Runs from construction to stop(); then datagrams() and what is built on it."""

	def __init__(self, ns, device=None, expression="udp"):
		handle, path = tempfile.mkstemp(prefix="spe2e-", suffix=".pcap")
		os.close(handle)
		self.path = pathlib.Path(path)
		self._handle = cleanup.register(self.delete)
		self.process = Process("tcpdump", ns.command(
			"tcpdump", "-i", device or ns.device, "-U", "--immediate-mode", "-s", "0", "-B", "8192", "-Z", "root",
			"-w", path, expression), die_signal=signal.SIGTERM)
		self.process.wait_for("listening on")

	def wait_media(self, n, timeout=5, **which):
		"""Until n packets of that kind are in the file: what a peer has heard may not be there yet."""
		deadline = time.monotonic() + timeout
		while len(list(self.media(**which))) < n and time.monotonic() < deadline:
			time.sleep(0.05)
		return self

	def _counts(self):
		"""What it has written, what the kernel has for it."""
		since = self.process.mark()
		self.process.signal(signal.SIGUSR1)
		said = self.process.wait_for(r"(\d+) packets? captured, (\d+) packets? received", 5, since)
		return int(said[1]), int(said[2])

	def stop(self):
		"""With all that was on the wire by now in the file: an interrupted tcpdump leaves what it has not read yet."""
		if self.process.alive():
			before, (written, there) = -1, self._counts()
			while written < there and written != before: # one way of a loopback counts and is not written
				before, (written, there) = written, self._counts()
			self.process.signal(signal.SIGINT)
			self.process.wait(5)
		return self

	def delete(self):
		cleanup.done(self._handle)
		self.process.kill()
		self.path.unlink(missing_ok=True)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.delete()

	def datagrams(self):
		raw = self.path.read_bytes()
		if len(raw) < 24:
			return
		order = "<" if raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
		scale = 1e-9 if raw[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e-6
		at = 24
		while at + 16 <= len(raw):
			seconds, fraction, size = struct.unpack_from(order + "III", raw, at)
			frame, at = raw[at + 16:at + 16 + size], at + 16 + size
			datagram = _udp(seconds + fraction * scale, frame)
			if datagram:
				yield datagram

	def media(self, source=None, target=None, kind="rtp", ports=range(10000, 33000)):
		"""Datagrams of one kind between two addresses (None: any), on media ports at either end."""
		for d in self.datagrams():
			if source not in (None, d.source) or target not in (None, d.target):
				continue
			if 5060 in (d.source_port, d.target_port) or not (d.source_port in ports or d.target_port in ports):
				continue
			if kind_of(d.payload) == kind:
				yield d


def _udp(time, frame):
	kind, at = struct.unpack_from("!H", frame, 12)[0] if len(frame) >= 14 else 0, 14
	if kind == 0x8100:
		kind, at = struct.unpack_from("!H", frame, 16)[0], 18
	if kind == 0x0800 and len(frame) >= at + 20:
		header = (frame[at] & 15) * 4
		protocol, source, target = frame[at + 9], frame[at + 12:at + 16], frame[at + 16:at + 20]
	elif kind == 0x86DD and len(frame) >= at + 40:
		header, protocol, source, target = 40, frame[at + 6], frame[at + 8:at + 24], frame[at + 24:at + 40]
	else:
		return None
	at += header
	if protocol != 17 or len(frame) < at + 8:
		return None
	source_port, target_port, size = struct.unpack_from("!HHH", frame, at)
	return Datagram(time, str(ipaddress.ip_address(source)), source_port, str(ipaddress.ip_address(target)), target_port,
			frame[at + 8:at + size])


def entropy(data):
	"""Bits a byte; 8 for random bytes."""
	counts = collections.Counter(data)
	return -sum(n / len(data) * math.log2(n / len(data)) for n in counts.values())


class Readable:
	"""Judges RTP datagrams as an eavesdropper would who knows codec and sound: was any of it readable?

	Three independent looks: does the payload decode to one of the tones that the phones played; is every packet
	exactly a G.711 frame long (nothing authenticates it); are the bytes as even as cipher text."""

	FRAME = 160

	def __init__(self, datagrams, frequencies):
		self.packets = self.tonal = self.untagged = 0
		sample = bytearray()
		for d in datagrams:
			rtp = Rtp(d.payload)
			if rtp.payload_type not in (0, 8) or len(rtp.body) < self.FRAME:
				continue
			self.packets += 1
			self.untagged += len(rtp.body) == self.FRAME
			decoded = audio.decode_g711(rtp.body[:self.FRAME], rtp.payload_type)
			# 20 ms resolve 50 Hz: generous thresholds, since noise gives about 0.01
			self.tonal += any(audio.goertzel(decoded, f, audio.RATE) > 0.5 for f in frequencies)
			if len(sample) < 65536:
				sample += rtp.body[:self.FRAME]
		self.entropy = entropy(bytes(sample)) if sample else 0.0

	@property
	def plain(self):
		"""Packets that an eavesdropper could have read."""
		return max(self.tonal, self.untagged)

	def looks_encrypted(self):
		return self.packets > 0 and self.plain == 0 and self.entropy > 7.9

	def __repr__(self):
		return (f"{self.packets} packets, {self.tonal} with a tone in clear, {self.untagged} without a tag, "
			f"{self.entropy:.2f} bit/byte")


def stream_gaps(datagrams):
	"""{ssrc: (packets, missing sequence numbers, longest silence in seconds)} in order of arrival."""
	result = {}
	state = {}
	for d in datagrams:
		rtp = Rtp(d.payload)
		first = rtp.ssrc not in state
		packets, missing, silence = result.get(rtp.ssrc, (0, 0, 0.0))
		if not first:
			expected, last_time = state[rtp.ssrc]
			step = (rtp.sequence - expected) & 0xFFFF
			if step < 0x8000:
				missing += step
			silence = max(silence, d.time - last_time)
		result[rtp.ssrc] = (packets + 1, missing, silence)
		state[rtp.ssrc] = ((rtp.sequence + 1) & 0xFFFF, d.time)
	return result
