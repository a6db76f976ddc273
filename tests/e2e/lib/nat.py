# SPDX-License-Identifier: GPL-3.0-or-later
# Address translation in front of phones or of the gateway, by nftables.
#
#   home 192.168.1.10 --- 192.168.1.1 home0 [ access ] net0 10.10.0.10 === masquerade === access0 10.10.0.1 [ gw ]
#
# The gateway has no route to 192.168.1.0/24: what it sends to a signalled private address goes nowhere, as on the Internet.
import itertools
import os
import re
import socket
import struct

from .gateway import configuration
from .netns import Namespace, Topology, veth

HOME = "192.168.1.10"
_numbers = itertools.count(1)
PORTS = "30000-31000" # where the NAT puts media; SIP keeps its port


class Home(Topology):
	"""The usual topology with a phone's home behind `access`."""

	MASQUERADE = """
table ip nat {{
	chain out {{
		type nat hook postrouting priority srcnat;
		oifname "net0" ip saddr 192.168.1.0/24 udp sport 5060 {sip}
		oifname "net0" ip saddr 192.168.1.0/24 udp sport != 5060 masquerade to :{media} fully-random
		oifname "net0" ip saddr 192.168.1.0/24 masquerade
	}}
}}
"""

	def __init__(self, sip_port=None):
		super().__init__()
		self.home = Namespace(self.core.name.replace("core", "home"))
		self.home.device = "net0"
		veth(self.home, "net0", self.access, "home0")
		self.access.address("home0", "192.168.1.1/24")
		self.home.address("net0", f"{HOME}/24")
		self.home.run("ip", "route", "add", "default", "via", "192.168.1.1")
		self.access.sysctl("net.ipv4.ip_forward", 1)
		# What comes for no mapping ends here, as at a home router: no socket of `access` answers by ICMP.
		sip = f"masquerade to :{sip_port}" if sip_port else "masquerade"
		self.access.run("nft", "-f", "-", input=self.MASQUERADE.format(media=PORTS, sip=sip))

	@staticmethod
	def phone(side, host=10, family=4):
		return HOME if side == "home" else Topology.phone(side, host, family)

	def gateway(self, side, family=4):
		return super().gateway("access" if side == "home" else side, family)

	def namespaces(self):
		return [*super().namespaces(), self.home]

	def forward(self, port):
		"""A port of the NAT leads to the phone's, as its owner has set it up."""
		self.access.run("nft", "-f", "-", input=f"""
table ip forward {{
	chain in {{
		type nat hook prerouting priority dstnat;
		ip daddr 10.10.0.10 udp dport {port} dnat to {HOME}
	}}
}}
""")

	def rebind(self):
		"""The NAT forgets all that it knew: what goes out next gets new ports."""
		self.access.inside(forget)


def forget():
	"""Deletes every entry of connection tracking in this namespace (ctnetlink, IPCTNL_MSG_CT_DELETE without a filter)."""
	NETLINK_NETFILTER, CTNETLINK, CT_DELETE, REQUEST_ACK = 12, 1, 2, 5
	with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as s:
		s.bind((0, 0))
		body = struct.pack("=BBH", socket.AF_INET, 0, 0) # nfgenmsg
		s.send(struct.pack("=IHHII", 16 + len(body), CTNETLINK << 8 | CT_DELETE, REQUEST_ACK, 1, 0) + body)
		error, = struct.unpack_from("=i", s.recv(4096), 16)
		if error != 0:
			raise OSError(-error, "ctnetlink")


def keep_open(phone, gateway):
	"""What a phone does behind a NAT so that calls reach it (RFC 5626 4.4, here OPTIONS); returns the port that it has outside."""
	number = next(_numbers)
	me = f"<sip:{phone.name}@{phone.address}>;tag=k{number}"
	phone.send_request("OPTIONS", f"sip:{gateway}:5060", f"keep-{os.getpid()}-{number}", me, f"<sip:{gateway}>", number)
	response = phone.wait_response(number, "OPTIONS")
	assert response.status == 200, response.first
	via = response.get("via")
	assert re.search(r";received=([^;,]+)", via), via
	return int(re.search(r";rport=(\d+)", via)[1])


class Public(Topology):
	"""The gateway behind a 1:1 NAT; the Internet, with phones, is `net`.

	   net 198.51.100.10 --- 198.51.100.1 net1 [ access: 198.51.100.7 <-> 10.10.0.1 ] net0 10.10.0.10 --- 10.10.0.1 access0 [ gw ]
	"""

	PUBLIC = "198.51.100.7"
	RULES = f"""
table ip nat {{
	chain in {{
		type nat hook prerouting priority dstnat;
		ip daddr {PUBLIC} dnat to 10.10.0.1
	}}
	chain out {{
		type nat hook postrouting priority srcnat;
		oifname "net1" ip saddr 10.10.0.1 snat to {PUBLIC}
	}}
}}
"""

	def __init__(self):
		super().__init__()
		self.net = Namespace(self.core.name.replace("core", "net"))
		self.net.device = "net0"
		veth(self.net, "net0", self.access, "net1")
		self.access.address("net1", "198.51.100.1/24")
		self.access.address("net1", f"{self.PUBLIC}/32")
		self.net.address("net0", "198.51.100.10/24")
		self.access.sysctl("net.ipv4.ip_forward", 1)
		self.access.run("nft", "-f", "-", input=self.RULES)
		self.gw.run("ip", "route", "add", "default", "via", "10.10.0.10")

	@staticmethod
	def phone(side, host=10, family=4):
		return "198.51.100.10" if side == "net" else Topology.phone(side, host, family)

	def gateway(self, side, family=4):
		return self.PUBLIC if side == "net" else super().gateway(side, family)

	def namespaces(self):
		return [*super().namespaces(), self.net]

	def configuration(self, advertise):
		text = configuration(access_target="198.51.100.10").replace("10.10.0.0/24", "198.51.100.0/24")
		if advertise:
			text = text.replace('{address: "10.10.0.1",', f'{{address: "10.10.0.1", advertise: "{self.PUBLIC}",')
		return text
