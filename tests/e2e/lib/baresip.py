# SPDX-License-Identifier: GPL-3.0-or-later
# A baresip phone: configured by files, driven over its control connection, heard by its recordings.
# What Debian's 1.0.0 does on the wire is written down in tests/e2e/README.md.
import json
import os
import signal
import socket
import threading
import time

from . import audio
from .netns import uri_host
from .process import Process, Stranger, Timeout

CONFIG = """\
poll_method epoll
sip_listen {listen}
call_local_timeout 120
call_max_calls 8
audio_source aufile,{tone}
audio_player nothing,nothing
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
audio_txmode thread
rtp_ports {first_port}-{last_port}
rtcp_mux {rtcp_mux}
jitter_buffer_delay 1-5
rtp_timeout 0
module_path /usr/lib/baresip/modules
module g711.so
module sndfile.so
module aufile.so
{modules}
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {directory}
ringback_disabled yes
"""

_control_ports = iter(range(4400, 65000))


class Baresip(Stranger):
	"""mediaenc: None, dtls_srtp, dtls_srtpf, srtp (optional, RTP/AVP), srtp-mand (RTP/SAVP), srtp-mandf (RTP/SAVPF)."""

	def __init__(self, ns, address, name="phone", mediaenc=None, tone=audio.TONE_A, transport="udp", answer="auto",
		     rtcp_mux=False, seconds=60, first_port=20000, extra=""):
		self.ns, self.address, self.name, self.transport = ns, address, name, transport
		super().__init__("baresip")
		self.control_port = next(_control_ports)
		tone_file = self.directory / "tone.wav"
		audio.write_tone(tone_file, tone, seconds)
		modules = {None: ""}.get(mediaenc, "module dtls_srtp.so" if mediaenc and "dtls" in mediaenc else
					 "module srtp.so")
		(self.directory / "config").write_text(CONFIG.format(
			listen=f"{uri_host(address)}:5060", tone=tone_file, first_port=first_port,
			last_port=first_port + 999, rtcp_mux="yes" if rtcp_mux else "no", modules=modules,
			control=self.control_port, directory=self.directory))
		enc = f";mediaenc={mediaenc}" if mediaenc else ""
		(self.directory / "accounts").write_text(
			f"<sip:{name}@{uri_host(address)};transport={transport}>;regint=0;answermode={answer}{enc}"
			f";audio_codecs=pcmu/8000/1{extra}\n")
		environment = {**os.environ, "HOME": str(self.directory)}
		family = "-6" if ":" in address else "-4"
		self.process = Process(f"baresip {name}", ns.command("baresip", "-f", str(self.directory), "-s", family),
				       env=environment)
		self.process.wait_for("baresip is ready")
		self._events = []
		self._changed = threading.Condition()
		self._control = ns.tcp_connect("127.0.0.1", self.control_port)
		self._control.settimeout(None)
		threading.Thread(target=self._read_control, daemon=True).start()

	# The control connection: netstrings of JSON, events and responses mixed.

	def _read_control(self):
		pending = b""
		while True:
			try:
				chunk = self._control.recv(65536)
			except OSError:
				return
			if not chunk:
				return
			pending += chunk
			while b":" in pending:
				head, _, rest = pending.partition(b":")
				size = int(head)
				if len(rest) < size + 1:
					break
				message, pending = json.loads(rest[:size]), rest[size + 1:]
				with self._changed:
					self._events.append(message)
					self._changed.notify_all()

	def command(self, command, params=""):
		body = json.dumps({"command": command, "params": params, "token": "t"}).encode()
		self._control.sendall(b"%d:%s," % (len(body), body))

	def mark(self):
		with self._changed:
			return len(self._events)

	def wait_event(self, kind, timeout=10, since=0):
		"""The first event of that type (or one of them) at or after `since`."""
		kinds = (kind,) if isinstance(kind, str) else kind
		deadline = time.monotonic() + timeout
		with self._changed:
			while True:
				for event in self._events[since:]:
					if event.get("type") in kinds:
						return event
				left = deadline - time.monotonic()
				if left <= 0 or not self.process.alive():
					raise Timeout(f"{self.name}: no {kinds} in {timeout} s; had "
						      f"{[e.get('type') for e in self._events]}\n{self.process.tail(80)}")
				self._changed.wait(min(left, 0.5))

	def has_event(self, kind):
		with self._changed:
			return any(event.get("type") == kind for event in self._events)

	# What a person does with a phone.

	@property
	def uri(self):
		return f"sip:{self.name}@{uri_host(self.address)}:5060;transport={self.transport}"

	def dial(self, uri):
		self.command("dial", uri)

	def call(self, uri, timeout=10):
		"""Dials and waits until it is established (with DTLS-SRTP: until the media is secured, too)."""
		since = self.mark()
		self.dial(uri)
		return self.established(timeout, since)

	def established(self, timeout=10, since=0):
		return self.wait_event("CALL_ESTABLISHED", timeout, since)

	def accept(self):
		self.command("accept")

	def hangup(self):
		self.command("hangup")

	def hold(self):
		self.command("hold")

	def resume(self):
		self.command("resume")

	def closed(self, timeout=10, since=0):
		return self.wait_event("CALL_CLOSED", timeout, since)

	def recordings(self):
		"""What came in, oldest first."""
		return sorted(self.directory.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_ctime)

	def heard(self, frequency):
		"""The newest recording held against one frequency."""
		files = self.recordings()
		return audio.listen(files[-1], frequency) if files else audio.Heard([], audio.RATE, frequency)

	def stop(self):
		try:
			self._control.shutdown(socket.SHUT_RDWR)
		except OSError:
			pass
		self._control.close()
		self.process.signal(signal.SIGTERM)
		try:
			return self.process.wait(5)
		finally:
			self.process.kill()
