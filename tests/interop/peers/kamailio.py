# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's Kamailio as the core network's proxy: it stays in each dialog by Record-Route, and says what went through it. Behind
# it is a phone that has no other way out; between it and the gateway it may speak TCP, so that it stands in a route set twice.
import pathlib
import shutil
import tempfile

from lib import cleanup, phone
from lib.leg import Leg
from lib.netns import uri_host
from lib.process import Process

CONFIG = """\
#!KAMAILIO
debug=1
log_stderror=yes
log_facility=LOG_LOCAL0
children=1
tcp_children=1
dns=no
rev_dns=no
auto_aliases=no
disable_core_dump=yes
listen=udp:{address}:5060
listen=tcp:{address}:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
modparam("tm", "fr_timer", 5000)
request_route {{
	if (is_method("CANCEL")) {{
		xlog("L_ERR", "passed $rm from $si\\n");
		if (t_check_trans()) t_relay();
		exit;
	}}
	if (has_totag()) {{
		if (loose_route()) {{
			xlog("L_ERR", "passed $rm from $si within $ci\\n");
			t_relay();
		}} else if (is_method("ACK") && t_check_trans()) {{
			t_relay();
		}} else {{
			xlog("L_ERR", "astray $rm from $si\\n");
			if (!is_method("ACK")) sl_send_reply("404", "Not Here");
		}}
		exit;
	}}
	xlog("L_ERR", "passed $rm from $si\\n");
	record_route();
	if ($si == "{gateway}")
		$ru = "sip:100@{phone}:5060";
	else
		$ru = "sip:100@{gateway}:5060;transport={transport}";
	t_relay();
}}
"""


class Kamailio:
	def __init__(self, topology, transport="udp", host=10, phone_host=11):
		self.address, self.phone, self.gateway = topology.phone("core", host), topology.phone("core", phone_host), topology.gateway("core")
		self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spe2e-kamailio-"))
		self._handle = cleanup.register(self._remove)
		file = self.directory / "kamailio.cfg"
		file.write_text(CONFIG.format(address=self.address, gateway=self.gateway, phone=self.phone,
					      transport=transport))
		self.process = Process("kamailio", topology.core.command(
			"kamailio", "-f", str(file), "-DD", "-E", "-m", "16", "-M", "4", "-Y", str(self.directory), "-w", str(self.directory)))
		self.process.wait_bound(5060)
		self.process.wait_bound(5060, "tcp")

	def passed(self, last):
		"""(method, who sent it) of each request that it passed on, in order, up to the one that is the last: its log may lag."""
		self.process.wait_until(lambda line: f"passed {last} " in line, 5, f"a {last} in the log")
		lines = [line.split("passed ")[1].split() for line in self.process.text().splitlines() if "passed " in line]
		return [(words[0], words[2]) for words in lines]

	def astray(self):
		"""What it could not place in a dialog."""
		return [line for line in self.process.text().splitlines() if "astray " in line]

	def _remove(self):
		cleanup.done(self._handle)
		self.process.stop(5)
		shutil.rmtree(self.directory, ignore_errors=True)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self._remove()


class Behind(Leg):
	"""A leg whose phone takes nothing but from its proxy, and sends nothing but to it."""

	def __init__(self, topology, proxy, **settings):
		super().__init__(topology, "core", host=11, **settings)
		self.proxy = proxy

	@property
	def gateway_uri(self):
		return f"sip:100@{uri_host(self.proxy.address)}:5060"

	def strangers(self):
		"""Messages that came past the proxy."""
		return [m for m in self.phone.messages if m.source[0] != self.proxy.address]
