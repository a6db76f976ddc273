# SPDX-License-Identifier: GPL-3.0-or-later
# A thousand calls, then a thousand more, through all of the gateway: what the second thousand leaves is nothing.
import time

from lib import sipp
from lib.gateway import sanitized

CALLS, RATE = 1000, 100
MOST = 64 # octets a call
TRANSACTIONS_END = 33 # seconds: RFC 3261 timers D, H, I, J are 32 s; the transactions of the last call end then


def thousand(topology, gateway, so_far):
	callee = sipp.Sipp(topology.core, topology.phone("core"), sipp.answering(), calls=CALLS)
	with callee, sipp.Sipp(topology.access, topology.phone("access"), sipp.calling(talk_ms=200), calls=CALLS, rate=RATE,
			       target=topology.GW["access"], echo=False) as caller:
		caller.done(120)
		callee.done(30)
	deadline = time.monotonic() + 10
	while len(gateway.events("call ended")) < so_far + CALLS:
		assert time.monotonic() < deadline, len(gateway.events("call ended"))
		time.sleep(0.2)
	return {kind: (gateway.memory_kb(kind), gateway.descriptors(kind)) for kind in ("control", "relay")}


def descriptors(measured):
	return {kind: count for kind, (_, count) in measured.items()}


def grown(before, after):
	"""Octets a call."""
	return {kind: 1024 * (after[kind][0] - before[kind][0]) / CALLS for kind in after}


def test_two_thousand_calls(topology, start):
	# Tables of fixed size become resident as their entries are first used, ports the least recently used first: so few that
	# the third thousand finds each one touched before.
	gateway = start(access="plain", ports="16384-20479", calls=500)
	first = thousand(topology, gateway, 0)
	if sanitized():
		return # quarantine grows as it should; LeakSanitizer speaks when the gateway ends
	# Both measured at the same point, with the transactions of one thousand and no more.
	time.sleep(TRANSACTIONS_END)
	second = thousand(topology, gateway, CALLS)
	time.sleep(TRANSACTIONS_END)
	third = thousand(topology, gateway, 2 * CALLS)
	print(f"(KiB, descriptors) after 1000: {first}, 2000: {second}, 3000: {third}")
	assert descriptors(third) == descriptors(second) == descriptors(first)
	for more in (3, 4): # more calls stood at once than ever before, or less of what was freed had gone back: not for ever
		if max(grown(second, third).values()) > MOST:
			time.sleep(TRANSACTIONS_END)
			second, third = third, thousand(topology, gateway, more * CALLS)
			print(f"after {more + 1}000: {third}")
	assert max(grown(second, third).values()) <= MOST, f"bytes a call: {grown(second, third)}"
