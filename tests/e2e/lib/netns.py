# SPDX-License-Identifier: GPL-3.0-or-later
# The topology: one namespace a role, joined by veth.
#
#   access (phones, fd00:10::/64, 10.10.0.0/24)                core (trunk, fd00:20::/64, 10.20.0.0/24)
#     10.10.0.10, .11, ... net0 --------- access0 [ gw ] core0 --------- net0 10.20.0.10, .11, ...
#         |                     10.10.0.1             10.20.0.1
#     attacker 10.10.0.66 (only where a test asks for it; then a bridge in `access` joins the three)
#
# Names carry the process id, so parallel runs never meet and a killed run's remains are known and swept.
import ctypes
import ipaddress
import itertools
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

from . import cleanup

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from topology import Leg, leaks # noqa: E402

PREFIX = "spe2e"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def run(*command, check=True, **more):
	return subprocess.run(command, check=check, text=True, capture_output=True, **more)


class Namespace:
	def __init__(self, name):
		self.name = name
		run("ip", "netns", "add", name)
		self._handle = cleanup.register(self.delete)
		self.run("ip", "link", "set", "lo", "up")
		self.sysctl("net.ipv6.conf.default.accept_dad", 0)
		self.sysctl("net.ipv6.conf.all.accept_dad", 0)

	def delete(self):
		cleanup.done(self._handle)
		run("ip", "netns", "delete", self.name, check=False)

	def run(self, *command, check=True, **more):
		return run("ip", "netns", "exec", self.name, *command, check=check, **more)

	def command(self, *command):
		"""The same command inside the namespace; exec'ed, so its process id is the command's."""
		return ["ip", "netns", "exec", self.name, *command]

	def sysctl(self, key, value):
		self.run("sysctl", "-qw", f"{key}={value}")

	def address(self, device, address):
		nodad = ["nodad"] if ":" in address else []
		self.run("ip", "address", "replace", address, "dev", device, *nodad)

	def inside(self, function):
		"""function() in a thread that lives in this namespace; what sockets it opens stay here."""
		result = []

		def work():
			try:
				with open(f"/run/netns/{self.name}") as net:
					if _libc.setns(net.fileno(), CLONE_NEWNET) != 0:
						raise OSError(ctypes.get_errno(), "setns")
				result.append((function(), None))
			except BaseException as error:
				result.append((None, error))

		thread = threading.Thread(target=work)
		thread.start()
		thread.join()
		value, error = result[0]
		if error is not None:
			raise error
		return value

	def udp(self, address, port=0):
		def make():
			family = socket.AF_INET6 if ":" in address else socket.AF_INET
			sock = socket.socket(family, socket.SOCK_DGRAM)
			sock.bind((address, port))
			return sock
		return self.inside(make)

	def tcp_connect(self, address, port, timeout=5):
		return self.inside(lambda: socket.create_connection((address, port), timeout=timeout))

	def tcp_listen(self, address, port):
		def make():
			family = socket.AF_INET6 if ":" in address else socket.AF_INET
			return socket.create_server((address, port), family=family)
		return self.inside(make)

	def processes(self):
		return [int(pid) for pid in run("ip", "netns", "pids", self.name, check=False).stdout.split()]


def veth(ns_a, name_a, ns_b, name_b):
	run("ip", "link", "add", name_a, "netns", ns_a.name, "type", "veth",
	    "peer", "name", name_b, "netns", ns_b.name)
	ns_a.run("ip", "link", "set", name_a, "up")
	ns_b.run("ip", "link", "set", name_b, "up")


def sweep():
	"""Deletes namespaces of runs that are no more."""
	for line in run("ip", "netns", "list").stdout.splitlines():
		match = re.match(PREFIX + r"(\d+)x", line)
		if match and not os.path.exists(f"/proc/{match[1]}"):
			run("ip", "netns", "delete", line.split()[0], check=False)


class Topology:
	"""access, gw and core, with the addresses drawn above."""

	GW = {"access": "10.10.0.1", "core": "10.20.0.1"}
	GW6 = {"access": "fd00:10::1", "core": "fd00:20::1"}
	DEVICE = {"access": "access0", "core": "core0"} # in the gateway's namespace
	PHONES = range(10, 20)
	shows = ("access", "core") # names of realms and of phones, which a Reason may have

	def __init__(self, attacker=False):
		stem = f"{PREFIX}{os.getpid()}x{next(_numbers)}"
		self.gw = Namespace(f"{stem}-gw")
		self.access = Namespace(f"{stem}-access")
		self.core = Namespace(f"{stem}-core")
		self.attacker = Namespace(f"{stem}-attacker") if attacker else None
		for side in ("access", "core"):
			self._join(side)

	def _join(self, side):
		inner = getattr(self, side)
		device = "net0"
		if side == "access" and self.attacker:
			device = "br0"
			inner.run("ip", "link", "add", "br0", "type", "bridge")
			veth(inner, "net0", self.gw, self.DEVICE[side])
			veth(inner, "net1", self.attacker, "net0")
			for port in ("net0", "net1"):
				inner.run("ip", "link", "set", port, "master", "br0")
			inner.run("ip", "link", "set", "br0", "up")
			self.attacker.address("net0", "10.10.0.66/24")
			self.attacker.address("net0", "fd00:10::66/64")
		else:
			veth(inner, "net0", self.gw, self.DEVICE[side])
		self.gw.address(self.DEVICE[side], f"{self.GW[side]}/24")
		self.gw.address(self.DEVICE[side], f"{self.GW6[side]}/64")
		for host in self.PHONES:
			inner.address(device, f"{self.phone(side, host)}/24")
			inner.address(device, f"{self.phone(side, host, 6)}/64")
		inner.device = device

	@staticmethod
	def phone(side, host=10, family=4):
		net = {"access": 10, "core": 20}[side]
		return f"10.{net}.0.{host}" if family == 4 else f"fd00:{net}::{host}"

	def gateway(self, side, family=4):
		return (self.GW if family == 4 else self.GW6)[side]

	def namespaces(self):
		return [ns for ns in (self.gw, self.access, self.core, self.attacker) if ns]

	def xdp_programs(self):
		"""Interfaces of the gateway's namespace that carry an XDP program."""
		text = self.gw.run("ip", "-d", "-o", "link").stdout
		return [line.split(":")[1].split("@")[0].strip() for line in text.splitlines() if "prog/xdp" in line]

	def leftovers(self):
		"""What a gateway that has stopped must not leave."""
		found = [f"XDP program on {device}" for device in self.xdp_programs()]
		for pid in self.gw.processes():
			try:
				with open(f"/proc/{pid}/cmdline", "rb") as f:
					name = f.read().replace(b"\0", b" ").decode(errors="replace")
			except OSError:
				continue
			found.append(f"process {pid} {name}")
		return found

	def leaks(self):
		"""What one side has learnt of the other, by all messages that our own phones got or sent."""
		legs = [Leg([text for phone in phones for text in phone.sent], [text for phone in phones for text in phone.received])
			for phones in (getattr(side, "phones", []) for side in (self.access, self.core))]
		return leaks(*legs, self.shows) + leaks(*reversed(legs), self.shows)

	def delete(self):
		for ns in self.namespaces():
			ns.delete()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		found = self.leaks()
		self.delete()
		assert not found, found[:5]


def uri_host(address):
	return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
