# SPDX-License-Identifier: GPL-3.0-or-later
# Set-up over a road that loses 5 % of the packets, delays the rest by up to 50 ms and reorders 3 %, both ways, SIP and
# handshakes alike: every call is secured.
import concurrent.futures
import itertools
import os
import socket
import struct
import threading
import time

import pytest

from lib import tshark
from lib.capture import Capture
from lib.impair import Road
from lib.media import Media
from lib.patient import PatientLeg
from lib.phone import Phone, Sdp, audio_section, sdp

FULL = os.environ.get("SALLYPORT_FULL") == "1"
CALLS = 50 if FULL else 10
AT_ONCE = 5
LIMIT = 20 # seconds; the keying timeout ends a call without keys 10 s after its answer


@pytest.fixture
def topology():
	with Road() as made:
		yield made


@pytest.mark.alone
def test_the_road_itself(topology):
	"""What it does to 2,000 numbered datagrams is what it was told."""
	topology.impair(seed=7)
	with topology.gw.udp("10.10.0.1", 7000) as there, \
	     topology.access.udp(topology.phone("access"), 7000) as here:
		there.settimeout(3)
		arrived = []

		def listen():
			try:
				while True:
					number, sent = struct.unpack("!Id", there.recv(64))
					arrived.append((number, time.monotonic() - sent))
			except socket.timeout:
				pass

		ear = threading.Thread(target=listen)
		ear.start()
		for number in range(2000):
			here.sendto(struct.pack("!Id", number, time.monotonic()), ("10.10.0.1", 7000))
			time.sleep(0.001)
		ear.join()
	toll = topology.toll()
	overtaken = sum(number < newest for (number, _), newest in zip(arrived, itertools.accumulate((n for n, _ in arrived), max)))
	print(f"{len(arrived)} of 2000 arrived, {overtaken} overtaken, longest {max(d for _, d in arrived):.3f} s; {toll}")
	assert toll["seen"] == 2000 and toll["sent"] == len(arrived) == 2000 - toll["lost"]
	assert 60 <= toll["lost"] <= 140 and 35 <= toll["held"] <= 90 and toll["held"] * 0.8 <= overtaken <= toll["held"]
	assert max(delay for _, delay in arrived) > 0.04


class Pbx:
	"""In the core, where nothing is lost: takes every call, plain, and talks."""

	def __init__(self, topology):
		self.topology = topology
		self.phone = Phone(topology.core, topology.phone("core"), "pbx")
		self.media = {} # by the port that it has told
		threading.Thread(target=self._work, daemon=True).start()

	def _work(self):
		while self.phone._open:
			try:
				request = self.phone.wait(lambda m: m.method in ("INVITE", "BYE"), 0.5)
			except AssertionError:
				continue
			if request.method == "BYE":
				self.phone.answer(request, 200, "OK")
				continue
			media = Media(self.topology.core, self.phone.address)
			media.talk(Sdp(request.body).remote())
			self.media[media.remote[1]] = media
			self.phone.answer(request, 200, "OK", sdp(self.phone.address, audio_section(media.port)))

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.phone.close()
		for media in self.media.values():
			media.close()


def one_call(topology, keying, host):
	"""Set up, heard, ended; seconds until the keys."""
	with PatientLeg(topology, "access", keying=keying, host=host) as leg:
		began = time.monotonic()
		leg.dial()
		leg.dialled_answer(LIMIT)
		leg.secured(LIMIT)
		took = time.monotonic() - began
		leg.talk()
		leg.media.wait_received(10, LIMIT)
		leg.hang_up()
		return took, leg.phone.repeated


def in_turn(topology, keying, host):
	return [one_call(topology, keying, host) for _ in range(CALLS // AT_ONCE)]


@pytest.mark.parametrize("profile,keying", [("active", "dtls"), ("passive", "dtls"), ("sdes", "sdes")])
def test_every_call_is_secured(topology, start, profile, keying):
	gateway = start(access=profile)
	topology.impair(seed=20261121)
	with Pbx(topology), Capture(topology.road, "right") as wire, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
		rows = list(pool.map(lambda host: in_turn(topology, keying, host), range(10, 10 + AT_ONCE)))
		assert not tshark.malformed(wire.stop().path, topology.gateway("access"))
		assert not tshark.unknown(wire.path, topology.gateway("access"))
	results = sorted(result for row in rows for result in row)
	toll = topology.toll()
	times = [took for took, _ in results]
	print(f"{len(times)} of {CALLS} calls secured ({profile} {keying}): median {times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s; "
	      f"{sum(repeated for _, repeated in results)} SIP messages repeated; {toll}")
	assert len(times) == CALLS and times[-1] < LIMIT
	assert toll["lost"] > 0.02 * toll["seen"] and toll["held"] > 0.01 * toll["seen"] # the road was bad indeed
	secured = gateway.events("line secured", leg="access")
	assert len(secured) == CALLS and not gateway.events("keying failed")
