# SPDX-License-Identifier: GPL-3.0-or-later
# Two gateways in a row, a trunk with DTLS-SRTP between them: the one place where both ends speak DTLS 1.3.
#
# Both ends of the trunk are AF_XDP, so no capture sees it; what is judged is what was agreed and what was heard.
#
#   access --- gw 10.20.0.1 ===== 10.20.0.10 core (the second gateway) 10.30.0.1 --- 10.30.0.10 far
import time

import pytest

from lib.capture import Capture, Rtp
from lib.gateway import Gateway, configuration
from lib.leg import Leg, both_hear, call
from lib.netns import Namespace, Topology, veth

SECOND = """\
log: {{level: info, format: json}}
process: {{state_dir: "@STATE@"}}
dtls: {{versions: [{versions}]}}
realms:
  - name: trunk
    interface: net0
    listeners: ["udp:10.20.0.10:5060"]
    media: [{{address: 10.20.0.10, ports: 16384-17383}}]
    profile: secure
  - name: far
    interface: far0
    listeners: ["udp:10.30.0.1:5060"]
    media: [{{address: 10.30.0.1, ports: 16384-17383}}]
    profile: plain
profiles:
  - {{name: secure, keying: {{accept: [dtls-srtp], offer: [dtls-srtp], role: {role}}}}}
  - {{name: plain, keying: {{accept: [none], offer: [none]}}}}
peers:
  - {{name: gateway, realm: trunk, sources: [10.20.0.1/32], target: "sip:{{user}}@10.20.0.1:5060;transport=udp"}}
  - {{name: phone, realm: far, sources: [10.30.0.0/24], target: "sip:{{user}}@10.30.0.10:5060;transport=udp"}}
routes:
  - {{from: trunk, user: "*", to: phone}}
  - {{from: far, user: "*", to: gateway}}
"""


class Chain(Topology):
	"""`core` is the second gateway's namespace; behind it `far`, where a phone is."""

	def __init__(self):
		super().__init__()
		self.far = Namespace(self.core.name.replace("core", "far"))
		self.far.device = "net0"
		veth(self.far, "net0", self.core, "far0")
		self.core.address("far0", "10.30.0.1/24")
		self.far.address("net0", "10.30.0.10/24")

	@staticmethod
	def phone(side, host=10, family=4):
		return "10.30.0.10" if side == "far" else Topology.phone(side, host, family)

	def gateway(self, side, family=4):
		return "10.30.0.1" if side == "far" else super().gateway(side, family)

	def namespaces(self):
		return [*super().namespaces(), self.far]


class Second(Gateway):
	"""The gateway in `core`."""

	def __init__(self, chain, **settings):
		super().__init__(chain.as_core, text=SECOND.format(**settings))


class AsCore:
	"""What Gateway asks of a topology, answered for the second gateway."""

	def __init__(self, chain):
		self.gw = chain.core

	xdp_programs, leftovers = Topology.xdp_programs, Topology.leftovers


@pytest.fixture
def chain():
	with Chain() as made:
		made.as_core = AsCore(made)
		yield made


@pytest.mark.parametrize("versions,role,agreed", [
	('"1.2", "1.3"', "auto", "1.3"), ('"1.3"', "passive", "1.3"), ('"1.2"', "auto", "1.2")])
def test_a_trunk_between_two_gateways(chain, versions, role, agreed):
	text = configuration(access="plain", core="secure", core_target="10.20.0.10")
	with Gateway(chain, text=text) as first, Second(chain, versions=versions, role=role) as second:
		for caller, callee in (("access", "far"), ("far", "access")):
			with Leg(chain, caller) as here, Leg(chain, callee) as there:
				since, second_since = first.mark(), second.mark()
				call(here, there)
				lines = [first.wait_event("line secured", 10, since, mechanism="dtls-srtp"),
					 second.wait_event("line secured", 10, second_since, mechanism="dtls-srtp")]
				both_hear(here, there)
				here.hang_up()
				there.taken_down()
				for line in lines:
					assert (line["dtls_version"], line["suite"]) == (agreed, "AEAD_AES_256_GCM"), line
				assert {line["dtls_role"] for line in lines} == {"active", "passive"}


@pytest.mark.alone
def test_a_silent_side_delays_nobody(topology, start):
	"""The core talks, the access phone is silent: how long a packet takes through the gateway, wire to wire."""
	start(access="plain")
	with Leg(topology, "access") as access, Leg(topology, "core") as core, \
	     Capture(topology.access) as out, Capture(topology.core) as into:
		call(access, core)
		access.media.silence()
		time.sleep(0.1)
		since = len(access.media.received)
		access.media.wait_received(since + 150)
		core.hang_up()
		access.taken_down()
		entered = {Rtp(d.payload).sequence: d.time for d in into.stop().media(source=core.address)}
		left = {Rtp(d.payload).sequence: d.time for d in out.stop().media(target=access.address)}
		delays = sorted(left[n] - entered[n] for n in left if n in entered)
		assert len(delays) > 140
		middle, late = delays[len(delays) // 2], delays[int(len(delays) * 0.95)]
		print(f"through the gateway: median {1e6 * middle:.0f} us, 95 % within {1e6 * late:.0f} us, worst {1e6 * delays[-1]:.0f} us")
		assert middle < 0.001, f"{1e6 * middle:.0f} us"
