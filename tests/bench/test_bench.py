# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bench runs at a tiny size: its one JSON object has the shape that scripts rely on, and nothing drops. No time is judged."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from lib.peer import well_after  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("SALLYPORT_BIN", ROOT / "build/release/bin"))
BUILD = BIN.parent


def run(*words, limit=300):
    return subprocess.run([ROOT / "tests/bench/run", *words], capture_output=True, text=True, timeout=limit, check=False,
                          env=dict(os.environ, SALLYPORT_BENCH_BUILD=str(BUILD)))


def smoke(name):
    done = run(name, "--smoke", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # one object, and nothing else
    assert result["bench"] == name and result["smoke"] is True
    for key in ("machine", "cores", "kernel", "hugepages_free", "commit", "date", "cpu"):
        assert key in result["host"]
    assert isinstance(result["disturbed"], list)
    return result


def root_only():
    if os.geteuid() != 0:
        pytest.skip("needs root")


def test_list_names_every_bench():
    said = run("list").stdout
    assert [line.split()[0] for line in said.splitlines()] == ["pipeline", "memif", "peer", "growth", "scaling", "calls"]


def test_pipeline_says_the_ratio_of_each_case():
    result = smoke("pipeline")
    secured = [row for row in result["cases"] if row["in"] != "plain"]
    assert len(secured) == 8 and {row["checksum"] for row in secured} == {"zero", "software"}
    for row in secured:
        assert row["ratio"] == pytest.approx(row["limit_ns"] / row["our_ns"], abs=0.01)
    assert {row["case"] for row in secured if "wanted" in row} == {
        f"{suite} SRTP to {out}" for suite in ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM") for out in ("RTP", "SRTP")}
    for words in (["--suite", "nothing"], ["--sessions", "0"], ["--sessions", "1x"], ["more"]):
        refused = subprocess.run([BUILD / "tests/bench/limit", *words], capture_output=True, text=True, check=False)
        assert refused.returncode == 64 and "usage" in refused.stderr


def test_growth_says_time_and_memory():
    for case in smoke("growth")["cases"]:
        assert case["ns"] > 0
        assert case["memory"]["keys_a_session"] == 1 and case["memory"]["streams_a_session"] == 1
        assert case["memory"]["direction"] <= case["memory_wanted"]  # of records, not of time


def test_memif_loses_nothing_without_a_name():
    root_only()
    result = smoke("memif")
    assert len(result["cases"]) == 2
    for case in result["cases"]:
        assert case["sent"] > 0 and case["lost"] == case["dropped"] < case["sent"] / 2 and case["wrong"] == 0
    assert "packets_per_cpu_second" in result["rtpengine"] or "missing" in result["rtpengine"]


def test_scaling_has_a_case_for_each_core():
    result = smoke("scaling")
    assert [case["workers"] for case in result["cases"]] == [*range(1, os.cpu_count() + 1)] * 2


@pytest.mark.parametrize("bad,after", [
    ([], 0), ([0, 1, 2], 0.3), ([0, 4, 9, 30], 1.0), ([19, 24, 40], 0), (range(45), 4.5), (range(46), None), (range(0, 50, 5), None)])
def test_well_again_is_half_a_second_without_loss(bad, after):
    assert well_after(list(bad), 50) == after


def test_peer_brings_packets_through_every_gateway():
    root_only()
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    before = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    result = smoke("peer")
    assert {"sallyport", "ceiling"} <= set(result["gateways"])
    for gateway in result["gateways"].values():
        assert gateway["at"][0]["good"] > 0 and gateway["at"][0]["strange"] == 0
    after = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert {line for line in after.splitlines() if line.startswith("bench-")} <= set(before.splitlines())


def test_calls_are_secured_and_end():
    root_only()
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    result = smoke("calls")
    assert set(result["systems"]) == {"udp", "tcp"}
    for of in result["systems"].values():
        assert {"sallyport", "bare"} <= set(of)
        for system in of.values():
            assert 0 < system["sustained"]["done"] <= 100 and system["sustained"]["p50_us"] > 0
    for of in result["held"]:
        assert of["points"][-1]["calls"] + of["points"][-1]["failed"] == 20 and of["ended"] + of["failed"] == 20
        assert set(of["memory_a_call"]) == {"control", "relay"}
    assert [of["offer"] for of in result["held"]] == ["sdes", "dtls"] and result["held"][1]["points"][-1]["handshakes"] > 0
    assert all(side > 0 for of in result["dtls"].values() for side in of.values())
    refused = subprocess.run([BUILD / "tests/bench/bench_calls", "0"], capture_output=True, text=True, check=False)
    assert refused.returncode == 64 and "usage" in refused.stderr


def size(*words, programs=BIN, **more):
    return subprocess.run([programs / "sallyport", "--size", *words], capture_output=True, text=True, timeout=120, check=False, **more)


def test_size_says_calls_of_each_suite():
    done = size("--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    budget = said["load"] * 1e9 / said["packets_a_second_each_way"]
    assert len(said["suites"]) == 10 and 0 < said["load"] < 1
    for each in said["suites"]:
        assert min(each["srtp_to_rtp_ns"], each["rtp_to_srtp_ns"], each["srtp_to_srtp_ns"]) > 0
        assert each["calls_srtp_rtp"] == pytest.approx(budget / (each["srtp_to_rtp_ns"] + each["rtp_to_srtp_ns"]), rel=0.02)
        assert each["calls_srtp_srtp"] == pytest.approx(budget / (2 * each["srtp_to_srtp_ns"]), rel=0.02)


def test_size_needs_no_rights_and_makes_a_table():
    with tempfile.TemporaryDirectory(prefix="sallyport-size-") as folder:
        os.chmod(folder, 0o755)  # the checkout may be where nobody else may look
        for name in ("sallyport", "sallyport-relay"):
            shutil.copy(BIN / name, folder)
        nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        done = size(programs=Path(folder), **nobody)
    assert done.returncode == 0, done.stderr
    assert "AES_CM_128_HMAC_SHA1_80" in done.stdout and "AEAD_AES_256_GCM" in done.stdout
    refused = subprocess.run([BIN / "sallyport", "--json"], capture_output=True, text=True, check=False)
    assert refused.returncode == 64 and "--size" in refused.stderr
