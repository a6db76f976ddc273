# SPDX-License-Identifier: GPL-3.0-or-later
"""Two calls through Sallyport, one in each direction, between phones of somebody else's making.

  namespace access            namespace gateway            namespace core
  baresip, DTLS-SRTP  ------  sallyport: AF_XDP  -------  baresip, plain RTP
  10.10.0.10                  10.10.0.1 | 10.20.0.1        10.20.0.10

Each phone plays a tone of its own and records what it hears; a capture at each phone shows what an eavesdropper would see.
"""
import argparse
import json
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from lib import audio, cleanup, netns # noqa: E402
from lib.baresip import Baresip # noqa: E402
from lib.capture import Capture, Readable, kind_of # noqa: E402
from lib.gateway import Gateway # noqa: E402

TONES = (audio.TONE_A, audio.TONE_C)


class Voice:
	"""What a person watching reads; silent pieces are simply not said."""

	def __init__(self, quiet):
		self.quiet = quiet

	def say(self, text=""):
		if not self.quiet:
			print(text, flush=True)

	def row(self, name, text):
		self.say(f"  {name:<20}{text}")


class Demo:
	def __init__(self, voice, seconds):
		self.voice, self.seconds = voice, seconds
		self.topology = netns.Topology()
		self.gateway = Gateway(self.topology, text=self._configuration(), start=False)

	@staticmethod
	def _configuration():
		# The demo's state is the demo's own: it ends with it.
		return (ROOT / "conf" / "demo.yaml").read_text() + "\nprocess: {state_dir: \"@STATE@\"}\n"

	def start(self):
		began = time.monotonic()
		self.gateway.start()
		self.voice.say(f"Sallyport is ready after {time.monotonic() - began:.1f} s: "
			       f"XDP on {' and '.join(self.topology.xdp_programs()) or 'nothing'}, conf/demo.yaml")
		self.alice = Baresip(self.topology.access, self.topology.phone("access"), "alice", "dtls_srtp")
		self.bob = Baresip(self.topology.core, self.topology.phone("core"), "bob", None, tone=audio.TONE_C)

	def call(self, number, caller, callee, side):
		voice = self.voice
		voice.say()
		voice.say(f"Call {number}: {caller.name} ({side}) calls {callee.name}")
		access, core = (Capture(self.topology.access), Capture(self.topology.core))
		since, marks = self.gateway.mark(), (caller.mark(), callee.mark())
		recordings = {phone: set(phone.recordings()) for phone in (caller, callee)}
		began = time.monotonic()
		caller.dial(f"sip:{callee.name}@{self.topology.gateway(side)}:5060")
		started = self.gateway.wait_event("call started", 10, since)
		call_id = started["call_id_a"]
		caller.established(15, marks[0])
		callee.established(15, marks[1])
		secured = self.gateway.wait_event("line secured", 15, since, call_id=call_id, leg="access")
		voice.row("secured", f"{1000 * (time.monotonic() - began):.0f} ms after dialling")
		time.sleep(self.seconds) # two people talk
		caller.hangup()
		caller.closed(10, marks[0])
		callee.closed(10, marks[1])
		self.gateway.wait_event("call ended", 10, since, call_id=call_id)
		summaries = {leg: self.gateway.wait_event("media summary", 10, since, call_id=call_id, leg=leg)
			     for leg in ("access", "core")}
		result = {"caller": caller.name, "callee": callee.name, "established": True,
			  "access": self._leg(secured, summaries["access"]), "core": self._leg({}, summaries["core"])}
		result["access"]["dtls_cipher"] = secured.get("dtls_cipher")
		result["access"]["dtls_role"] = secured.get("dtls_role")
		result["access"]["fingerprint_checked"] = secured.get("fingerprint_checked")
		self._tell_legs(result, secured)
		self._listen(result, recordings)
		self._eavesdrop(result, access.stop(), core.stop())
		access.delete()
		core.delete()
		result["ok"] = self._judge(result)
		return result

	@staticmethod
	def _leg(secured, summary):
		return {"keying": secured.get("mechanism") or summary.get("mechanism"), "dtls_version": secured.get("dtls_version"),
			"suite": secured.get("suite"), "packets_in": summary["rx_packets"], "packets_out": summary["tx_packets"],
			"lost": summary["lost"], "jitter_us": summary["jitter_us"], "drops": summary["drops"],
			"drops_by": summary.get("drops_by") or ""}

	def _tell_legs(self, result, secured):
		access, core, row = result["access"], result["core"], self.voice.row
		checked = "checked against the SDP" if access["fingerprint_checked"] else "NOT CHECKED"
		row("access leg", f"DTLS {access['dtls_version']} as {access['dtls_role']}, {access['dtls_cipher']}, SRTP "
		    f"{access['suite']}")
		row("", f"fingerprint {checked}: {str(secured.get('peer_fingerprint'))[:38]}...")
		row("core leg", "plain RTP" if core["keying"] == "none" else str(core["keying"]))
		for name in ("access", "core"):
			leg = result[name]
			drops = f"{leg['drops']} dropped" + (f" ({leg['drops_by']})" if leg["drops_by"] else "")
			row(f"{name} packets", f"{leg['packets_in']} in, {leg['packets_out']} out, {leg['lost']} lost, {drops}, jitter "
			    f"{leg['jitter_us'] / 1000:.1f} ms")

	def _listen(self, result, recordings):
		for key, phone, tone in (("audio_ok_a2c", self.bob, audio.TONE_A), ("audio_ok_c2a", self.alice, audio.TONE_C)):
			fresh = [path for path in phone.recordings() if path not in recordings[phone]]
			heard = audio.listen(fresh[-1], tone) if fresh else audio.Heard([], audio.RATE, tone)
			result[key] = heard.ok(self.seconds * 0.6)
			self.voice.row(f"{phone.name} heard", f"{tone:.0f} Hz for {heard.seconds_clean:.1f} s, anything else for "
				       f"{heard.seconds_other:.1f} s{'' if result[key] else '  NOT WELL'}")

	def _eavesdrop(self, result, access, core):
		kinds = [kind_of(d.payload) for d in access.media(kind="dtls")]
		gateway = self.topology.gateway("access")
		on_access = Readable(access.media(source=gateway), TONES)
		from_phone = Readable(access.media(target=gateway), TONES)
		on_core = Readable(core.media(), TONES)
		# baresip sends in clear until its handshake is done, if that takes long: said apart, since no gateway can mend it.
		result["plain_rtp_packets_on_access"] = on_access.plain
		result["plain_rtp_packets_of_the_phone"] = from_phone.plain
		result["plain_rtp_on_access"] = on_access.plain > 0
		result["eavesdropper"] = {"access_packets": on_access.packets, "access_readable": on_access.plain,
					  "access_bits_per_byte": round(on_access.entropy, 3),
					  "core_packets": on_core.packets, "core_readable": on_core.tonal}
		self.voice.row("on the access wire", f"{len(kinds)} DTLS datagrams, {on_access.packets + from_phone.packets} SRTP packets; "
			       f"an eavesdropper reads {on_access.plain} of {on_access.packets} that the gateway sent")
		if from_phone.plain:
			self.voice.row("", f"(the phone itself sent {from_phone.plain} in clear before its keys; the gateway dropped them)")
		self.voice.row("", f"(payload {on_access.entropy:.2f} bit/byte; on the core wire the same look reads {on_core.tonal} of "
			       f"{on_core.packets})")
		result["eavesdropper_control_ok"] = on_core.packets > 0 and on_core.tonal >= 0.9 * on_core.packets
		result["access_looks_encrypted"] = on_access.looks_encrypted()

	@staticmethod
	def _judge(result):
		access = result["access"]
		return (result["established"] and access["keying"] == "dtls-srtp" and bool(access["fingerprint_checked"])
			and bool(access["suite"]) and access["packets_in"] > 0 and access["packets_out"] > 0
			and result["audio_ok_a2c"] and result["audio_ok_c2a"] and not result["plain_rtp_on_access"]
			and result["access_looks_encrypted"] and result["eavesdropper_control_ok"])

	def stop(self):
		"""Ends the phones and the gateway, and looks that nothing of it is left."""
		for phone in (self.alice, self.bob):
			phone.stop()
		self.gateway.stop()
		left = self.topology.leftovers()
		self.topology.delete()
		return left


def main():
	parser = argparse.ArgumentParser(prog="deploy/demo", description=__doc__,
					 formatter_class=argparse.RawDescriptionHelpFormatter)
	parser.add_argument("--json", action="store_true", help="last line: one JSON object with all that was found")
	parser.add_argument("--quiet", action="store_true", help="nothing for people, only the exit code and --json")
	parser.add_argument("--seconds", type=float, default=4, help="how long each call talks (4)")
	options = parser.parse_args()
	voice = Voice(options.quiet)
	result = {"calls": [], "ok": False}
	try:
		netns.sweep()
		demo = Demo(voice, options.seconds)
		demo.start()
		result["calls"].append(demo.call(1, demo.alice, demo.bob, "access"))
		result["calls"].append(demo.call(2, demo.bob, demo.alice, "core"))
		result["left_behind"] = demo.stop()
		result["ok"] = all(call["ok"] for call in result["calls"]) and not result["left_behind"]
	except KeyboardInterrupt:
		voice.say("\ninterrupted; ending what was started")
		cleanup.run()
		sys.exit(130)
	except (AssertionError, OSError) as error:
		result["error"] = str(error).splitlines()[0] if str(error) else repr(error)
		print(f"deploy/demo: {error}", file=sys.stderr)
	finally:
		cleanup.run()
	voice.say()
	voice.say("All is well: both calls were heard, and nothing on the access side was readable." if result["ok"] else
		  "NOT WELL: see above.")
	if options.json:
		print(json.dumps(result), flush=True)
	sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
	main()
