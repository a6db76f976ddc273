# SPDX-License-Identifier: GPL-3.0-or-later
# Ways that change, end, come late or lead back here: routes, neighbours, links, addresses, families, hairpins.
import socket
import struct
import time

import pytest

from lib.capture import Capture
from lib.gateway import Gateway, configuration
from lib.leg import Leg, both_hear, call
from lib.nat import Public
from lib.netns import Topology


@pytest.fixture
def bridged():
	with Topology(attacker=True) as made:
		yield made


def announce(ns, device, address):
	"""Gratuitous ARP (RFC 5227): this address is at the device's MAC."""
	def send():
		with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
			s.bind((device, 0x0806))
			mac = s.getsockname()[4]
			ip = socket.inet_aton(address)
			s.send(b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac + ip + b"\xff" * 6 + ip)
	ns.inside(send)


def talks_again(leg, timeout=10):
	"""Seconds until five more packets have come."""
	began = time.monotonic()
	leg.media.wait_received(len(leg.media.received) + 5, timeout)
	return time.monotonic() - began


@pytest.mark.alone
def test_neighbours_routes_and_links_that_change_in_a_call(bridged, start):
	"""Media follows within a second each time, and the log says what changed."""
	topology = bridged
	with Gateway(topology) as gateway, Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core)
		time.sleep(1.1) # the kernel holds a neighbour that it has just learned for a second, against two who quarrel

		# Another card has the phone's address, as after a failover.
		since = gateway.mark()
		topology.access.run("ip", "link", "set", "br0", "address", "02:00:00:00:00:77")
		announce(topology.access, "br0", access.address)
		assert talks_again(access) < 1
		moved = gateway.wait_event("neighbour moved", since=since)
		assert moved["address"] == access.address and moved["to"] == "02:00:00:00:00:77", moved

		# The phone is behind a router now.
		since = gateway.mark()
		topology.attacker.sysctl("net.ipv4.ip_forward", 1)
		topology.attacker.sysctl("net.ipv4.conf.all.send_redirects", 0)
		topology.attacker.sysctl("net.ipv4.conf.net0.send_redirects", 0)
		with Capture(topology.attacker, "net0") as router:
			topology.gw.run("ip", "route", "add", f"{access.address}/32", "via", "10.10.0.66")
			gateway.wait_event("routes changed", since=since)
			assert talks_again(access) < 1
			both_hear(access, core, packets=20, seconds=0.2)
			assert len(list(router.stop().media(target=access.address))) > 10
		topology.gw.run("ip", "route", "del", f"{access.address}/32")

		# The gateway's own link, down and up.
		since = gateway.mark()
		topology.gw.run("ip", "link", "set", "access0", "down")
		lost = gateway.wait_event("path lost", since=since, call_id=call_id, leg="access")
		topology.gw.run("ip", "link", "set", "access0", "up")
		back = gateway.wait_event("path back", since=since, call_id=call_id, leg="access")
		assert lost["remote"] == back["remote"] and back["gap_ms"] > 0
		assert talks_again(access) < 1 and talks_again(core) < 1
		both_hear(access, core)
		access.hang_up()
		core.taken_down()


@pytest.mark.parametrize("where,cause", [("10.20.0.99", "No route to host"), ("192.0.2.1", "Network is unreachable")],
			 ids=["no-neighbour", "no-route"])
def test_a_peer_that_cannot_be_reached(topology, start, where, cause):
	"""Its SDP leads nowhere: the call ends, and says why."""
	gateway = start()
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		access.dial()
		core.ring()
		core.dialog = core.phone.accept(core.invite, core.begin_answer(core.invite.body).replace(
			f"IN IP4 {core.address}", f"IN IP4 {where}"))
		access.dialled_answer()
		access.taken_down(15)
		core.taken_down(15)
		ended = gateway.wait_event("call ended", call_id=access.dialog.call_id)
		assert ended["cause"] == f"no way to {where}:{core.media.port}: {cause}", ended


@pytest.mark.parametrize("access_family,core_family", [(4, 6), (6, 4)])
def test_ipv4_and_ipv6_in_one_call(topology, start, access_family, core_family):
	start(access_target=topology.phone("access", 10, access_family), core_target=topology.phone("core", 10, core_family))
	for outward in (True, False):
		with Leg(topology, "access", keying="dtls", family=access_family) as access, \
		     Leg(topology, "core", family=core_family) as core:
			caller, callee = (access, core) if outward else (core, access)
			call(caller, callee)
			both_hear(access, core)
			assert (":" in access.described.address(), ":" in core.described.address()) == (access_family == 6, core_family == 6)
			caller.hang_up()
			callee.taken_down()


ROUND = configuration(calls=100).replace("routes:", """\
  - {name: bob, realm: access, sources: [], target: "sip:{user}@10.10.0.11:5060;transport=udp"}
routes:
  - {from: core, user: "bob", to: bob}""")


def test_a_call_that_passes_the_gateway_twice(topology, start):
	"""Alice, gateway, PBX, gateway, Bob. The PBX handles SIP alone, so the gateway's two calls have each other's media
	addresses: media turns round inside and never reaches the core."""
	gateway = start(text=ROUND)
	with Leg(topology, "access", keying="dtls") as alice, Leg(topology, "access", keying="dtls", host=11) as bob, \
	     Leg(topology, "core") as pbx, Capture(topology.core) as wire:
		bob.tone = bob.media.tone = pbx.tone
		alice.dial()
		first = pbx.ring()
		pbx.dialog = pbx.phone.invite(f"sip:bob@{topology.gateway('core')}:5060", first.body)
		bob.pick_up()
		answer = pbx.phone.wait_response(pbx.dialog.cseq)
		assert answer.status == 200, answer.first
		pbx.phone.confirm(pbx.dialog, answer)
		back = pbx.phone.accept(first, answer.body)
		alice.dialled_answer()
		pbx.phone.wait_request("ACK")
		for leg in (alice, bob):
			leg.secured()
			leg.talk()
		both_hear(alice, bob)
		assert not list(wire.stop().media())
		alice.hang_up()
		pbx.phone.take_bye()
		pbx.hang_up()
		bob.taken_down()
		assert back.call_id != pbx.dialog.call_id
		totals = [gateway.wait_event("media total", call_id=leg.dialog.call_id) for leg in (alice, bob)]
		assert all(total["a_drops"] + total["b_drops"] < 20 for total in totals), totals


# 1:1 NAT in front of the gateway

def test_advertise():
	"""Phones on the Internet see one public address, in SIP and in SDP."""
	with Public() as topology, Gateway(topology, text=topology.configuration(advertise=True)):
		for outward in (True, False):
			with Leg(topology, "net", keying="dtls") as phone, Leg(topology, "core") as core:
				caller, callee = (phone, core) if outward else (core, phone)
				call(caller, callee)
				both_hear(phone, core)
				assert phone.described.address() == topology.PUBLIC
				core.hang_up() if outward else phone.hang_up()
				phone.taken_down() if outward else core.taken_down()
				said = "\n".join(f"{m.first} {m.headers} {m.body}" for m in phone.phone.messages)
				assert topology.PUBLIC in said and "10.10.0.1" not in said.replace("10.10.0.10", ""), said


def test_without_advertise():
	"""The control of the above: what phones send to the private address reaches nobody."""
	with Public() as topology, Gateway(topology, text=topology.configuration(advertise=False)):
		with Leg(topology, "net", keying="sdes") as phone, Leg(topology, "core") as core:
			phone.dial()
			invite = core.ring()
			core.dialog = core.phone.accept(invite, core.begin_answer(invite.body))
			answer = phone.phone.wait_response(1)
			phone.take_answer(answer.body)
			phone.phone.confirm(phone.dialog, answer, ack=False) # the Contact is private, too: by the way of the INVITE
			phone.phone.send_request("ACK", phone.dialog.target, phone.dialog.call_id, phone.dialog.local, phone.dialog.remote,
						 1, target=(topology.PUBLIC, 5060))
			assert phone.described.address() == "10.10.0.1"
			topology.net.run("ip", "route", "add", "10.0.0.0/8", "via", "198.51.100.99") # the Internet: nobody knows
			phone.talk()
			time.sleep(0.5)
			assert phone.media.sent and not core.media.received
			core.hang_up()
			phone.taken_down()


# A media address that another host may have

FLOATING = configuration().replace('{address: "10.10.0.1", ports: 16384-32767}',
				   '{address: "10.10.0.5", floating: true, ports: 16384-32767}')


def test_a_floating_address(topology, start):
	"""Before it comes calls are refused by name; gone in a call, nothing is sent under it; back, the call goes on."""
	gateway = start(text=FLOATING)
	gone = gateway.wait_event("media address gone")
	assert (gone["address"], gone["realm"], gone["floating"]) == ("10.10.0.5", "access", True)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		dialog = access.dial()
		response = access.phone.wait_response(dialog.cseq)
		assert response.status == 503, response.first
		access.phone.ack_failure(dialog, response)
		assert "media address" in gateway.wait_event("call ended", call_id=dialog.call_id)["cause"]

		topology.gw.address("access0", "10.10.0.5/24")
		gateway.wait_event("media address here")
		call_id = call(access, core)
		both_hear(access, core)
		assert access.described.address() == "10.10.0.5"

		since = gateway.mark()
		topology.gw.run("ip", "address", "del", "10.10.0.5/24", "dev", "access0")
		gateway.wait_event("media address gone", since=since)
		lost = gateway.wait_event("path lost", since=since, call_id=call_id, leg="access")
		assert lost["cause"] == "Cannot assign requested address", lost
		time.sleep(0.2) # what was under way
		count = len(access.media.received)
		time.sleep(0.5)
		assert len(access.media.received) == count
		topology.gw.address("access0", "10.10.0.5/24")
		gateway.wait_event("path back", since=since, call_id=call_id, leg="access")
		announce(topology.gw, "access0", "10.10.0.5")
		talks_again(access)
		both_hear(access, core)
		core.hang_up()
		access.taken_down()
