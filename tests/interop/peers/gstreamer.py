# SPDX-License-Identifier: GPL-3.0-or-later
# GStreamer's DTLS-SRTP elements as the media of a phone whose SIP is ours. Its two directions have a socket each: a forwarder
# makes one of them.
import hashlib
import pathlib
import re
import ssl

from lib import audio, phone
from lib.leg import certificate
from lib.process import Process

from .ice import Front

PORT = 30000
SOUND = "application/x-rtp,media=audio,clock-rate=8000,encoding-name=PCMU,payload=0"


class GStreamer:
	side, tone = "access", audio.TONE_A

	def __init__(self, topology, directory):
		self.topology, self.address = topology, topology.phone(self.side)
		self.phone = phone.Phone(topology.access, self.address, "gstreamer")
		self.front = Front(topology.access, self.address, peer=("127.0.0.1", PORT), peer_side="127.0.0.1")
		self.recording = pathlib.Path(directory) / "heard.wav"
		self.process = self.dialog = self.theirs = None

	def describe(self, setup, mux=True):
		return phone.sdp(self.address, phone.audio_section(self.front.port, "UDP/TLS/RTP/SAVP", f"setup:{setup}",
			f"fingerprint:{certificate().fingerprint}", *(["rtcp-mux"] if mux else []), payload_types="0"))

	def dial(self, setup="actpass"):
		self.dialog = self.phone.invite(f"sip:100@{self.topology.gateway(self.side)}:5060", self.describe(setup))

	def dialled_answer(self):
		response = self.phone.wait_response(self.dialog.cseq)
		assert response.status == 200, response.first
		self.phone.confirm(self.dialog, response)
		theirs = phone.Sdp(response.body)
		self._begin(theirs, active=theirs.attributes("setup") == ["passive"])

	def pick_up(self, setup):
		invite = self.phone.wait_request("INVITE")
		theirs = phone.Sdp(invite.body)
		self.dialog = self.phone.accept(invite, self.describe(setup, bool(theirs.attributes("rtcp-mux"))))
		self._begin(theirs, active=setup == "active")
		self.phone.wait_request("ACK")

	def _begin(self, theirs, active):
		self.theirs, self.front.gateway = theirs, theirs.remote()
		files = certificate()
		pem = "".join(pathlib.Path(path).read_text() for path in (files.certificate, files.key))
		host, port = self.front.candidate
		self.process = Process("gst-launch", self.topology.access.command(
			"gst-launch-1.0", "-v",
			"udpsrc", "address=127.0.0.1", f"port={PORT}", "!",
			"dtlssrtpdec", "name=in", "connection-id=call", f'pem="{pem}"',
			"in.rtp_src", "!", SOUND, "!", "rtppcmudepay", "!", "mulawdec", "!", "wavenc", "!",
			"filesink", "async=false", "buffer-mode=unbuffered", f"location={self.recording}",
			"dtlssrtpenc", "name=out", "connection-id=call", f"is-client={str(active).lower()}", "!",
			"udpsink", "async=false", "sync=false", f"host={host}", f"port={port}",
			"audiotestsrc", "is-live=true", f"freq={self.tone}", "volume=0.4", "samplesperbuffer=160", "!",
			"audio/x-raw,rate=8000,channels=1", "!", "mulawenc", "!", "rtppcmupay", "!", "out.rtp_sink_0"))

	def hears(self, tone):
		return audio.listen(self.recording, tone)

	def connected(self):
		"""Its handshake is through, and the certificate that it was shown is the one that was signalled."""
		self.process.wait_for(r"srtpenc0: rtp-cipher = aes-128-icm")
		self.process.wait_for(r"GstDtlsSrtpEnc:out: connection-state = connected")
		shown = re.search(r"-----BEGIN C[^|]*?END CERTIFICATE-----", self.process.text()[self.process.text().index("peer-pem"):])[0]
		digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest().upper()
		assert self.theirs.attributes("fingerprint")[0].split()[1].replace(":", "") == digest

	def hang_up(self):
		self.dialog.request("BYE")
		response = self.phone.wait_response(self.dialog.cseq, "BYE")
		assert response.status == 200, response.first

	def close(self):
		if self.process:
			self.process.kill()
		self.phone.close()
		self.front.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
