# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's Linphone without a window or sound card: linphonec, led by its command line, a file for each direction.
import os
import subprocess

from lib import audio
from lib.process import Process, Stranger

CONFIG = """\
[sip]
sip_port=5060
sip_tcp_port=0
media_encryption={encryption}
media_encryption_mandatory=1
contact="Linphone" <sip:linphone@{address}>
guess_hostname=0
keepalive_period=0
srtp_crypto_suites={suites}
[rtp]
audio_rtp_port=21000
[misc]
store_friends=0
[sound]
echocancellation=0
[audio_codec_0]
mime=PCMU
rate=8000
channels=1
enabled=1
"""


class Linphone(Stranger):
	"""encryption: srtp (SDES), dtls, none."""

	tone = audio.TONE_A

	def __init__(self, topology, side="access", encryption="srtp", suites="AES_CM_128_HMAC_SHA1_80"):
		namespace, self.address = getattr(topology, side), topology.phone(side)
		self.topology, self.side = topology, side
		super().__init__("linphone")
		for folder in (".local/share/linphone", ".config/linphone"):
			(self.directory / folder).mkdir(parents=True)
		(self.directory / "rc").write_text(CONFIG.format(encryption=encryption, address=self.address, suites=suites))
		audio.write_tone(self.directory / "tone.wav", self.tone, 60)
		namespace.run("ip", "route", "replace", "default", "via", topology.gateway(side)) # it asks the route for its address
		self.process = Process("linphonec", namespace.command("linphonec", "-c", str(self.directory / "rc"), "-d", "3"),
				       env={**os.environ, "HOME": str(self.directory)}, stdin=subprocess.PIPE)
		self.command("soundcard use files")
		self.command(f"play {self.directory / 'tone.wav'}")
		self.command(f"record {self.directory / 'heard.wav'}")
		self.process.wait_bound(5060)

	def command(self, text):
		self.process.popen.stdin.write(text.encode() + b"\n")
		self.process.popen.stdin.flush()

	def dial(self):
		self.command(f"call sip:100@{self.topology.gateway(self.side)}:5060")

	def pick_up(self):
		self.process.wait_for("IncomingReceived")
		self.command("answer")

	def hang_up(self):
		self.command("terminate")

	def ended(self):
		self.process.wait_for("to LinphoneCallReleased")

	def heard(self, tone):
		return audio.listen(self.directory / "heard.wav", tone)

	def close(self):
		if self.process.alive():
			self.command("quit")
			try:
				self.process.wait(10)
			except AssertionError:
				pass
		self._remove()

	def __exit__(self, *_):
		self.close()
