# SPDX-License-Identifier: GPL-3.0-or-later
# FFmpeg's SRTP at the access side, keyed by SDES: once it speaks, once it listens (it cannot do both on one port). Our own
# phone does its SIP.
import base64

import pytest

from lib import audio, phone, srtp
from lib.leg import Leg
from lib.process import Process

PORT = 22000
SUITES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] # what FFmpeg has
SESSION = """\
v=0
o=- 0 0 IN IP4 {address}
s=-
c=IN IP4 {address}
t=0 0
m=audio {port} RTP/SAVP 0
a=rtpmap:0 PCMU/8000
a=crypto:1 {suite} inline:{key}
"""


@pytest.fixture
def caller(topology):
	with phone.Phone(topology.access, topology.phone("access"), "ffmpeg") as made:
		yield made


def dial(caller, core, suite, key):
	"""Calls; returns (dialog, the answer's description)."""
	dialog = caller.invite(f"sip:100@{core.topology.GW['access']}:5060", phone.sdp(caller.address, phone.audio_section(
		PORT, "RTP/SAVP", f"crypto:1 {suite} inline:{base64.b64encode(key).decode()}", payload_types="0")))
	core.pick_up()
	response = caller.wait_response(1)
	assert response.status == 200, response.first
	caller.confirm(dialog, response)
	return dialog, phone.Sdp(response.body)


@pytest.mark.parametrize("suite", SUITES)
def test_ffmpeg_speaks(topology, start, caller, suite):
	start(access="sdes", suites=SUITES)
	key = srtp.fresh_master(suite)
	with Leg(topology, "core") as core:
		dialog, answer = dial(caller, core, suite, key)
		host, port = answer.remote()
		speaker = Process("ffmpeg", topology.access.command(
			"ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-f", "lavfi", "-i",
			f"sine=frequency={audio.TONE_A:.0f}:sample_rate=8000:duration=4,volume=2,asetnsamples=n=160:p=0",
			"-c:a", "pcm_mulaw", "-f", "rtp", "-srtp_out_suite", suite,
			"-srtp_out_params", base64.b64encode(key).decode(), f"srtp://{host}:{port}?localrtpport={PORT}"))
		core.media.wait_received(100)
		assert core.media.heard(audio.TONE_A).ok(1.5), core.media.heard(audio.TONE_A)
		speaker.kill()
		dialog.request("BYE")
		core.taken_down()


@pytest.mark.parametrize("suite", SUITES)
def test_ffmpeg_listens(topology, start, caller, suite, tmp_path):
	start(access="sdes", suites=SUITES)
	with Leg(topology, "core") as core:
		dialog, answer = dial(caller, core, suite, srtp.fresh_master(suite))
		(_, agreed, theirs), = answer.crypto()
		assert agreed == suite
		description, sound = tmp_path / "session.sdp", tmp_path / "heard.wav"
		description.write_text(SESSION.format(address=caller.address, port=PORT, suite=suite, key=theirs))
		listener = Process("ffmpeg", topology.access.command(
			"ffmpeg", "-nostdin", "-loglevel", "warning", "-protocol_whitelist", "file,rtp,srtp,udp", "-i", str(description),
			"-t", "2", "-y", str(sound)))
		listener.wait_bound(PORT)
		core.talk()
		assert listener.wait(15) == 0, listener.tail()
		heard = audio.listen(sound, audio.TONE_C)
		assert heard.ok(1.5), heard
		dialog.request("BYE")
		core.taken_down()
