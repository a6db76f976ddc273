# SPDX-License-Identifier: GPL-3.0-or-later
# Realms, peers, routes, transports and workers: as configured, and each live figure moves with what it counts.
from lib.leg import Leg, both_hear, call
from test_ctl import ctl


def named(items, name):
	return next(item for item in items if item["name"] == name)


def test_realms_peers_routes(topology, managed):
	realm = named(managed.get("/v1/realms")["realms"], "access")
	assert realm["interface"] == "access0" and realm["profile"] == "secure" and realm["dscp"] == 46 and not realm["trusted"]
	assert f"udp:{topology.gateway('access')}:5060" in realm["listeners"] and realm["media"][0]["ports"] == "16384-32767"
	assert realm["live"]["calls"] == {"calling": 0, "called": 0}
	peer = named(managed.get("/v1/peers")["peers"], "pbx")
	assert peer["realm"] == "core" and peer["target"].startswith("sip:{user}@") and not peer["retired"]
	before = managed.get("/v1/routes")["routes"]
	assert [(r["realm"], r["peer"], r["user"], r["to"], r["live"]["requests"]) for r in before] == \
	       [("access", None, "*", "pbx", 0), ("core", None, "*", "phones", 0)]
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		realms = managed.wait("/v1/realms", lambda a: named(a["realms"], "access")["live"]["lines"]["dtls-srtp"] == 1
				      and named(a["realms"], "access")["live"]["traffic"]["rx_packets"] >= 20)["realms"]
		assert named(realms, "access")["live"]["calls"] == {"calling": 1, "called": 0}
		assert named(realms, "core")["live"]["calls"] == {"calling": 0, "called": 1}
		peers = managed.get("/v1/peers")["peers"]
		assert named(peers, "phones")["live"]["calls"] == {"calling": 1, "called": 0}
		assert named(peers, "pbx")["live"]["calls"] == {"calling": 0, "called": 1}
		assert [r["live"]["requests"] for r in managed.get("/v1/routes")["routes"]] == [1, 0]
		for command, pieces in (("realms", ("access0", "secure", f"udp:{topology.gateway('access')}:5060")),
					("peers", ("phones", "pbx", "10.10.0.0/24")), ("routes", ("access", "any", "pbx", "REQUESTS"))):
			text = ctl(topology, command)
			assert all(piece in text for piece in pieces), text
		core.hang_up()
		access.taken_down()
	managed.wait("/v1/realms", lambda a: named(a["realms"], "core")["live"]["calls"] == {"calling": 0, "called": 0})


def test_transports(topology, managed):
	def access_tcp(answer):
		return next(t for t in answer["transports"] if t["realm"] == "access" and t["transport"] == "tcp" and "[" not in t["address"])

	answer = managed.get("/v1/transports")
	assert len(answer["transports"]) == 8 and {t["live"]["state"] for t in answer["transports"]} == {"listening"}
	assert all((t["live"]["connections"] is None) == (t["transport"] == "udp") for t in answer["transports"])
	at = access_tcp(answer)
	assert at["address"] == f"{topology.gateway('access')}:5060" and at["live"]["connections"] == 0
	with topology.access.tcp_connect(topology.gateway("access"), 5060), topology.access.tcp_connect(topology.gateway("access"), 5060):
		managed.wait("/v1/transports", lambda a: access_tcp(a)["live"]["connections"] == 2)
	managed.wait("/v1/transports", lambda a: access_tcp(a)["live"]["connections"] == 0)
	assert "listening" in ctl(topology, "transports")


def test_workers(topology, managed):
	answer = managed.get("/v1/workers")
	worker, = answer["workers"]
	assert worker["worker"] == 0 and {ring["name"] for ring in worker["rings"]} >= {"commands", "events", "punts_rtcp", "punts_proven", "punts_unproven"}
	assert all(0 <= ring["used_bytes"] <= ring["size_bytes"] for ring in worker["rings"])
	assert {i["name"] for i in answer["interfaces"]} == {"access0", "core0"} and answer["pools"]
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		after = managed.wait("/v1/workers", lambda a: a["workers"][0]["rx_packets"] >= worker["rx_packets"] + 40)
		assert after["workers"][0]["commands"] > worker["commands"] and after["workers"][0]["busy_seconds"] > worker["busy_seconds"]
		core.hang_up()
		access.taken_down()
	text = ctl(topology, "workers")
	assert "worker 0: load" in text and "ring commands" in text and "interface access0" in text
