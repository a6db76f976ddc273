# SPDX-License-Identifier: GPL-3.0-or-later
# Threat D2: what is signalled, against what is shown, in both roles: who gets keys, who is refused at once, who when the time is up.
import hashlib
import itertools
import os
import subprocess

import pytest

from lib import dtls
from lib.gateway import ROOT
from lib.leg import certificate
from lib.media import Media
from lib.phone import Phone, Sdp, audio_section, sdp

FULL = os.environ.get("SALLYPORT_FULL") == "1"
BATCH = 30 # calls at once
SECURED, REFUSED, TIMED_OUT = "secured", "refused", "timed out"


class Shown:
	"""A certificate to show, from a file with its key; without one: none is shown, though one is signalled."""

	def __init__(self, file=None):
		self.certificate = self.key = str(ROOT / "tests/support/dtls_certs" / file) if file else None
		self.der = subprocess.run(["openssl", "x509", "-in", self.certificate or certificate().certificate, "-outform", "DER"],
					  check=True, capture_output=True).stdout

	def digest(self, name):
		return ":".join(f"{byte:02X}" for byte in hashlib.new(name.replace("-", ""), self.der).digest())


CERTIFICATES = {"P-384": "p384.pem", "RSA": "rsa.pem", "expired": "expired.pem", "none": None}
WRONG = "sha-256 " + ":".join(["5A"] * 32)
SIGNALLED = { # what is said of a certificate -> what comes of it
	"right": (lambda c: [f"sha-256 {c.digest('sha-256')}"], SECURED),
	"other case": (lambda c: [f"SHA-256 {c.digest('sha-256').lower()}"], SECURED),
	"SHA-384": (lambda c: [f"sha-384 {c.digest('sha-384')}"], SECURED),
	"SHA-512": (lambda c: [f"sha-512 {c.digest('sha-512')}"], SECURED),
	"two, the second right": (lambda c: [WRONG, f"sha-256 {c.digest('sha-256')}"], SECURED),
	"sha-1 beside a right one": (lambda c: [f"sha-1 {c.digest('sha1')}", f"sha-256 {c.digest('sha-256')}"], SECURED),
	"wrong": (lambda c: [WRONG], TIMED_OUT),
	"wrong, stronger hash beside a right weaker": (lambda c: [f"sha-512 {':'.join(['5A'] * 64)}", f"sha-256 {c.digest('sha-256')}"],
						       TIMED_OUT),
	"right, but a bit": (lambda c: [f"sha-256 {c.digest('sha-256')[:-1]}" + "0123456789ABCDEF"[int(c.digest("sha-256")[-1], 16) ^ 1]],
			     TIMED_OUT),
	"missing": (lambda c: [], REFUSED),
	"md5": (lambda c: [f"md5 {c.digest('md5')}"], REFUSED),
	"sha-1": (lambda c: [f"sha-1 {c.digest('sha1')}"], REFUSED),
	"hash of no name": (lambda c: [f"sha-999 {c.digest('sha-256')}"], REFUSED),
	"another hash's name": (lambda c: [f"sha-384 {c.digest('sha-256')}"], REFUSED),
	"cut off": (lambda c: [f"sha-256 {c.digest('sha-256')[:-3]}"], REFUSED),
}


class Case:
	"""The core calls; the phone answers in its role, with that certificate, and says that of it."""

	def __init__(self, topology, access, core, role, shown, signalled):
		self.name = f"phone {role}, certificate {shown}, fingerprint {signalled}"
		self.access, self.core, own = access, core, Shown(CERTIFICATES[shown])
		lines, self.expected = SIGNALLED[signalled][0](own), SIGNALLED[signalled][1]
		if shown == "none" and self.expected == SECURED:
			self.expected = TIMED_OUT
		self.dialog = core.invite(f"sip:100@{topology.gateway('core')}:5060", sdp(core.address, audio_section(9000)))
		invite = access.wait_request("INVITE")
		self.media = Media(topology.access, access.address)
		self.media.remote = Sdp(invite.body).remote()
		self.media.dtls(dtls.Endpoint(own, role == "active"))
		attributes = [f"setup:{role}", *(f"fingerprint:{line}" for line in lines)]
		access.accept(invite, sdp(access.address, audio_section(self.media.port, "UDP/TLS/RTP/SAVP", *attributes)))
		self.response = core.wait(lambda m: m.status and m.status >= 200 and m.get("call-id") == self.dialog.call_id, 10, self.name)
		if self.response.status == 200:
			core.confirm(self.dialog, self.response)
		else:
			core.ack_failure(self.dialog, self.response)

	def outcome(self, gateway):
		call_id = self.dialog.call_id
		if self.response.status != 200:
			return REFUSED
		event = gateway.process.wait_until(lambda line: next((e for e in [gateway._parse(line)] if e and (
			gateway._matches(e, "line secured", {"call_id": call_id, "leg": "access"}) or
			gateway._matches(e, "keying failed", {"call_id": call_id}))), None), 8, self.name)
		return SECURED if event["event"] == "line secured" else TIMED_OUT

	def end(self):
		if self.response.status == 200 and self.expected == SECURED:
			self.dialog.request("BYE")
		ended = self.core if self.expected == TIMED_OUT else None
		for phone in filter(None, (self.access, ended)):
			bye = phone.wait(lambda m: m.method == "BYE" and (phone is self.access or m.get("call-id") == self.dialog.call_id), 8,
					 f"BYE, {self.name}")
			phone.answer(bye, 200, "OK")
		self.media.close()


@pytest.mark.parametrize("role", ["active", "passive"])
def test_what_is_signalled_against_what_is_shown(topology, start, role):
	gateway = start(keying_timeout=4) # of thirty handshakes at once, the good ones take their time
	# What is refused is refused before any certificate is seen.
	cases = [(shown, signalled) for shown, signalled in itertools.product(CERTIFICATES, SIGNALLED)
		 if FULL or shown == "P-384" or signalled in ("right", "SHA-384", "wrong", "sha-1")]
	wrong = []
	with Phone(topology.access, topology.phone("access")) as access, Phone(topology.core, topology.phone("core")) as core:
		for at in range(0, len(cases), BATCH):
			running = [Case(topology, access, core, role, *case) for case in cases[at:at + BATCH]]
			for case in running:
				outcome = case.outcome(gateway)
				if outcome != case.expected:
					wrong.append(f"{case.name}: {outcome}, not {case.expected}")
				elif outcome != SECURED and gateway.events("line secured", call_id=case.dialog.call_id, leg="access"):
					wrong.append(f"{case.name}: keys all the same")
			assert not wrong, "\n".join(wrong)
			for case in running:
				case.end()
	print(f"{len(cases)} cases")
