# SPDX-License-Identifier: GPL-3.0-or-later
# Kamailio between the gateway and the phone behind it, in every dialog by Record-Route: what is said in a call goes its way.
import os

import pytest

from lib.leg import Leg, both_hear
from lib.phone import Sdp
from peers.kamailio import Behind, Kamailio

ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
WAYS = [("access", "core"), ("core", "access")] # who begins, who ends
if os.environ.get("SALLYPORT_FULL"):
	WAYS += [("access", "access"), ("core", "core")]
MIRRORED = {"sendonly": "recvonly", "inactive": "inactive", "sendrecv": "sendrecv"}


@pytest.fixture(params=["udp", "tcp"])
def ends(request, topology, start):
	"""The gateway knows the proxy alone. Over TCP with it, UDP with the phone, Kamailio stands in a route set twice."""
	topology.running = start(access="secure", transport=request.param)
	with Kamailio(topology, request.param) as proxy, Behind(topology, proxy) as core, \
	     Leg(topology, "access", keying="dtls", role="active", transport=request.param) as access:
		yield {"access": access, "core": core}
		assert not proxy.astray() and not core.strangers(), (proxy.astray(), core.strangers())


def connect(caller, callee):
	caller.dial(headers=[ALLOW])
	callee.ring()
	callee.dialog = callee.phone.accept(callee.invite, callee.begin_answer(callee.invite.body), headers=[ALLOW])
	callee.phone.wait_request("ACK")
	caller.dialled_answer()
	for leg in (caller, callee):
		leg.secured()
		leg.talk()


def reoffer(first, second, method, direction):
	"""What the other side must know crosses, by the same method; both answers arrive."""
	first.dialog.request(method, first.offer(direction), [ALLOW])
	number = first.dialog.cseq
	asked = second.phone.wait_request(method)
	assert Sdp(asked.body).direction() == direction
	answer = second.begin_answer(asked.body).replace("a=sendrecv", f"a={MIRRORED[direction]}")
	second.phone.answer(asked, 200, "OK", answer, headers=[ALLOW])
	response = first.phone.wait_response(number, method)
	assert (response.status, Sdp(response.body).direction()) == (200, MIRRORED[direction]), response.first
	if method == "INVITE":
		first.dialog.ack(number)
		second.phone.wait_request("ACK")


def through(proxy, last, **methods):
	"""These requests of each side, in order, as the proxy says it."""
	seen = proxy.passed(last)
	for side, expected in methods.items():
		source = proxy.gateway if side == "access" else proxy.phone
		assert [method for method, sender in seen if sender == source] == expected, seen


@pytest.mark.parametrize("first, last", WAYS)
def test_call(ends, first, last):
	"""INVITE from either side, hold and back by re-INVITE and UPDATE from both, BYE from either."""
	caller, callee = ends[first], ends["core" if first == "access" else "access"]
	connect(caller, callee)
	both_hear(caller, callee, seconds=0.3, packets=30)
	for one, other in ((caller, callee), (callee, caller)):
		reoffer(one, other, "INVITE", "sendonly")
		reoffer(one, other, "UPDATE", "sendrecv")
	both_hear(caller, callee, seconds=0.3, packets=30)
	ends[last].hang_up()
	ends["core" if last == "access" else "access"].taken_down()
	begun, held, over = ["INVITE", "ACK"], ["INVITE", "ACK", "UPDATE"], ["BYE"]
	through(ends["core"].proxy, "BYE", **{side: (begun if side == first else []) + held + (over if side == last else []) for side in ends})


def test_call_that_is_cancelled(ends):
	caller, callee = ends["access"], ends["core"]
	caller.dial()
	invite = callee.ring()
	caller.phone.wait(lambda m: m.status == 180, 5, "180")
	caller.phone.cancel(caller.dialog)
	callee.phone.answer(callee.phone.wait_request("CANCEL"), 200, "OK")
	callee.phone.answer(invite, 487, "Request Terminated")
	callee.phone.wait_request("ACK")
	final = caller.phone.wait_response(1)
	assert final.status == 487, final.first
	caller.phone.ack_failure(caller.dialog, final)
	through(callee.proxy, "CANCEL", access=["INVITE", "CANCEL"], core=[])


@pytest.mark.parametrize("first, last", WAYS)
def test_route_set_outlives_control(topology, ends, first, last):
	"""The control that took the call over finds the way, from both sides."""
	caller, callee = ends[first], ends["core" if first == "access" else "access"]
	connect(caller, callee)
	since = topology.running.mark()
	topology.running.kill_child("control")
	topology.running.wait_event("child back", 5, since, child="control")
	reoffer(ends["access"], ends["core"], "INVITE", "sendonly")
	reoffer(ends["core"], ends["access"], "UPDATE", "sendrecv")
	both_hear(caller, callee, seconds=0.3, packets=30)
	ends[last].hang_up()
	ends["core" if last == "access" else "access"].taken_down()
	seen = [method for method, _ in ends["core"].proxy.passed("BYE")]
	assert seen == ["INVITE", "ACK", "INVITE", "ACK", "UPDATE", "BYE"], seen
