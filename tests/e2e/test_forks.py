# SPDX-License-Identifier: GPL-3.0-or-later
# One INVITE of ours that somebody behind it has forked: several phones answer early, each with keys of its own, and are heard at
# once, by one port of ours. One wins; the others leave nothing. The phones are ours, with libssl's DTLS.
import pytest

from lib import audio, dtls, srtp
from lib.capture import Capture, Readable, Rtp
from lib.gateway import configuration
from lib.leg import Leg, report_until_heard
from lib.phone import Dialog, Phone, Sdp
from lib.rekey import Verdict
from lib.rtcp import Judge

SUITE = "AES_CM_128_HMAC_SHA1_80"
TONES = [700.0, 1000.0, 1300.0]
SOME = 15 # packets: a third of a second


class Proxy(Phone):
	"""What forked the INVITE: the answers of all phones come by it."""


class Branch(Leg):
	"""One of the phones: a To tag, a certificate or key, a port and a tone of its own."""

	def __init__(self, topology, proxy, number, keying, role):
		self.PHONE = lambda *_, **__: proxy
		super().__init__(topology, "access", keying, SUITE, role, mux=True, host=11 + number)
		self.tag, self.tone = f"branch{number}", TONES[number]
		self.media.tone = self.tone
		self.certificate = dtls.Certificate()
		self.fingerprint = self.certificate.fingerprint

	def speak(self, invite):
		"""183 with an answer; an active phone has begun its handshake before that."""
		self.answer = self.begin_answer(invite.body)
		self.phone.answer(invite, 183, "Session Progress", self.answer, self.tag)

	def win(self, invite):
		local = self.phone.answer(invite, 200, "OK", self.answer, self.tag)
		self.phone.wait(lambda m: m.method == "ACK" and m.to_tag == self.tag, what="ACK")
		self.dialog = Dialog(self.phone, invite.get("call-id"), local, invite.get("from"), invite.contact_uri(), 100)

	def too_late(self, invite):
		"""Its own 200 comes after the winner's: acknowledged, and ended."""
		self.phone.answer(invite, 200, "OK", self.answer, self.tag)
		self.phone.wait(lambda m: m.method == "ACK" and m.to_tag == self.tag, what="ACK of the second 200")
		bye = self.phone.wait(lambda m: m.method == "BYE" and m.to_tag == self.tag, what="BYE of the second 200")
		self.phone.answer(bye, 200, "OK")

	def close(self):
		self.media.close()


class Forked:
	"""A call from the core, in which `phones` ((keying, role), ...) of the access side have all answered early."""

	def __init__(self, topology, phones):
		self.caller = Leg(topology, "core", rtcp=True)
		self.proxy = Proxy(topology.access, topology.phone("access"), "proxy")
		self.branches = [Branch(topology, self.proxy, i, *phone) for i, phone in enumerate(phones)]
		self.told, self.wires = [], [Capture(topology.access), Capture(topology.core)]

	def __enter__(self):
		self.caller.dial()
		self.invite = self.proxy.wait_request("INVITE")
		for branch in self.branches:
			branch.speak(self.invite)
			told = self.caller.phone.wait(lambda m: m.status == 183, what="183")
			described = Sdp(told.body)
			self.told.append((told.to_tag, described.remote(), described.rtcp_remote()))
			if len(self.told) == 1:
				self.caller.take_answer(told.body)
		for branch in self.branches:
			branch.secured()
		return self

	def __exit__(self, *_):
		for leg in (*self.branches, self.proxy, self.caller):
			leg.close()
		for wire in self.wires:
			wire.__exit__()

	def speaks_to(self, i):
		"""The caller's media goes to its dialog with that phone."""
		_, self.caller.media.remote, self.caller.media.rtcp_remote = self.told[i]

	def heard_by_caller(self, branch, since=0):
		return [packet for _, packet in list(self.caller.media.received)[since:] if Rtp(packet).ssrc == branch.media.ssrc]

	def caller_hears(self, branch, packets=SOME):
		"""So many packets more of that phone."""
		wanted = len(self.heard_by_caller(branch)) + packets
		while len(self.heard_by_caller(branch)) < wanted:
			self.caller.media.wait_received(len(self.caller.media.received) + 1)

	def tone_of(self, branch):
		samples = [sample for packet in self.heard_by_caller(branch) for sample in audio.decode_g711(Rtp(packet).body, 0)]
		return audio.Heard(samples, audio.RATE, branch.tone)


def hears(branch, packets=SOME):
	branch.media.wait_received(len(branch.media.received) + packets)


def keys_of(branches):
	contexts = [branch.media.receiving for branch in branches]
	return list(dict.fromkeys((context.suite.name, context.master) for context in contexts))


def lines(gateway, event, n):
	"""What the log says of the access side's n lines, each of a dialog of its own."""
	def said(_=None):
		events = gateway.events(event, leg="access")
		return events if len(events) >= n else None

	events = said() or gateway.process.wait_until(said, 10, f"{n} times {event}")
	assert len(events) == n and len({line["dialog"] for line in events}) == n, events
	return events


PHONES = {
	"dtls": [("dtls", "active"), ("dtls", "active"), ("dtls", "passive")],
	"sdes": [("sdes", None), ("sdes", None)],
}


@pytest.mark.parametrize("keying", PHONES)
@pytest.mark.parametrize("forking", ["single", "parallel"])
def test_forks(topology, start, forking, keying):
	"""Each phone is keyed by its own association or key, and is heard while the others are; then the first one wins."""
	text = configuration("secure" if keying == "dtls" else "sdes", suites=[SUITE], rtcp_mux="offer", calls=20)
	gateway = start(text=text.replace("    rtcp_mux:", f"    forking: {forking}\n    rtcp_mux:"))
	with Forked(topology, PHONES[keying]) as call:
		caller, branches = call.caller, call.branches
		n = len(branches)
		assert len(set(call.told)) == len({tag for tag, *_ in call.told}) == (n if forking == "parallel" else 1), call.told
		secured = lines(gateway, "line secured", n)
		if keying == "dtls":
			assert {line["peer_fingerprint"] for line in secured} == {branch.fingerprint for branch in branches}, secured
		for branch in branches: # all speak, and go on
			branch.talk()
		for branch in branches:
			call.caller_hears(branch)
		call.speaks_to(n - 1)
		report_until_heard(caller, branches[-1]) # before any media of the caller's, whose SSRC may be another one for each
		caller.talk()
		for i, branch in enumerate(branches):
			call.speaks_to(i)
			hears(branch)
		if forking == "parallel": # whom the caller does not speak to hears nothing
			silent = len(branches[0].media.received)
			hears(branches[-1])
			assert len(branches[0].media.received) == silent
		call.speaks_to(0)

		winner, *losers = branches
		winner.win(call.invite)
		response = caller.phone.wait_response(caller.dialog.cseq)
		assert response.status == 200 and response.to_tag == call.told[0][0], response.first
		caller.phone.confirm(caller.dialog, response)
		call.caller_hears(winner)
		hears(winner)
		for loser in losers:
			loser.too_late(call.invite)
		before, sent = len(caller.media.received), [loser.media.sent for loser in losers]
		call.caller_hears(winner, 2 * SOME)
		assert not [packet for loser in losers for packet in call.heard_by_caller(loser, before)], "a loser is heard"
		assert all(loser.media.sent > n for loser, n in zip(losers, sent))
		deaf = [len(loser.media.received) for loser in losers]
		report_until_heard(caller, winner)
		hears(winner)
		assert deaf == [len(loser.media.received) for loser in losers], "a loser hears"
		caller.hang_up()
		winner.taken_down()
		gateway.wait_event("media total")

		last = lines(gateway, "media summary", n)[-1] # the winner's
		assert last["rekeys"] == 0 and "auth=" in last["drops_by"], last
		for branch in branches:
			assert call.tone_of(branch).ok(0.25) and branch.media.heard(caller.tone).ok(0.25), branch.tag
			assert branch.media.unreadable == 0, branch.tag
		for wire in call.wires:
			wire.stop()
		sealed = list(call.wires[0].media(source=topology.gateway("access")))
		assert len({d.source_port for d in sealed}) == 1 and len({d.target_port for d in sealed}) == n
		verdict = Verdict(sealed, keys_of(branches))
		assert verdict.packets > 80 and not verdict.unreadable and not verdict.repeated and not verdict.disputed, verdict
		reports = Judge(*(srtp.Context(*key) for key in keys_of(branches)))
		reports.look(call.wires[0].media(source=topology.gateway("access"), kind="rtcp"))
		assert len(reports.verified) > 1 and not reports.foreign and not reports.repeated, reports
		assert Readable(sealed, (*TONES[:n], caller.tone)).plain == 0
		ports = {Rtp(d.payload).ssrc: d.source_port for d in call.wires[1].media(source=topology.gateway("core"))}
		assert [ports[branch.media.ssrc] for branch in branches] == [port for _, (_, port), _ in call.told], (ports, call.told)
	gateway.stop()
