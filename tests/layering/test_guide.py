# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/guide.md tells an operator to type, read or set is there: commands, routes, metrics, events of the log, keys, files, links."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guide.md").read_text()
CODE = "\n".join(re.findall(r"`([^`\n]+)`", GUIDE) + re.findall(r"^    .*$", GUIDE, re.M))
SOURCES = "\n".join(path.read_text() for folder in ("gateway", "signaling", "mediarelay", "dataplane") for path in (ROOT / folder).rglob("*.[ch]"))


def named(pattern, text=CODE):
    found = sorted(set(re.findall(pattern, text)))
    assert found, f"the guide names nothing like {pattern}: this check has no subject"
    return found


@pytest.mark.parametrize("command", named(r"sallyportctl ([a-z]+)", re.sub(r"ninja.*", "", CODE))) # whose words are targets
def test_commands(command):
    usage = (ROOT / "gateway/ctl/ctl_main.c").read_text()
    assert re.search(rf'"  (?:[a-z]+, )*{command}\b', usage), command


@pytest.mark.parametrize("option", named(r"(?:sallyport|deploy/setup) (--[a-z-]+)"))
def test_options(option):
    assert f'"{option}' in SOURCES or f" {option}" in SOURCES or option in (ROOT / "deploy/setup").read_text() or f'"{option[2:]}"' in SOURCES


@pytest.mark.parametrize("route", named(r"(?:8780|GET |POST |`)?(/v1/[a-z/]+|/readyz|/metrics)\b", GUIDE))
def test_routes(route):
    assert route in json.loads((ROOT / "gateway/admin/openapi.json").read_text())["paths"]


@pytest.mark.parametrize("metric", named(r"\b(sallyport_[a-z_]+)"))
def test_metrics(metric):
    assert f"| `{metric}` |" in (ROOT / "docs/admin.md").read_text() # which tests/e2e/test_admin.py holds against the gateway


@pytest.mark.parametrize("event", named(r'"event":"([a-z ]+)"'))
def test_events(event):
    assert f'"{event}"' in SOURCES


DROPS = "\n".join(re.findall(r"^\| (`.*?) \|", GUIDE.partition("### Drops by reason")[2], re.M)) # the table's first column


@pytest.mark.parametrize("reason", named(r"`([a-z_]+)`", DROPS))
def test_drops(reason):
    assert f'"{reason}"' in (ROOT / "dataplane/drops.h").read_text()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([a-z0-9/.-]+\.md)", GUIDE))))
def test_links(link):
    assert (ROOT / "docs" / link).is_file()


@pytest.mark.parametrize("path", named(r"\b((?:deploy|dataplane)/[a-z.]+)"))
def test_files(path):
    assert (ROOT / path).exists()


def test_keys():
    """`section: key:` and the keys that stand alone, as docs/operations.md has them."""
    table = (ROOT / "docs/operations.md").read_text()
    for key in named(r"`([a-z_]+: [a-z_]+:)`", GUIDE) + [f"{key}:" for key in ("learn", "early_media", "far_leg", "suites", "keying_timeout", "media_timeout", "advertise", "sources")]:
        assert f"`{key}" in table, key


@pytest.mark.skipif("SALLYPORT_BIN" not in os.environ, reason="SALLYPORT_BIN is not set: nothing built to look at")
def test_the_configuration_is_one(tmp_path):
    text = re.search(r"<!-- config -->\n```yaml\n(.*?)```", GUIDE, re.S)[1]
    file = tmp_path / "guide.yaml"
    file.write_text(text)
    program = Path(os.environ["SALLYPORT_BIN"]) / "sallyport"
    done = subprocess.run([program, "--check", "--no-host", file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    file.write_text(text.replace("profile: plain", "profile: plane"))
    assert subprocess.run([program, "--check", "--no-host", file], capture_output=True, timeout=30).returncode == 78
