# SPDX-License-Identifier: GPL-3.0-or-later
# Threats D3 and D5: what a hello draws from the gateway before its address is proven, and what those can do who prove theirs and
# then say nothing. SALLYPORT_FULL=1: 50,000 proven addresses instead of 1,000.
import os
import threading
import time

import pytest

from lib import dtls, dtls_hello, netns
from lib.attacker import Attacker
from lib.dtls_flood import Flood
from lib.dtls_stranger import drops_of, ringing
from lib.gateway import sanitized
from lib.leg import Leg, both_hear, certificate
from lib.phone import Sdp

FULL = os.environ.get("SALLYPORT_FULL") == "1"
KEPT = 8 # handshakes a port


@pytest.fixture
def topology():
	with netns.Topology(attacker=True) as made:
		yield made


class Naive:
	"""Positive control: a DTLS server on a phone's address that answers every hello in full, and again by timer."""

	def __init__(self, topology):
		self.topology = topology
		self.socket = topology.access.udp(topology.phone("access"))
		self.address = self.socket.getsockname()
		self.endpoints, self.open = {}, True
		self.thread = threading.Thread(target=self.serve, daemon=True)
		self.thread.start()

	def serve(self):
		self.socket.settimeout(0.05)
		while self.open:
			try:
				datagram, peer = self.socket.recvfrom(4096)
				if peer not in self.endpoints:
					self.endpoints[peer] = dtls.Endpoint(certificate(), active=False)
				self.endpoints[peer].feed(datagram)
			except TimeoutError:
				pass
			for peer, endpoint in self.endpoints.items():
				for answer in endpoint.poll():
					self.socket.sendto(answer, peer)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.open = False
		self.thread.join(2)
		self.socket.close()


def end(access, core):
	core.hang_up()
	access.taken_down()
	access.close()
	core.close()


def answered(access, core, invite):
	"""The phone answers; seconds until it has keys."""
	began = time.monotonic()
	access.dialog = access.phone.accept(invite, access.begin_answer(invite.body))
	core.dialled_answer()
	access.secured()
	return time.monotonic() - began


def test_single_hellos_are_answered_by_less(topology, start):
	"""10,000 hosts of nobody, a hello each, of either version: no octet more comes back, once, and nothing stays."""
	gateway = start()
	access, core, invite = ringing(topology)
	target = Sdp(invite.body).remote()
	hellos = [dtls_hello.dtls12(), dtls_hello.dtls13()]
	Flood(topology, hellos, [target], 2000, count=500, linger=0.2).result() # memory that is used from now on
	memory, descriptors = gateway.memory_kb("control"), gateway.descriptors("control")
	told = Flood(topology, hellos, [target], 4000, count=10000, linger=2.5).result()
	print(told)
	assert told["sent"] == 10000 and told["got"] >= 2000, "many were answered, so the proportion says something"
	assert told["got_bytes"] <= told["sent_bytes"]
	assert told["most_to_one"] == 1 and told["alerts"] == 0, "nothing is repeated"
	assert gateway.descriptors("control") == descriptors
	if not sanitized(): # its allocator keeps what was freed
		grown = gateway.memory_kb("control") - memory
		print(f"grown {grown} kB")
		assert grown <= 64
	assert answered(access, core, invite) < 5
	end(access, core)


def test_nobodies_on_the_link_cost_no_neighbours(topology, start):
	"""Hellos of 5,000 hosts that seem to be neighbours and are nobody: answered the way they came, without a question to Linux,
	while others' handshakes go on."""
	start(core_target=topology.phone("core", 11))
	count, rate = (5000, 1000) if FULL or not sanitized() else (1500, 300)
	access, core, invite = ringing(topology)
	took = []
	with Flood(topology, [dtls_hello.dtls12(), dtls_hello.dtls13()], [Sdp(invite.body).remote()], rate, count=count, on_link=True,
		   linger=1) as flood:
		while len(took) < 20 or flood.running():
			took.append(beside(topology))
			time.sleep(count / rate / 25)
		told = flood.result(60)
	neighbours = topology.gw.run("ip", "-4", "neigh", "show", "nud", "all").stdout.splitlines()
	strangers = [line for line in neighbours if line.startswith(("198.18.", "198.19."))]
	print(f"{told['got']} answers to {told['sent']} hellos; {len(took)} calls beside them {max(took):.3f} s at most; "
	      f"{len(neighbours)} neighbours, of them {len(strangers)} of the flood")
	assert told["sent"] >= 0.9 * count and told["got"] >= 0.2 * told["sent"], told
	assert told["most_to_one"] == 1
	assert strangers == []
	assert max(took) < 2.5, sorted(took)
	assert answered(access, core, invite) < 2.5
	end(access, core)


def test_a_naive_server_amplifies(topology):
	"""Positive control of the same instrument."""
	with Naive(topology) as naive:
		told = Flood(topology, [dtls_hello.dtls12()], [naive.address], 500, count=100, linger=2.5,
			     victim=(topology.access, topology.access.device)).result()
	assert told["got_bytes"] > 2 * told["sent_bytes"], told
	assert told["most_to_one"] > 5, "the flight, and the flight again"


def test_a_cookie_is_good_for_its_address_alone(topology, start):
	gateway = start()
	access, core, invite = ringing(topology)
	target = Sdp(invite.body).remote()
	alice, bob = (topology.attacker.udp(Attacker.address) for _ in range(2))
	hello = dtls_hello.dtls12()

	def ask(sock, datagram, again=0.5):
		"""What comes: the first, asked again while the way back is not known yet; then the rest behind it."""
		answers, until = [], 0
		for _ in range(10 if again else 1):
			sock.sendto(datagram, target)
			until = time.monotonic() + (again or 0.5)
			while time.monotonic() < until:
				sock.settimeout(0.05)
				try:
					answers.append(sock.recv(4096))
				except TimeoutError:
					pass
			if answers:
				return answers
		return answers

	first = ask(alice, hello)[0]
	cookie = dtls_hello.cookie_of(first)
	assert cookie
	brought = dtls_hello.with_cookie(hello, cookie)
	refused = ask(bob, brought, again=None)
	assert all(dtls_hello.cookie_of(datagram) not in (None, cookie) for datagram in refused), "a cookie of his own at most"
	assert sum(map(len, refused)) <= len(brought)
	flight = ask(alice, brought)
	assert any(datagram[13] == 2 for datagram in flight), "positive control: it was good for Alice (ServerHello)"
	strangers = gateway.wait_event("dtls from strangers", 5)
	assert "bad_cookie=1" in strangers["drops_by"]
	answered(access, core, invite)
	end(access, core)
	alice.close()
	bob.close()


def gaps(times):
	"""Between flights; one flight's datagrams are close together."""
	starts = [times[0]] + [b for a, b in zip(times, times[1:]) if b - a > 0.1]
	return [b - a for a, b in zip(starts, starts[1:])]


def test_few_silent_handshakes_are_all_kept(topology, start):
	"""Positive control of the next: as many as a port keeps get their flight again and again, ever more seldom."""
	start()
	access, core, invite = ringing(topology)
	told = Flood(topology, [dtls_hello.dtls12()], [Sdp(invite.body).remote()], 100, count=KEPT, cookies=True,
		     linger=12 if FULL else 2).result()
	assert told["proven"] == KEPT and len(told["retransmitted_to"]) == KEPT, told
	for times in told["retransmitted_to"].values():
		between = gaps(times)
		assert len(between) == (5 if FULL else 3), f"at 0.2, 0.6, 1.4, 3 and 6.2 s, and no more: {times}"
		assert all(b > 1.6 * a for a, b in zip(between, between[1:])), between
	answered(access, core, invite)
	end(access, core)


def beside(topology):
	"""Another call, from another phone to another trunk; seconds to its keys."""
	with Leg(topology, "access", keying="dtls", role="active", host=11) as access, Leg(topology, "core", host=11) as core:
		began = time.monotonic()
		access.dial()
		core.pick_up()
		access.dialled_answer()
		access.secured()
		took = time.monotonic() - began
		access.hang_up()
		core.taken_down()
	return took


@pytest.mark.alone
@pytest.mark.parametrize("own", [False, True], ids=["a crowd", "one host"])
def test_a_flood_of_silent_handshakes(topology, start, own):
	"""All prove their addresses at one port, and say nothing more. That call is made all the same, and others beside it."""
	gateway = start(core_target=topology.phone("core", 11))
	count, rate = (50000, 2000) if FULL else (1000, 300 if sanitized() else 1000)
	access, core, invite = ringing(topology)
	beside(topology)
	memory, took = gateway.memory_kb("control"), []
	with Flood(topology, [dtls_hello.dtls12()], [Sdp(invite.body).remote()], rate, count=count + 2 * rate, own=own, cookies=True,
		   linger=2) as flood:
		began = time.monotonic()
		while time.monotonic() < began + count / rate:
			took.append(beside(topology))
			time.sleep(0.05)
		grown = gateway.memory_kb("control") - memory
		there = answered(access, core, invite)
		assert flood.running()
		access.talk()
		core.talk()
		both_hear(access, core)
		told = flood.result(180)
	end(access, core)
	summary = gateway.wait_event("media summary", leg="access", call_id=core.dialog.call_id)
	print(f"{told['proven']} proven of {told['sent']} in {told['seconds']} s, {len(told['retransmitted_to'])} kept longer than 150 ms; "
	      f"the call there {there:.3f} s, {len(took)} beside it {max(took):.3f} s at most; control grew {grown} kB; "
	      f"{summary['drops_by']}")
	assert told["proven"] >= 0.5 * count
	assert drops_of(summary)["dtls_gave_way"] >= 0.5 * count - KEPT, "the oldest went"
	assert len(told["retransmitted_to"]) <= 2 * KEPT + told["seconds"] * 2, told["retransmitted_to"]
	late = sum(seconds >= 1 for seconds in took) # a lost hello costs the phone's first second
	assert late <= max(1, 0.02 * len(took)) and max(took) < 2.5 and there < 1, sorted(took)
	if not sanitized():
		assert grown < 1024 + 40 * len(took) # SIP remembers each call for 32 s
