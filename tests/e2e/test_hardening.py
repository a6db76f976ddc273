# SPDX-License-Identifier: GPL-3.0-or-later
# What an intruder would find: few capabilities, few system calls, no core file, nobody's keys in it, none in the log.
import base64
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from lib.gateway import ROOT, Gateway, binaries, configuration, sanitized
from lib.leg import Leg, both_hear, call
from lib.process import Process

CAPABILITIES = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
		"net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
		"sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
		"mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore").split()
CHILDREN = ("control", "relay")


def documented():
	"""{process: {column: text}} of the table in docs/security.md."""
	part = (ROOT / "docs/security.md").read_text().split("\n## Processes\n")[1].split("\n##")[0]
	rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
	return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[2:]}


def capability_mask(text):
	names = re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", text)
	return sum(1 << CAPABILITIES.index(name.lower()) for name in names)


def unit_capabilities():
	return [name.removeprefix("CAP_").lower() for line in (ROOT / "deploy/sallyport.service").read_text().splitlines()
		if line.startswith("CapabilityBoundingSet=") for name in line.partition("=")[2].split()]


def statuses(pid):
	"""Of every thread: {field: words}."""
	for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
		lines = (task / "status").read_text().splitlines()
		yield {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


class Confined(Gateway):
	"""Started with the capabilities that the unit gives, in a folder of its own, and allowed to leave core files there."""

	def start(self, timeout=20):
		self.cores = self.directory / "cores"
		self.cores.mkdir()
		self.cores.chmod(0o777)
		bounding = ",".join(["-all", *("+" + name for name in unit_capabilities())])
		self.process = Process("sallyport", self.topology.gw.command(
			"sh", "-c", 'ulimit -c unlimited && exec "$@"', "sh", "setpriv", f"--bounding-set={bounding}", "--no-new-privs",
			str(binaries() / "sallyport"), "-c", str(self.file)),
			env=dict(os.environ, **{"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99"}),
			cwd=self.cores, die_signal=signal.SIGTERM)
		self.wait_event("gateway ready", timeout)


@pytest.fixture
def confined(topology):
	gateway = Confined(topology, core="sdes")
	yield gateway
	gateway.__exit__(None)


def test_privileges_are_as_documented(confined):
	table = documented()
	assert set(table) == {"supervisor", *CHILDREN}
	assert capability_mask(table["supervisor"]["bounding set"]) == capability_mask(" ".join(unit_capabilities()).upper())
	for name, row in table.items():
		pid = confined.process.pid if name == "supervisor" else confined.child(name)
		threads = list(statuses(pid))
		assert len(threads) >= {"supervisor": 1, "control": 3, "relay": 3}[name], (name, len(threads))
		for status in threads:
			who = name, status["Name"]
			assert {status["CapEff"][0], status["CapPrm"][0]} == {f"{capability_mask(row['capabilities']):016x}"}, who
			assert int(status["CapBnd"][0], 16) == capability_mask(row["bounding set"]), who
			assert int(status["CapInh"][0], 16) == int(status["CapAmb"][0], 16) == 0, who
			assert status["NoNewPrivs"] == ["1"], who
			assert status["Seccomp"] == (["0"] if name == "supervisor" else ["2"]), who
			assert len(set(status["Uid"])) == 1 and (status["Uid"][0] == "0") == (row["user"] == "root"), who
			assert name != "control" or (status["Groups"] == [] and "0" not in status["Gid"]), who
	keys = confined.directory / "dtls.pem"
	assert keys.stat().st_mode & 0o777 == 0o600 and keys.stat().st_uid != 0


def readable(pid, user):
	"""Whether a process of that user may look into another's memory and environment."""
	done = subprocess.run(["cat", f"/proc/{pid}/environ"], user=user, group=user, extra_groups=[], capture_output=True)
	return done.returncode == 0


def test_memory_is_closed_to_others(confined):
	"""Keys are on control's heap, which no process of the same user may read, and in the regions, which no core file gets."""
	pid = confined.child("control")
	if not sanitized(): # which must be able to look at its own threads
		user = int(next(statuses(pid))["Uid"][0])
		with subprocess.Popen(["sleep", "30"], user=user, group=user, extra_groups=[]) as other: # what is not protected
			try:
				assert readable(other.pid, user)
				assert not readable(pid, user)
			finally:
				other.kill()
		assert pathlib.Path(f"/proc/{pid}/mem").stat().st_uid == 0
	for pid in (confined.process.pid, *map(confined.child, CHILDREN)):
		text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
		maps = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text)
		flags = {part: re.search(r"VmFlags: (.*)", part)[1].split() for part in maps if part}
		regions = [part for part in flags if re.match(r".*/memfd:sallyport|.*/anon_hugepage", part)]
		assert regions and all("dd" in flags[part] for part in regions), (pid, regions[:1])
		assert not all("dd" in kept for kept in flags.values()) # of those that are not secret


# Core files

def cores(folder):
	return [path for path in folder.iterdir() if path.name.startswith("core")]


def crash(gateway, kind, number):
	since = gateway.mark()
	gateway.kill_child(kind, number)
	died = gateway.wait_event("child died", 10, since, child=kind)
	assert died["signal"] in ("ABRT", "SEGV"), died
	gateway.wait_event("child back", 10, since, child=kind)


@pytest.mark.skipif(sanitized(), reason="a sanitizer allows no core files")
@pytest.mark.skipif(pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip() != "core",
		    reason="this kernel hands core files to another program, or names them otherwise")
def test_no_core_file_has_a_key(topology, confined):
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core", keying="sdes") as core:
		call(access, core)
		secrets = keys_of(access) | keys_of(core)
		for kind in CHILDREN:
			for number in (signal.SIGABRT, signal.SIGSEGV):
				crash(confined, kind, number)
		assert cores(confined.cores) == []
		both_hear(access, core) # they were still there to be found
		# The supervisor has both regions mapped and may leave a file: it was made, it is whole, and no key is in it.
		confined.process.signal(signal.SIGABRT)
		confined.process.wait(20)
	image = b"".join(path.read_bytes() for path in cores(confined.cores))
	assert b"sallyport.yaml" in image, "the positive control left no core file"
	for secret in secrets:
		assert secret[:8] not in image and secret[8:16] not in image
	wait_for_silence(topology)


def wait_for_silence(topology):
	"""The supervisor was shot: its children end with it."""
	deadline = time.monotonic() + 5
	while topology.gw.processes():
		assert time.monotonic() < deadline, topology.gw.processes()
		time.sleep(0.02)


# The log

def keys_of(leg):
	"""Master keys with salts, both directions, as they stood in the descriptions."""
	theirs = {base64.b64decode(key) for _, _, key in leg.described.crypto()} if leg.keying == "sdes" else set()
	return theirs | set(leg.masters.values())


def traces(secret):
	"""What of a secret could stand in a text: eight octets of it at any place in hexadecimal, six in base64."""
	found = set()
	for at in range(0, len(secret) - 7):
		found.add(secret[at:at + 8].hex())
		found.add(secret[at:at + 8].hex(":"))
	for shift in range(3):
		text = base64.b64encode(secret[shift:]).decode().rstrip("=")
		found |= {text[at:at + 12] for at in range(0, len(text) - 12, 4)}
	return found


def leaks(text, secrets):
	plain, lower = text, text.lower()
	return sorted({trace for secret in secrets for trace in traces(secret) if trace in plain or trace in lower})


def private_key(pem):
	"""The scalar, out of openssl's own reading."""
	said = subprocess.run(["openssl", "pkey", "-in", pem, "-noout", "-text"], check=True, capture_output=True, text=True).stdout
	return bytes.fromhex(re.search(r"priv:\s*([0-9a-f:\s]+)pub:", said)[1].replace(":", "").replace("\n", "").replace(" ", ""))


def exported(leg):
	"""Master keys of a DTLS leg, from its own end of the association."""
	return {bytes(context.master) for context in (leg.media.receiving, leg.media.sending)}


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_reaches_the_log(topology, form):
	text = configuration(core="sdes", level="debug").replace("format: json", f"format: {form}")
	gateway = Gateway(topology, text, start=False)
	secrets, messages = set(), ""
	gateway.wait_event = lambda event, timeout=10, since=0, **_: gateway.process.wait_for(event, timeout, since)
	gateway.start()
	try:
		for keying in ("sdes", "dtls"):
			with Leg(topology, "access", keying=keying) as access, Leg(topology, "core", keying="sdes") as core:
				call(access, core)
				both_hear(access, core, packets=20, seconds=0.2)
				messages += access.offer() + access.described.text + core.invite.body
				secrets |= keys_of(access) | keys_of(core) | (exported(access) if keying == "dtls" else set())
				if keying == "dtls": # what a restart says of the calls that it finds, too
					since = gateway.mark()
					gateway.kill_child("control")
					gateway.process.wait_for("session adopted", 10, since)
					gateway.process.wait_for("child back", 10, since)
				access.hang_up()
				core.taken_down()
		pem = gateway.directory / "dtls.pem"
		secrets.add(private_key(pem))
	finally:
		gateway.__exit__(None)
	said = gateway.process.text()
	assert len(secrets) >= 9 and len(said.splitlines()) > 60, (len(secrets), said)
	assert access.dialog.call_id in said and ('"level":"debug"' if form == "json" else " debug ") in said
	assert leaks(said, secrets) == []
	assert leaks(messages, secrets), "what looks for keys does not find them where they are"
	for secret in secrets:
		assert leaks(f'{{"key":"{secret.hex().upper()}"}}', {secret}) and leaks(base64.b64encode(b"!" + secret).decode(), {secret})
