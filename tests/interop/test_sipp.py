# SPDX-License-Identifier: GPL-3.0-or-later
# SIPp on both sides: its own scenarios as they are, and ours for what it has not. Each end fails if a message is another one than it
# waits for; the gateway must have ended each call as a call ends.
import pytest

from lib import sipp
from lib.sipp import description, pause, receive, reply, request, scenario, send

CALLS = 10
CAN = "Supported: 100rel\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\n"


def taken(header, name):
	"""An action: that header's value is [$name] from now on. It must be there."""
	return f'<ereg regexp="[^ ].*" search_in="hdr" header="{header}:" check_it="true" assign_to="{name}"/>'


HAS_SDP = '<ereg regexp="m=audio [1-9]" search_in="body" check_it="true" assign_to="sdp"/>'
USED = '<Reference variables="{}"/>'
TRYING = receive(100, True)
BYE_OUT = [request("BYE", cseq="9"), receive(200)]
BYE_IN = [receive("BYE"), reply(200, "OK", tag="")]


def invite(body=True):
	return send(sipp._request("INVITE", description() if body else None, to="", cseq="1", headers=CAN))


# RFC 3262: the answer is in a reliable 183, the 200 after its PRACK has none; the caller holds by UPDATE (RFC 3311).
OK_TO_INVITE = """\
SIP/2.0 200 OK
Via: [$via]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: [$cseq]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
""" + CAN + "Content-Length: 0\n\n"
RELIABLE = (
	scenario(invite(), TRYING, receive(183, actions=taken("RSeq", "rseq") + HAS_SDP, rrs=True),
		 request("PRACK", cseq="2", headers="RAck: [$rseq] 1 INVITE\n"), receive(200), receive(200, rrs=True), request("ACK", cseq="1"),
		 request("UPDATE", description("sendonly", 2), cseq="3", headers=CAN), receive(200, actions=HAS_SDP), *BYE_OUT, USED.format("sdp")),
	scenario(receive("INVITE", rrs=True, actions=taken("Via", "via") + taken("CSeq", "cseq")),
		 reply(183, "Progress", description(), headers="Require: 100rel\nRSeq: 700\n" + CAN),
		 receive("PRACK", actions=taken("RAck", "rack")), reply(200, "OK", tag=""), send(OK_TO_INVITE), receive("ACK"),
		 receive("UPDATE", actions=HAS_SDP), reply(200, "OK", description("recvonly", 2), tag="", headers=CAN), *BYE_IN,
		 USED.format("rack,sdp")))

# The called side holds by UPDATE, when the caller's ACK has come as well: before, it is 491.
UPDATE_IN_CALL = """\
UPDATE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: [$local]
To: [$remote]
[last_Call-ID:]
CSeq: 5 UPDATE
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
""" + CAN + sipp._body(description("sendonly", 2))
UPDATE = (
	scenario(invite(), TRYING, receive(180, True), receive(200, rrs=True), request("ACK", cseq="1"), receive("UPDATE", actions=HAS_SDP),
		 reply(200, "OK", description("recvonly", 2), tag="", headers=CAN), *BYE_OUT, USED.format("sdp")),
	scenario(receive("INVITE", rrs=True), reply(180, "Ringing"), reply(200, "OK", description(), True, headers=CAN),
		 receive("ACK", actions=taken("To", "local") + taken("From", "remote")), pause(500), send(UPDATE_IN_CALL), receive(200, actions=HAS_SDP),
		 *BYE_IN, USED.format("sdp")))

# The offer is in the 200, the answer in the ACK.
DELAYED = (
	scenario(invite(body=False), TRYING, receive(180, True), receive(200, rrs=True, actions=HAS_SDP),
		 request("ACK", description(), cseq="1"), *BYE_OUT, USED.format("sdp")),
	scenario(receive("INVITE", rrs=True), reply(180, "Ringing"), reply(200, "OK", description(), True, headers=CAN),
		 receive("ACK", actions=HAS_SDP), *BYE_IN, USED.format("sdp")))

FLOWS = {"its-own": ("uac", "uas"), "100rel-and-update": RELIABLE, "update-by-the-callee": UPDATE, "delayed-offer": DELAYED}


@pytest.mark.parametrize("flow, transport", [(flow, "udp") for flow in FLOWS] + [("100rel-and-update", "tcp")])
def test_flow(topology, start, flow, transport):
	gateway = start(access="plain", transport=transport)
	caller, callee = FLOWS[flow]
	with sipp.Sipp(topology.core, topology.phone("core"), callee, calls=CALLS, transport=transport) as far, \
	     sipp.Sipp(topology.access, topology.phone("access"), caller, target=topology.GW["access"], calls=CALLS, transport=transport) as near:
		near.done()
		far.done()
	for number in range(1, CALLS + 1):
		assert gateway.wait_event("call ended", call=str(number))["cause"] == "BYE"
