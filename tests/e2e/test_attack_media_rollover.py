# SPDX-License-Identifier: GPL-3.0-or-later
# The roll-over counter (docs/security.md M6) over three wraps in both directions, with loss and reordering at the wrap, through hold and resume, and
# the deaths of relay and control. Whoever loses count hears nothing more: the tag covers it.
import contextlib
import random
import time

import pytest

from lib.attack import FULL, end, offer_again, set_up_warm
from lib.capture import Capture
from lib.indices import Judge, fresh, media_of
from lib.leg import Leg

SUITE = "AES_CM_128_HMAC_SHA1_80"
STEP = 1 if FULL else 16_000 # between the wraps: every packet, or as far as a jump may go and be no doubt


class Mouth:
	"""One who speaks with numbers as a test wants them; knows what must be heard."""

	def __init__(self, media, ear):
		self.media, self.ear, self.expected = media, ear, set()
		self.rate = 6000 if FULL else 1500
		self.base = len(ear.received) # these are read as they come: what is in flight must fit into a socket's buffer

	def say(self, index):
		packet = self.seal(index)
		self.media.socket.sendto(packet, self.media.remote)

	def seal(self, index):
		self.media.sequence = index
		self.expected.add(index)
		packet = self.media.packet(index.to_bytes(6, "big") + bytes(34))
		return self.media.sending.protect(packet) if self.media.sending else packet

	def run(self, first, last, step=1):
		began, sent = time.monotonic(), 0
		for index in range(first, last, step):
			self.say(index)
			sent += 1
			wait = began + sent / self.rate - time.monotonic()
			while wait > 0.002 or (len(self.expected) - len(self.ear.received) + self.base > 200 and wait > -2):
				time.sleep(0.002)
				wait = began + sent / self.rate - time.monotonic()

	def wrap(self, roc):
		"""Up to the wrap to `roc`, over it and on: 65,530 to 10 are lost, those five around it come in another order."""
		edge = roc << 16
		self.run(edge - 36, edge - 6)
		around = [edge + n for n in (14, 11, 13, 12, 15)]
		for packet in [self.seal(index) for index in sorted(around)][::-1]:
			self.media.socket.sendto(packet, self.media.remote)
		self.run(edge + 16, edge + 40)

	def cross(self, roc):
		"""From behind one wrap to before the next."""
		self.run(self.media.sequence + 1, (roc << 16) - 36, STEP)

	def probe(self, timeout=10):
		"""Until it is heard again: a relay that was killed looks its next hops up anew."""
		deadline, since = time.monotonic() + timeout, len(self.ear.received)
		while len(self.ear.received) == since:
			assert time.monotonic() < deadline, "not heard again"
			self.say(self.media.sequence + 1)
			self.expected.discard(self.media.sequence)
			time.sleep(0.02)
		time.sleep(0.05)
		self.base = len(self.ear.received) - len(self.expected)

	def heard(self):
		return {int.from_bytes(packet[12:18], "big") for _, packet in list(self.ear.received)}

	def check(self, timeout=10):
		deadline = time.monotonic() + timeout
		while self.expected - self.heard() and time.monotonic() < deadline:
			time.sleep(0.02)
		missing = sorted(self.expected - self.heard())
		# At full size a busy machine loses a packet in 5,000 on its veth pairs; one that lost count loses all that follow.
		self.lost = len(missing)
		assert self.lost <= len(self.expected) // 5_000, (self.lost, missing[:10], self.ear.unreadable)
		assert not self.ear.unreadable


@contextlib.contextmanager
def same_keys(*legs):
	"""The phones' contexts stay: neither end changes its key."""
	kept = [(leg.media, leg.media.sending, leg.media.receiving) for leg in legs]
	yield
	for media, sending, receiving in kept:
		if sending:
			assert media.sending.master == sending.master and media.receiving.master == receiving.master
		media.sending, media.receiving = sending, receiving


@pytest.mark.parametrize("suite", [SUITE, "AEAD_AES_256_GCM"])
def test_three_wraps_both_ways(topology, start, suite):
	gateway = start(access="sdes", suites=[suite])
	with Leg(topology, "access", keying="sdes", suite=suite) as access, Leg(topology, "core") as core, \
	     Capture(topology.access) as wire:
		set_up_warm(gateway, access, core)
		core.media.ssrc = access.media.ssrc # the legs have nothing to do with each other
		mouths = [Mouth(access.media, core.media), Mouth(core.media, access.media)]
		for mouth in mouths:
			mouth.run(65_000, 65_500, 50)
			mouth.wrap(1)
			mouth.check()
		with same_keys(access, core): # hold, resume: ROC 1
			for direction in ("sendonly", "sendrecv"):
				offer_again(access, core, access.offer(direction))
		kill(gateway, "relay")
		for mouth in mouths:
			mouth.probe()
			mouth.cross(2)
			mouth.wrap(2)
			mouth.check()
		kill(gateway, "control") # ROC 2
		kill(gateway, "relay")
		for mouth in mouths:
			mouth.probe()
			mouth.cross(3)
			mouth.wrap(3)
			mouth.check()
		wire.stop()
		verdict = Judge(fresh(access.media.receiving)).judge(media_of(wire, topology.gateway("access")))
		drops = end_after_death(gateway, access, core)
	print(suite, [(len(mouth.expected), mouth.lost) for mouth in mouths], verdict, {key: hex(index) for key, index in verdict.highest.items()}, drops)
	assert verdict.good and max(verdict.highest.values()) >> 16 == 3
	assert not [name for name in ("auth", "replay", "old") if name in drops], drops


def kill(gateway, child):
	since = gateway.mark()
	gateway.kill_child(child)
	gateway.wait_event("child back", 10, since, child=child)
	if child == "relay":
		gateway.wait_event("relay back", 10, since)


def end_after_death(gateway, access, core):
	access.hang_up()
	core.taken_down()
	return "; ".join(gateway.wait_event("media summary", call_id=access.dialog.call_id, leg=leg)["drops_by"] for leg in ("access", "core"))


def test_a_late_joiner(topology, start):
	"""SDES says no roll-over counter. A phone whose stream has wrapped before we hear it: once is found by trying, more is not, and is
	named for what it looks like."""
	gateway = start(access="sdes", suites=[SUITE])
	with Leg(topology, "access", keying="sdes", suite=SUITE) as access, Leg(topology, "core") as core:
		set_up_warm(gateway, access, core)
		for roc, heard in ((0, True), (1, True), (2, False)):
			media = access.media
			media.ssrc = random.getrandbits(32)
			media.sending._newest[media.ssrc] = (roc << 16) + 99
			core.media.received.clear()
			mouth = Mouth(media, core.media)
			mouth.rate = 500 # in one burst, eight are tried under the other counter (in 100 ms)
			mouth.run((roc << 16) + 100, (roc << 16) + 150)
			if heard:
				mouth.check()
		drops = end(gateway, access, core)["access"]
		assert not core.media.received
	assert drops == {"auth": 50}, drops
