# SPDX-License-Identifier: GPL-3.0-or-later
"""Container and compose files: they parse, and say of rights, places and programs what the unit and the package say."""
import re

import machine
import yaml
from lib.gateway import ROOT

UNIT = (ROOT / "deploy/sallyport.service").read_text()
CONTAINER = (ROOT / "deploy/Containerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
INSTRUCTIONS = {"FROM", "RUN", "COPY", "WORKDIR", "ARG", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def instructions():
    """[(instruction, rest)] with continued lines joined."""
    text = re.sub(r"^#.*\n", "", CONTAINER, flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line]


def test_container_file_parses():
    assert {word for word, _ in instructions()} <= INSTRUCTIONS
    stages = [rest for word, rest in instructions() if word == "FROM"]
    assert stages == ["debian:bookworm-slim AS build", "debian:bookworm-slim"]
    for word, rest in instructions():
        if word == "RUN":
            assert machine.run("bash", "-n", "-c", rest, check=False).returncode == 0, rest


def test_container_builds_what_the_package_is_made_of(build):
    (targets,) = re.findall(r"ninja -C build/release (.*?) *&&", runs())
    for target in targets.split():
        machine.run("ninja", "-C", build, "-t", "query", target)


def runs():
    return "\n".join(rest for word, rest in instructions() if word == "RUN")


def test_programs_and_places(package):
    inside = machine.run("dpkg-deb", "--contents", package).stdout
    (entry,) = [rest for word, rest in instructions() if word == "ENTRYPOINT"]
    assert f".{yaml.safe_load(entry)[0]}\n" in inside
    (health,) = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
    assert f"/usr/bin/{yaml.safe_load(health.split('CMD ')[1])[0]}\n" in inside
    places = set(re.findall(r"^d (\S+)", (ROOT / "deploy/sallyport.tmpfiles").read_text(), re.M))
    (volumes,) = [set(yaml.safe_load(rest)) for word, rest in instructions() if word == "VOLUME"]
    mounted = {volume.split(":")[1] for volume in COMPOSE["services"]["sallyport"]["volumes"]}
    assert volumes == mounted == places


def test_rights_are_the_units():
    service = COMPOSE["services"]["sallyport"]
    wanted = {name for line in re.findall(r"^CapabilityBoundingSet=(.*)", UNIT, re.M) for name in line.split()}
    assert service["cap_drop"] == ["ALL"] and {f"CAP_{name}" for name in service["cap_add"]} == wanted
    assert "no-new-privileges:true" in service["security_opt"] and service["read_only"] is True
    assert service["stop_grace_period"] == re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.M)[1] + "s"
    assert service["ulimits"]["nofile"] == int(re.search(r"^LimitNOFILE=(\d+)$", UNIT, re.M)[1])
    assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_prometheus_of_compose():
    machine.run("promtool", "check", "config", "--syntax-only", ROOT / "deploy/prometheus/prometheus.yaml")
    named = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    assert [(ROOT / "deploy/prometheus" / name).is_file() for name in named["rule_files"]] == [True]
    (scrape,) = named["scrape_configs"]
    targets = [volume.split(":")[1] for volume in COMPOSE["services"]["prometheus"]["volumes"]]
    assert scrape["authorization"]["credentials_file"] in targets
