# SPDX-License-Identifier: GPL-3.0-or-later
# Somebody who speaks DTLS at a media port that is not his, and the call whose port it is.
import time

from . import dtls
from .attacker import Attacker
from .leg import Leg, certificate


def drops_of(summary):
	return {name: int(n) for name, _, n in (item.partition("=") for item in summary["drops_by"].split(",")) if name}


class Stranger:
	"""Somebody with a certificate of his own and the best manners, at an address of his own."""

	def __init__(self, topology, target, own=None, active=True):
		self.socket = topology.attacker.udp(Attacker.address)
		self.target, self.certificate = target, own or certificate("stranger")
		self.endpoint = dtls.Endpoint(self.certificate, active)
		self.media = []

	def shake_hands(self, timeout=5):
		deadline = time.monotonic() + timeout
		self.socket.settimeout(0.05)
		self.endpoint.start()
		while time.monotonic() < deadline and not self.endpoint.done:
			for datagram in self.endpoint.poll():
				self.socket.sendto(datagram, self.target)
			self.listen_once()
		for datagram in self.endpoint.poll(): # the last flight
			self.socket.sendto(datagram, self.target)
		return self.endpoint.done

	def listen_once(self):
		try:
			datagram, _ = self.socket.recvfrom(4096)
		except TimeoutError:
			return
		if 20 <= datagram[0] <= 63:
			self.endpoint.feed(datagram)
		else:
			self.media.append(datagram)

	def listen(self, seconds):
		deadline = time.monotonic() + seconds
		while time.monotonic() < deadline:
			self.listen_once()

	def close(self):
		self.socket.close()


def ringing(topology, **more):
	"""The phone was invited and has not answered: the gateway's port is open, and knows no fingerprint."""
	access, core = Leg(topology, "access", keying="dtls", role="active", **more), Leg(topology, "core")
	core.dial()
	invite = access.ring()
	return access, core, invite
