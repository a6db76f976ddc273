# SPDX-License-Identifier: GPL-3.0-or-later
# SIPp as the plain side's phone, its scenarios made from a list of steps. It echoes what it hears (-rtp_echo) or plays a
# tone of its own, so that sound through the gateway can be judged at the far end.
import os
import signal

from . import audio
from .process import Process, Stranger

_SDP = """\
v=0
o=sipp 53655765 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}
"""

_REPLY = """\
SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
{headers}{body}"""


def _body(text):
	return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{text}" if text else "Content-Length: 0\n\n"


def _request(method, body=None, uri=None, to="[peer_tag_param]", cseq="[cseq]", headers=""):
	uri = uri or "sip:[service]@[remote_ip]:[remote_port]"
	return f"""\
{method} {uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{headers}{_body(body)}"""


def send(text, retrans=True):
	attribute = ' retrans="500"' if retrans else ""
	return f"<send{attribute}>\n<![CDATA[\n{text}\n]]>\n</send>"


def receive(what, optional=False, actions="", rrs=False):
	kind = "response" if str(what).isdigit() else "request"
	more = (' optional="true"' if optional else "") + (' rrs="true"' if rrs else "")
	inner = f"<action>{actions}</action>" if actions else ""
	return f'<recv {kind}="{what}"{more}>{inner}</recv>'


def pause(milliseconds):
	return f'<pause milliseconds="{milliseconds}"/>'


def request(method, body=None, cseq="[cseq]", headers="", **more):
	"""Within a dialog. headers: whole lines."""
	return send(_request(method, body, uri="[next_url]", cseq=cseq, headers=headers, **more), method != "ACK")


def reply(status, reason="Reason", body=None, retrans=False, tag=";tag=[pid]SIPpTag[call_number]", headers=""):
	return send(_REPLY.format(status=status, reason=reason, tag=tag, headers=headers, body=_body(body)), retrans)


def description(direction="sendrecv", version=1):
	return _SDP.format(direction=direction, version=version)


def play(path):
	return f'<nop><action><exec rtp_stream="{path},-1,0"/></action></nop>'


def scenario(*steps):
	return '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="e2e">\n' + "\n".join(steps) + "\n</scenario>\n"


def answering(delay=0, status=200, early=False, bye=True):
	"""UAS: rings, answers after `delay` ms (or refuses), and waits for the BYE."""
	steps = [receive("INVITE", rrs=True), reply(183, "Progress", description()) if early else reply(180, "Ringing")]
	if delay:
		steps.append(pause(delay))
	if status != 200:
		return scenario(*steps, reply(status, "No", retrans=True), receive("ACK"))
	steps += [reply(200, "OK", description(), retrans=True), receive("ACK", rrs=True)]
	if bye:
		steps += [receive("BYE"), reply(200, "OK", tag="")]
	return scenario(*steps)


def calling(talk_ms=2000, steps_in_call=()):
	"""UAC: calls, ACKs, stays `talk_ms` (or does these steps), says BYE."""
	in_call = list(steps_in_call) or [pause(talk_ms)]
	return scenario(
		send(_request("INVITE", description(), to="", cseq="1")),
		receive(100, True), receive(180, True), receive(183, True), receive(200, rrs=True),
		send(_request("ACK", uri="[next_url]", cseq="1"), False), *in_call,
		send(_request("BYE", uri="[next_url]", cseq="9")), receive(200))


def reinvite(direction, cseq):
	return (send(_request("INVITE", description(direction, cseq), uri="[next_url]", cseq=cseq)), receive(100, True),
		receive(200, rrs=True), send(_request("ACK", uri="[next_url]", cseq=cseq), False))


class Sipp(Stranger):
	"""text: a scenario, or the name of one that SIPp has built in."""

	def __init__(self, ns, address, text, target=None, calls=1, rate=10, limit=None, transport="udp", echo=True,
		     service="100", media_port=6000, tone=None, port=5060):
		super().__init__("sipp")
		if tone:
			path = self.directory / "tone.ul"
			path.write_bytes(audio.ulaw_tone(tone, 0, audio.RATE * 4))
			text = text.replace("@TONE@", str(path))
		(self.directory / "scenario.xml").write_text(text)
		command = ["sipp", *(("-sf", "scenario.xml") if text.startswith("<") else ("-sn", text)), "-i", address, "-p", str(port), "-mi", address, "-mp", str(media_port),
			   "-m", str(calls), "-r", str(rate), "-nostdin", "-trace_err", "-error_file", "errors.log", "-trace_msg",
			   "-message_file", "messages.log", "-t", {"udp": "u1", "tcp": "t1"}[transport], "-s", service,
			   "-recv_timeout", "20000", "-timeout", "300", "-timeout_error"]
		if limit:
			command += ["-l", str(limit)]
		if echo:
			command.append("-rtp_echo")
		if calls > 10:
			command = [word for word in command if word not in ("-trace_msg", "-message_file", "messages.log")]
		if target:
			command.append(target)
		self.process = Process("sipp", ns.command(*command), cwd=self.directory, env={**os.environ, "TERM": "dumb"})
		if not target:
			self.process.wait_bound(port, transport)

	def done(self, timeout=30):
		"""Waits for its end; 0 means that every call went as the scenario says."""
		code = self.process.wait(timeout)
		assert code == 0, f"sipp exit {code}\n{self.errors()}"

	def errors(self):
		parts = []
		for name in ("errors.log", "messages.log"):
			path = self.directory / name
			if path.exists():
				parts.append(path.read_text(errors="replace")[-6000:])
		return "\n".join(parts) + self.process.tail(30)

	def stop(self):
		self.process.signal(signal.SIGTERM)
		self.process.wait(5)
