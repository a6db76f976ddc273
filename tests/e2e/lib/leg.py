# SPDX-License-Identifier: GPL-3.0-or-later
# One end of a call: our own phone with one audio stream, keyed as told. A test says who offers, who answers, and what is
# done wrong; two Legs and call() make the usual call.
import base64
import contextlib
import time

from . import audio, dtls, phone, srtp
from .media import Media, sender_report

_certificates = {}


def certificate(name="phone"):
	"""One a name and run: making keys takes time and says nothing."""
	if name not in _certificates:
		_certificates[name] = dtls.Certificate()
	return _certificates[name]


class Leg:
	PHONE = phone.Phone

	def __init__(self, topology, side, keying="none", suite=None, role=None, mux=False, rtcp=False, family=4,
		     transport="udp", proto=None, host=10, signalled_fingerprint=None, attributes=(), port=0):
		self.topology, self.side, self.keying, self.family, self.mux = topology, side, keying, family, mux
		self.address = topology.phone(side, host, family)
		namespace = getattr(topology, side)
		self.phone = self.PHONE(namespace, self.address, side, transport=transport)
		self.tone = audio.TONE_A if side == "access" else audio.TONE_C
		self.media = Media(namespace, self.address, port, tone=self.tone, rtcp=rtcp and not mux)
		self.suites = [suite] if suite else list(srtp.SUITES if keying == "sdes" else dtls.PROFILES)
		self.role, self.extra, self.version = role, list(attributes), 0
		self.may_mux = mux
		self.proto = proto or {"none": "RTP/AVP", "sdes": "RTP/SAVP", "dtls": "UDP/TLS/RTP/SAVP"}[keying]
		self.certificate = certificate()
		self.fingerprint = signalled_fingerprint or self.certificate.fingerprint
		self.masters = {name: srtp.fresh_master(name) for name in self.suites} if keying == "sdes" else {}
		self.dialog = self.invite = self.described = None

	# Descriptions

	def _describe(self, attributes, direction="sendrecv"):
		self.version += 1
		if self.mux:
			attributes = [*attributes, "rtcp-mux"]
		return phone.sdp(self.address, phone.audio_section(self.media.port, self.proto, *attributes, *self.extra, direction),
				 version=self.version)

	def offer(self, direction="sendrecv"):
		attributes = []
		if self.keying == "sdes":
			attributes = [f"crypto:{tag} {name} inline:{base64.b64encode(self.masters[name]).decode()}"
				      for tag, name in enumerate(self.suites, 1)]
		elif self.keying == "dtls":
			attributes = [f"setup:{self.role or 'actpass'}", f"fingerprint:{self.fingerprint}"]
		return self._describe(attributes, direction)

	def take_answer(self, text):
		self.described = described = phone.Sdp(text)
		self.media.remote, self.media.rtcp_remote = described.remote(), described.rtcp_remote()
		if self.keying == "sdes":
			(_, suite, key), = described.crypto()
			self.media.sdes(srtp.Context.from_inline(suite, key), srtp.Context(suite, self.masters[suite]))
		elif self.keying == "dtls" and self.media.endpoint is None:
			self._begin_dtls(described.attributes("setup")[0] == "passive")

	def _begin_dtls(self, active):
		profiles = [name for name in self.suites if name in dtls.PROFILES]
		self.media.dtls(dtls.Endpoint(self.certificate, active, profiles))

	def begin_answer(self, text):
		"""Has read an offer: media may start (an active DTLS answerer does so at once); returns the answer's text."""
		self.described = described = phone.Sdp(text)
		self.media.remote, self.media.rtcp_remote = described.remote(), described.rtcp_remote()
		self.mux = self.may_mux and bool(described.attributes("rtcp-mux"))
		attributes = []
		if self.keying == "sdes":
			tag, suite, key = next(line for line in described.crypto() if line[1] in self.suites)
			attributes = [f"crypto:{tag} {suite} inline:{base64.b64encode(self.masters[suite]).decode()}"]
			self.media.sdes(srtp.Context.from_inline(suite, key), srtp.Context(suite, self.masters[suite]))
		elif self.keying == "dtls":
			offered = described.attributes("setup")[0]
			role = self.role or ("active" if offered in ("actpass", "passive") else "passive")
			attributes = [f"setup:{role}", f"fingerprint:{self.fingerprint}"]
			if self.media.endpoint is None:
				self._begin_dtls(role == "active")
		return self._describe(attributes)

	# SIP

	@property
	def gateway_uri(self):
		host = phone.uri_host(self.topology.gateway(self.side, self.family))
		suffix = ";transport=tcp" if self.phone.transport == "tcp" else ""
		return f"sip:100@{host}:5060{suffix}"

	def dial(self, body=None, headers=()):
		self.dialog = self.phone.invite(self.gateway_uri, body or self.offer(), headers)
		return self.dialog

	def dialled_answer(self, timeout=10):
		"""Waits for the 200 of dial(), takes its description, ACKs."""
		response = self.phone.wait_response(self.dialog.cseq, timeout=timeout)
		assert response.status == 200, response.first
		self.take_answer(response.body)
		self.phone.confirm(self.dialog, response)
		return response

	def ring(self, timeout=10):
		self.invite = self.phone.wait_request("INVITE", timeout)
		self.phone.answer(self.invite, 180, "Ringing")
		return self.invite

	def pick_up(self):
		if self.invite is None:
			self.ring()
		self.dialog = self.phone.accept(self.invite, self.begin_answer(self.invite.body))
		self.phone.wait_request("ACK")
		return self.dialog

	def secured(self, timeout=10):
		assert self.keying == "none" or self.media.secured.wait(timeout), f"{self.side}: no keys in {timeout} s"

	def talk(self):
		self.media.talk()

	def hang_up(self):
		self.dialog.request("BYE")
		response = self.phone.wait_response(self.dialog.cseq, "BYE")
		assert response.status == 200, response.first

	def taken_down(self, timeout=10):
		return self.phone.take_bye(timeout)

	def close(self):
		self.phone.close()
		self.media.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()


def call(caller, callee):
	"""Sets a call up through the gateway, both ends talking; returns the caller's Call-ID."""
	caller.dial()
	callee.pick_up()
	caller.dialled_answer()
	for leg in (caller, callee): # both, before either speaks to a leg that is not
		leg.secured()
	for leg in (caller, callee):
		leg.talk()
	return caller.dialog.call_id


def both_hear(a, b, seconds=0.6, packets=50):
	"""Each hears the other's tone, readable throughout."""
	for ear, mouth in ((a, b), (b, a)):
		since = len(ear.media.received)
		ear.media.wait_received(since + packets)
		heard = ear.media.heard(mouth.tone, since)
		assert heard.ok(seconds), f"{ear.side} heard {heard}"
		assert ear.media.unreadable == 0, f"{ear.side}: {ear.media.unreadable} unreadable"


def report_until_heard(sender, hearer):
	"""As reports go: again and again. One that comes while control takes up its sessions, or a path moves, may be lost."""
	before, deadline = len(hearer.media.rtcp), time.monotonic() + 5
	while len(hearer.media.rtcp) == before:
		assert time.monotonic() < deadline, "no report came"
		sender.media.send_rtcp(sender_report(sender.media.ssrc))
		with contextlib.suppress(AssertionError):
			hearer.media.wait_received(before + 1, 0.2, hearer.media.rtcp)
