# SPDX-License-Identifier: GPL-3.0-or-later
# What the attack tests share: the wire with an attacker on it, a call set up step by step, the counters at its end.
import os
import random
import time

import pytest

from .attacker import Attacker
from .netns import Topology
from .process import Timeout

FULL = os.environ.get("SALLYPORT_FULL") == "1" # the sizes that docs/security.md records


@pytest.fixture
def topology():
	with Topology(attacker=True) as made:
		yield made


@pytest.fixture
def attacker(topology):
	with Attacker(topology) as made:
		yield made


def set_up(access, core):
	"""Offer and answer are done, keys may be under way, nobody talks."""
	access.dial()
	core.pick_up()
	access.dialled_answer()


def secured(gateway, access, core):
	"""Both phones have their keys, and so has the relay: no packet comes too early."""
	for leg in (access, core):
		leg.secured()
		gateway.wait_event("line secured", call_id=access.dialog.call_id, leg=leg.side)


def set_up_warm(gateway, access, core):
	"""Each has heard the other, so nothing that follows is lost on a path that is still being made; then silence, and other SSRCs."""
	set_up(access, core)
	secured(gateway, access, core)
	for leg in (access, core):
		leg.talk()
	for leg in (access, core):
		leg.media.wait_received(3)
	for leg in (access, core):
		leg.media.silence()
	time.sleep(0.1) # what is on its way arrives
	for leg in (access, core):
		leg.media.received.clear()
		leg.media.ssrc, leg.media.sequence = random.getrandbits(32), random.getrandbits(15)


def offer_again(leg, other=None, body=None):
	"""A re-INVITE, which concerns the other end (both read what they get), or which the gateway answers alone: a refresh, new keys."""
	leg.dialog.request("INVITE", body or leg.offer())
	if other is not None:
		invite = other.phone.wait_request("INVITE")
		other.dialog = other.phone.accept(invite, other.begin_answer(invite.body))
	response = leg.phone.wait_response(leg.dialog.cseq)
	assert response.status == 200, response.first
	leg.take_answer(response.body)
	leg.dialog.ack(response.cseq[0])


def end(gateway, leg, other):
	"""Ends the talk and hangs up; returns the drops of both legs' RTP ports, by name: {"access": {...}, "core": {...}}; but for
	what a busy machine brings before it has found the neighbour, and after the gates have closed."""
	for end in (leg, other):
		end.media.silence()
	time.sleep(0.1) # what is on its way arrives before the gates close
	leg.hang_up()
	other.taken_down()
	drops = {side: drops_of(gateway, leg.dialog.call_id, side) for side in ("access", "core")}
	for names in drops.values():
		names.pop("no_nexthop", None)
		names.pop("gate", None)
	return drops


def all_counted(counted, sent, lost, what):
	"""Each of an attack's packets was refused by name, but for those that never came: not one too many, which would be another
	packet's name, and not too few. Few may be a busy machine's, whose rings overflow where no device counts it."""
	assert counted <= sent, what
	if counted < sent - lost:
		raise Timeout(f"{counted} of {sent} counted, {lost} lost on the wire: {what}")


def drops_of(gateway, call_id, side="access"):
	text = gateway.wait_event("media summary", call_id=call_id, leg=side)["drops_by"]
	return {name: int(count) for name, _, count in (item.partition("=") for item in text.split(",")) if name}
