# SPDX-License-Identifier: GPL-3.0-or-later
# One m-line's media of our own phone: a socket, a tone out, what came in. Plain, SDES or DTLS-SRTP.
import os
import random
import socket
import struct
import threading
import time

from . import audio
from .capture import Rtp, kind_of
from .process import Timeout


_SO_RCVBUFFORCE = 33


class Media:
	def __init__(self, ns, address, port=0, tone=audio.TONE_A, payload_type=0, rtcp=False):
		self.socket = ns.udp(address, port)
		self.address, self.port = self.socket.getsockname()[:2]
		self.rtcp_socket = ns.udp(address, self.port + 1) if rtcp else None
		for own in filter(None, (self.socket, self.rtcp_socket)): # what comes at once waits for a busy interpreter
			own.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 22)
		self.tone, self.payload_type = tone, payload_type
		self.ssrc = random.getrandbits(32)
		self.sequence = random.getrandbits(15)
		self.remote = self.rtcp_remote = None
		self.receiving = self.sending = None # srtp.Context; None is plain
		self.endpoint = None                 # dtls.Endpoint
		self.secured = threading.Event()
		self.suite = None
		self.received = []                   # (time, RTP packet as understood)
		self.rtcp = []                       # RTCP packets as understood
		self.unreadable = 0
		self.sent = 0
		self.talking = False
		self._changed = threading.Condition()
		self._stop = threading.Event()
		self._threads = [threading.Thread(target=work, daemon=True)
				 for work in (self._receive, self._talk, *([self._receive_rtcp] if rtcp else []))]
		for thread in self._threads:
			thread.start()

	# Keying

	def sdes(self, receiving, sending):
		self.suite, self.receiving, self.sending = sending.suite.name, receiving, sending
		self.secured.set()

	def dtls(self, endpoint):
		"""The endpoint's flights go to the remote, as soon as there is one."""
		self.endpoint = endpoint
		if endpoint.active and self.remote:
			endpoint.start()
			self._flush()

	def _flush(self):
		for datagram in self.endpoint.poll():
			if self.remote:
				self.socket.sendto(datagram, self.remote)
		if self.endpoint.finishes():
			agreed = self.endpoint.contexts()
			if agreed:
				self.suite, self.receiving, self.sending = agreed
				self.secured.set()

	# Sound

	def talk(self, remote=None):
		if remote:
			self.remote = remote
		self.talking = True

	def silence(self):
		self.talking = False

	def packet(self, payload):
		return struct.pack("!BBHII", 0x80, self.payload_type, self.sequence & 0xFFFF, self.sequence * 160 & 0xFFFFFFFF,
				   self.ssrc) + payload

	def send(self, payload):
		packet = self.packet(payload)
		self.sequence += 1
		if self.sending:
			packet = self.sending.protect(packet)
		self.socket.sendto(packet, self.remote)
		self.sent += 1

	def send_rtcp(self, packet):
		if self.sending:
			packet = self.sending.protect_rtcp(packet)
		if self.rtcp_socket and self.rtcp_remote:
			self.rtcp_socket.sendto(packet, self.rtcp_remote)
		else:
			self.socket.sendto(packet, self.remote)

	def _talk(self):
		due = time.monotonic()
		while not self._stop.is_set():
			if self.talking and self.remote and (self.endpoint is None or self.secured.is_set()):
				self.send(audio.ulaw_tone(self.tone, 160 * self.sent))
			if self.endpoint and not self.secured.is_set() and self.remote:
				self._flush()
			due = max(due + 0.02, time.monotonic() - 0.1)
			self._stop.wait(max(0, due - time.monotonic()))

	def _receive(self):
		self.socket.settimeout(0.1)
		while not self._stop.is_set():
			try:
				datagram, source = self.socket.recvfrom(4096)
			except socket.timeout:
				continue
			except OSError:
				return
			kind = kind_of(datagram)
			if kind == "dtls" and self.endpoint:
				if not self.remote:
					self.remote = source[:2]
				self.endpoint.feed(datagram)
				self._flush()
			elif kind == "rtp":
				packet = self.receiving.unprotect(datagram) if self.receiving else datagram
				self._store(self.received, packet)
			elif kind == "rtcp":
				packet = self.receiving.unprotect_rtcp(datagram) if self.receiving else datagram
				self._store(self.rtcp, packet)

	def _receive_rtcp(self):
		self.rtcp_socket.settimeout(0.1)
		while not self._stop.is_set():
			try:
				datagram, _ = self.rtcp_socket.recvfrom(4096)
			except socket.timeout:
				continue
			except OSError:
				return
			if kind_of(datagram) == "rtcp":
				packet = self.receiving.unprotect_rtcp(datagram) if self.receiving else datagram
				self._store(self.rtcp, packet)

	def _store(self, where, packet):
		with self._changed:
			if packet is None:
				self.unreadable += 1
			else:
				where.append((time.monotonic(), packet))
			self._changed.notify_all()

	def wait_received(self, n, timeout=10, where=None):
		where = self.received if where is None else where
		deadline = time.monotonic() + timeout
		with self._changed:
			while len(where) < n:
				left = deadline - time.monotonic()
				if left <= 0:
					raise Timeout(f"{len(where)} of {n} packets in {timeout} s, {self.unreadable} unreadable")
				self._changed.wait(left)

	def heard(self, frequency, since=0):
		"""The sound that came in, in order of arrival."""
		samples = []
		for _, packet in self.received[since:]:
			rtp = Rtp(packet)
			if rtp.payload_type in (0, 8):
				samples.extend(audio.decode_g711(rtp.body, rtp.payload_type))
		return audio.Heard(samples, audio.RATE, frequency)

	def close(self):
		self._stop.set()
		for thread in self._threads:
			thread.join(2) # a thread inside recvfrom() would keep the port
		self.socket.close()
		if self.rtcp_socket:
			self.rtcp_socket.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()


def sender_report(ssrc, packets=1, octets=160):
	return struct.pack("!BBHIIIIII", 0x80, 200, 6, ssrc, 0x83AA7E80, 0, 0, packets, octets)


def noise(n=160):
	return os.urandom(n)
