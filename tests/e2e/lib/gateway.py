# SPDX-License-Identifier: GPL-3.0-or-later
# The gateway under test: its configuration written, started in its namespace, its log read as events, its end checked.
import json
import os
import pathlib
import re
import shutil
import signal
import tempfile

from . import cleanup
from .netns import uri_host
from .process import Process

ROOT = pathlib.Path(__file__).resolve().parents[3]

# Profiles of the tests. `secure` is the shipped policy; the others each show one thing.
PROFILES = {
	"secure": {"keying": {"accept": "[dtls-srtp, sdes]", "offer": "[dtls-srtp]"}},
	"active": {"keying": {"accept": "[dtls-srtp]", "offer": "[dtls-srtp]", "role": "active"}},
	"passive": {"keying": {"accept": "[dtls-srtp]", "offer": "[dtls-srtp]", "role": "passive"}},
	"sdes": {"keying": {"accept": "[sdes, dtls-srtp]", "offer": "[sdes]"}},
	"offers_mki": {"keying": {"accept": "[sdes]", "offer": "[sdes]", "mki": "offer"}},
	"plain": {"keying": {"accept": "[none]", "offer": "[none]"}},
	"mixed": {"keying": {"accept": "[dtls-srtp, sdes, none]", "offer": "[sdes]"}},
}


def binaries():
	"""Where sallyport and sallyport-relay are."""
	return pathlib.Path(os.environ.get("SALLYPORT_BIN", ROOT / "build" / "dev" / "bin")).resolve()


def dependencies():
	"""Where deploy/setup put what these binaries were built with, and Playwright."""
	cache = binaries().parent / "CMakeCache.txt"
	found = re.search(r"^SALLYPORT_DEPS:\w+=(.+)$", cache.read_text() if cache.exists() else "", re.M)
	return pathlib.Path(found[1] if found else os.environ.get("SALLYPORT_DEPS", "/var/cache/sallyport/deps"))


def sanitized():
	"""Whether these binaries carry a sanitizer, whatever their folder is called."""
	return b"__asan_init" in (binaries() / "sallyport").read_bytes()


def configuration(access="secure", core="plain", state_dir="@STATE@", core_target=None, access_target=None,
		  transport="udp", family=4, media_timeout=60, keying_timeout=10, calls=4000, ports="16384-32767",
		  suites=None, rtcp_mux="accept", learn="nat", poll="adaptive", hugepages="auto", level="info", gateway=None, crypto=None, records=None):
	"""One access and one core realm; who comes from one goes to the peer of the other."""
	from .netns import Topology
	core_target = core_target or Topology.phone("core", 10, family)
	access_target = access_target or Topology.phone("access", 10, family)
	lines = [f"log: {{level: {level}, format: json}}", f"process: {{state_dir: {state_dir}}}", f"limits: {{calls: {calls}}}",
		 *([f"call_records: {{{records}}}"] if records else []),
		 "dataplane:", "  workers: 1", f"  poll: {poll}", f"  hugepages: {hugepages}", *([f"  crypto: {{engine: cryptodev, device: {crypto}}}"] if crypto else []), "  interfaces:",
		 "    - {name: access0, driver: af_xdp}", "    - {name: core0, driver: af_xdp}", "realms:"]
	for realm, profile in (("access", access), ("core", core)):
		v4, v6 = Topology.GW[realm], Topology.GW6[realm]
		media = [v4, v6] if family == 4 else [v6, v4]
		lines += [f"  - name: {realm}", f"    interface: {realm}0", "    listeners:",
			  *(f'      - "{kind}:{uri_host(host)}:5060"' for kind in ("udp", "tcp") for host in (v4, v6)),
			  "    media:", *(f'      - {{address: "{host}", ports: {ports}}}' for host in media),
			  f"    profile: {profile}"]
	lines.append("profiles:")
	for name in dict.fromkeys((access, core)):
		keying = dict(PROFILES[name]["keying"])
		if suites:
			keying["suites"] = f"[{', '.join(suites)}]"
		inner = ", ".join(f"{key}: {value}" for key, value in keying.items())
		lines += [f"  - name: {name}", f"    keying: {{{inner}}}", f"    rtcp_mux: {rtcp_mux}", f"    learn: {learn}",
			  f"    media_timeout: {media_timeout}", f"    keying_timeout: {keying_timeout}"]
	nets = {"access": ("10.10.0.0/24", "fd00:10::/64"), "core": ("10.20.0.0/24", "fd00:20::/64")}
	lines.append("peers:")
	for peer, realm, target in (("phones", "access", access_target), ("pbx", "core", core_target)):
		lines += [f"  - name: {peer}", f"    realm: {realm}", f'    sources: ["{nets[realm][0]}", "{nets[realm][1]}"]',
			  f'    target: "sip:{{user}}@{uri_host(target)}:5060;transport={transport}"']
	lines += ["routes:", '  - {from: access, user: "*", to: pbx}', '  - {from: core, user: "*", to: phones}']
	return "\n".join(lines) + "\n"


class Gateway:
	instances = [] # those not yet removed: whose log a failed test wants to see

	def __init__(self, topology, text=None, options=(), start=True, **settings):
		self.topology = topology
		self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spe2e-gw-"))
		self._handle = cleanup.register(self._remove)
		self.instances.append(self)
		# Control has dropped its privileges when it first writes here.
		self.directory.chmod(0o777)
		self.file = self.directory / "sallyport.yaml"
		# A text of the test's own says @STATE@ for the folder that ends with the gateway.
		text = text or configuration(**settings)
		self.file.write_text(text.replace("@STATE@", str(self.directory)))
		self.options = options
		self.process = None
		if start:
			self.start()

	def start(self, timeout=20):
		environment = dict(os.environ)
		environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
		environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=99")
		self.process = Process("sallyport", self.topology.gw.command(
			str(binaries() / "sallyport"), "-c", str(self.file), *self.options), env=environment,
			die_signal=signal.SIGTERM)
		self.wait_event("gateway ready", timeout)

	# The log

	@staticmethod
	def _parse(line):
		if not line.startswith("{"):
			return None
		try:
			return json.loads(line)
		except ValueError:
			return None

	def events(self, event=None, **fields):
		"""All so far that match; a field call_id matches either leg's."""
		return [e for e in map(self._parse, (line for _, _, line in list(self.process.lines)))
			if e and self._matches(e, event, fields)]

	@staticmethod
	def _matches(entry, event, fields):
		if event is not None and entry.get("event") != event:
			return False
		for key, value in fields.items():
			if key == "call_id":
				if value not in (entry.get("call_id_a"), entry.get("call_id_b")):
					return False
			elif entry.get(key) != value:
				return False
		return True

	def wait_event(self, event, timeout=10, since=0, **fields):
		def found(line):
			entry = self._parse(line)
			return entry if entry and self._matches(entry, event, fields) else None
		return self.process.wait_until(found, timeout, f"{event} {fields or ''}", since)

	def mark(self):
		return self.process.mark()

	# Processes

	def child(self, kind):
		"""Process id of `control` or `relay`."""
		for pid in self.topology.gw.processes():
			try:
				raw = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
				parent = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
			except (OSError, ValueError):
				continue
			if parent != self.process.pid:
				continue
			if (b"--control" in raw) if kind == "control" else raw[0].endswith(b"sallyport-relay"):
				return pid
		raise AssertionError(f"no {kind} among {self.topology.gw.processes()}")

	def kill_child(self, kind, number=signal.SIGKILL):
		os.kill(self.child(kind), number)

	def stop(self, timeout=5, expect=0):
		"""SIGTERM; the contract is exit 0 within 5 s and nothing left behind."""
		code = self.process.stop(timeout)
		assert code == expect, f"exit {code}\n{self.process.tail()}"
		self.check_clean()
		return code

	def check_clean(self):
		reports = self.process.sanitizer_reports()
		assert not reports, "\n".join(reports) + "\n" + self.process.tail(120)
		left = self.topology.leftovers()
		assert not [item for item in left if "sallyport" in item or "XDP" in item], left

	def memory_kb(self, kind):
		"""Of its own. The shared regions are of fixed size, and grow resident as their records are first used."""
		text = pathlib.Path(f"/proc/{self.child(kind)}/status").read_text()
		return int(text.split("RssAnon:")[1].split()[0])

	def descriptors(self, kind):
		return len(os.listdir(f"/proc/{self.child(kind)}/fd"))

	def _remove(self):
		cleanup.done(self._handle)
		if self in self.instances:
			self.instances.remove(self)
		if self.process and self.process.alive():
			try:
				self.process.stop(6)
			except AssertionError:
				pass
		shutil.rmtree(self.directory, ignore_errors=True)

	def __enter__(self):
		return self

	def __exit__(self, kind, *_):
		if kind is None and self.process and self.process.alive():
			try:
				self.stop(expect=0)
			finally:
				self._remove()
		else:
			self._remove()
