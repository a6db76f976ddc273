# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus of Debian's reads a gateway with a call: every expression of the rules and of the dashboard has its series."""
import http.client
import json
import re
import time
import urllib.parse

import expressions
import pytest
from lib.admin import TOKENS, Managed
from lib.leg import Leg, both_hear, call
from lib.process import Process

PORT = 9090  # in the gateway's namespace
CONFIGURATION = """\
global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: sallyport
    authorization: {credentials_file: %s}
    static_configs: [{targets: ["127.0.0.1:8780"]}]
"""


class Prometheus:
    def __init__(self, namespace, folder):
        self.namespace = namespace
        (folder / "token").write_text(TOKENS["viewer"])
        (folder / "prometheus.yaml").write_text(CONFIGURATION % (expressions.RULES, folder / "token"))
        self.process = Process("prometheus", namespace.command(
            "prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{PORT}"))
        self.process.wait_until(lambda line: "Server is ready to receive web requests" in line, 60, "ready")

    def ask(self, path, **values):
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = self.namespace.tcp_connect("127.0.0.1", PORT, timeout=30)
        try:
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(values)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", (values, answer)
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def wait(self, *expressions, timeout=60):
        """Until each has said something: a scrape that came too late for one question is there for the next."""
        end = time.monotonic() + timeout
        while silent := [expression for expression in expressions if not self.query(expression)]:
            assert time.monotonic() < end, f"nothing for {silent}"
            time.sleep(0.2)


@pytest.fixture
def watched(topology, tmp_path):
    with Managed(topology) as gateway:
        prometheus = Prometheus(topology.gw, tmp_path)
        yield gateway, prometheus
        prometheus.process.kill()


def place_call(topology, gateway, prometheus):
    with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
        call(access, core)
        both_hear(access, core)
        prometheus.wait('sallyport_calls == 1')
        prometheus.wait('sallyport_media_lines{realm="access",keying="dtls-srtp"} == 1')
        prometheus.wait('sallyport_media_packets_total{realm="core",direction="sent"} > 10')
        access.hang_up()
        core.taken_down()
    gateway.wait_event("media total", 20)


def test_prometheus_reads_a_gateway(topology, watched):
    gateway, prometheus = watched
    prometheus.wait('up{job="sallyport"} == 1')
    place_call(topology, gateway, prometheus)
    # What has counted the call has been read twice, so that a rate has what to count.
    prometheus.wait('sallyport_calls_ended_total{realm="access",direction="in",result="completed",keying="dtls-srtp"} == 1')
    prometheus.wait('count_over_time(sallyport_sip_responses_total{method="BYE",code="200",direction="sent"}[2m]) > 1')

    prometheus.wait(*(re.sub(r" > 0\b", "", expression) for _, expression in expressions.panels()))  # what is 0 is there, too
    asked = {selector for rule in expressions.alerts() for selector in expressions.selectors(rule["expr"])}
    assert len(asked) >= 25
    prometheus.wait(*map("".join, asked))
    assert not prometheus.query('sallyport_worker_drops_total{reason="no such reason"}')  # it would have been seen

    groups = prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in expressions.alerts()}
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]


def test_alert_reaches_prometheus(topology, watched):
    """control dies, and the rule about that fires in a Prometheus, its text filled in."""
    gateway, prometheus = watched
    prometheus.wait('sallyport_process_restarts_total{process="control"} == 0')
    gateway.kill_child("control")
    gateway.wait_event("child back", 30, child="control")
    prometheus.wait('ALERTS{alertname="SallyportProcessRestarted",alertstate="firing",process="control"}')
    (alert,) = [a for a in prometheus.ask("alerts")["alerts"] if a["labels"]["alertname"] == "SallyportProcessRestarted"]
    assert alert["annotations"]["summary"] == "127.0.0.1:8780: control died and was started anew"
    assert alert["annotations"]["runbook"] == "docs/alerts.md#sallyportprocessrestarted"
