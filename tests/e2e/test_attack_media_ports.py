# SPDX-License-Identifier: GPL-3.0-or-later
# Cross-talk by port reuse (docs/security.md M12): the peers of an ended call go on sending to its ports. Nobody hears them, not even those who get
# these ports next.
import contextlib
import time

import pytest

from lib.attack import FULL, drops_of, set_up
from lib.attacker import MARK, marked
from lib.gateway import sanitized
from lib.leg import Leg, both_hear
from lib.media import Media
from lib.naive import NaiveRelay

PAIRS = "16384-16387" # two pairs of ports a side: the second call takes the other, the third has to wait for the first's rest
REST = 60
HAUNTED = 30 + 30 + 60 # packets of each ghost in a call


class Ghost:
	"""Goes on with the stream of a call that is over, from the same socket, with the keys it had; every packet marked."""

	def __init__(self, media):
		self.media, self.target, self.sent = media, media.remote, 0

	def haunt(self, n=100):
		for _ in range(n):
			self.media.remote = self.target
			self.media.send((MARK * 16)[:160])
			self.sent += 1
			time.sleep(0.002)


def haunted(leg):
	return marked(leg.media.received) + marked(leg.media.rtcp)


def ports_of(leg):
	return leg.media.remote[1]


@pytest.mark.parametrize("kind", ["sdes", "plain"])
def test_an_ended_calls_peers_are_heard_by_nobody(topology, start, kind):
	gateway = start(access=kind, ports=PAIRS)
	keying = {"keying": kind} if kind != "plain" else {}
	with Leg(topology, "access", **keying) as first, Leg(topology, "core") as core:
		set_up(first, core)
		for leg in (first, core):
			leg.talk()
		both_hear(first, core, packets=12, seconds=0.1)
		first.hang_up()
		core.taken_down()
		ended = time.monotonic()
		first.media.silence()
		core.media.silence()
		old_ports = ports_of(first), ports_of(core)
		ghosts = [Ghost(first.media), Ghost(core.media)]
		for ghost in ghosts:
			ghost.haunt() # into the rest
		# Another phone calls; the core phone has another socket, as phones do.
		with Leg(topology, "access", host=11, **keying) as second, another_socket(topology, core):
			talk_haunted(second, core, ghosts)
			assert ports_of(second) != old_ports[0] and ports_of(core) != old_ports[1]
			assert not haunted(second) and not haunted(core)
			refused = second.dial()
			assert second.phone.wait_response(refused.cseq).status == 503, "both pairs rest"
		if FULL and not sanitized():
			time.sleep(max(0, ended + REST + 1 - time.monotonic()))
			for ghost in ghosts:
				ghost.haunt()
			with Leg(topology, "access", host=12, **keying) as third, another_socket(topology, core):
				talk_haunted(third, core, ghosts)
				assert (ports_of(third), ports_of(core)) == old_ports, "the same ports again"
				drops = [drops_of(gateway, third.dialog.call_id, side) for side in ("access", "core")]
				print(kind, "on the reused ports:", drops)
				assert not haunted(third) and not haunted(core)
				for drop, name in zip(drops, ("auth" if kind == "sdes" else "wrong_source", "wrong_source")):
					assert set(drop) == {"not_keyed", name} and sum(drop.values()) == HAUNTED, drop


@contextlib.contextmanager
def another_socket(topology, core):
	"""The core phone's next call: same SIP, another socket for media; the old one stays open for its ghost."""
	old = core.media
	core.media = Media(topology.core, core.address, tone=core.tone)
	core.dialog = core.invite = None
	yield
	core.media.close()
	core.media = old


def talk_haunted(caller, callee, ghosts):
	"""A call, in whose set-up, in whose learning window and in whose middle the ghosts send."""
	caller.dial()
	callee.ring()
	for ghost in ghosts:
		ghost.haunt(30)
	callee.pick_up()
	caller.dialled_answer()
	for ghost in ghosts:
		ghost.haunt(30)
	for leg in (caller, callee):
		leg.secured()
		leg.talk()
	for ghost in ghosts:
		ghost.haunt(60)
	both_hear(caller, callee, packets=12, seconds=0.1)
	caller.hang_up()
	callee.taken_down()


def test_a_relay_that_keeps_no_rest_lets_them_speak(topology):
	"""The positive control: there the ghost's packets reach whoever has the port next."""
	with NaiveRelay(topology) as relay, Media(topology.access, topology.phone("access")) as ghost, \
	     Media(topology.core, topology.phone("core")) as next_callee:
		ghost.remote, next_callee.remote = relay.access, relay.core
		next_callee.talk()
		Ghost(ghost).haunt(50)
		next_callee.wait_received(20)
		assert marked(next_callee.received)
