# SPDX-License-Identifier: GPL-3.0-or-later
# Where media comes from and goes to when that is not simply the signalled address on the next wire.
import time

import pytest

from lib import media
from lib.leg import Leg, both_hear, call

OWN_HOST = """\
log: {level: info, format: json}
process: {state_dir: "@STATE@"}
realms:
  - name: access
    interface: access0
    listeners: ["udp:10.10.0.1:5060"]
    media: [{address: 10.10.0.1, ports: 16384-17383}]
    profile: sdes
  - name: core
    interface: lo
    listeners: ["udp:127.0.0.1:5060"]
    media: [{address: 127.0.0.1, ports: 18384-19383}]
    profile: plain
profiles:
  - {name: sdes, keying: {accept: [sdes], offer: [sdes]}}
  - {name: plain, keying: {accept: [none], offer: [none]}}
peers:
  - {name: phones, realm: access, sources: [10.10.0.0/24], target: "sip:{user}@10.10.0.10:5060"}
  - {name: pbx, realm: core, sources: [127.0.0.2/32], target: "sip:{user}@127.0.0.2:5060"}
routes:
  - {from: access, user: "*", to: pbx}
  - {from: core, user: "*", to: phones}
"""


class OwnHost:
	"""The topology as a phone sees it that runs on the gateway's own host."""

	def __init__(self, topology):
		self.core = topology.gw
		self.core.device = "lo"

	@staticmethod
	def phone(_side, _host=10, _family=4):
		return "127.0.0.2"

	@staticmethod
	def gateway(_side, _family=4):
		return "127.0.0.1"


@pytest.mark.parametrize("from_access", [True, False], ids=["to-pbx", "from-pbx"])
def test_a_pbx_on_the_gateways_own_host(topology, start, from_access):
	start(text=OWN_HOST)
	with Leg(topology, "access", keying="sdes") as access, Leg(OwnHost(topology), "core") as pbx:
		caller, callee = (access, pbx) if from_access else (pbx, access)
		call(caller, callee)
		both_hear(access, pbx)
		caller.hang_up()
		callee.taken_down()


def moved(leg, host=None):
	"""Another socket of the same phone, as behind a NAT that maps anew: same stream, other source."""
	other = media.Media(getattr(leg.topology, leg.side), leg.topology.phone(leg.side, host) if host else leg.address, 0, leg.tone)
	old = leg.media
	other.ssrc, other.sequence, other.sent = old.ssrc, old.sequence, old.sent
	other.sending, other.receiving, other.remote = old.sending, old.receiving, old.remote
	return other


@pytest.mark.parametrize("keying", ["sdes", "dtls"])
def test_follows_an_authenticated_source(topology, start, keying):
	"""The phone's address changes in the middle of the call: its own authenticated packets move the path."""
	gateway = start(access="sdes" if keying == "sdes" else "secure")
	with Leg(topology, "access", keying=keying) as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core)
		time.sleep(2) # at most one move in 2 s
		old = access.media
		old.silence()
		access.media = moved(access, host=15)
		access.media.talk()
		both_hear(access, core)
		gateway.wait_event("source moved", call_id=call_id)
		count = len(old.received)
		time.sleep(0.3)
		assert len(old.received) - count <= 1, "nothing to the old address"
		access.hang_up()
		core.taken_down()
		old.close()


def test_does_not_follow_a_stranger(topology, start):
	"""Packets from elsewhere that carry no good tag move nothing, whatever they look like."""
	start(access="sdes")
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=30, seconds=0.3)
		time.sleep(2)
		stranger = moved(access, host=16)
		stranger.sending = None # right SSRC, right sequence numbers, no key
		for _ in range(200):
			stranger.socket.sendto(stranger.packet(b"\x55" * 170), access.media.remote)
			stranger.sequence += 1
		both_hear(access, core)
		assert not stranger.received and not stranger.unreadable
		assert not [p for _, p in core.media.received if b"\x55" * 160 in p]
		stranger.close()
		access.hang_up()
		core.taken_down()


@pytest.mark.parametrize("settings", [{"hugepages": "off"}, {"poll": "busy"}], ids=["no-hugepages", "busy"])
def test_memory_and_polling(topology, start, settings):
	start(**settings)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core)
		access.hang_up()
		core.taken_down()
