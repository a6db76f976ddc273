#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the presets that the wanted groups need, runs the groups, and ends with `N passed, N failed`.

What is counted: the cases of a test program (cmocka's or pytest's own), one for a program that has no cases (a scenario, a
fuzzer whose corpus was replayed). A group that ran nothing is a failure.

Where real processes meet on a machine that others use, too, a case that fails is run once more, alone. If it passes then, it is
counted as passed and told at the end as unstable, with what it said when it failed. Of attacks only what did not come in time has
a second try, nothing that did come. The why is in docs/decisions/0116-unstable-tests.md.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"

# Of tests/e2e: the calls of phones that nobody here wrote, and the trial of the instruments, which needs no gateway.
PHONES = "tests/e2e/test_baresip.py"
HARNESS = "tests/e2e/test_harness.py"

# Most of an end-to-end test is waiting, and each has its own namespaces, so that several share the two cores. What is marked
# `alone` measures time.
CROWD = ["-n", "3", "--dist", "load", "-m", "not alone"]
ALONE = ["-m", "alone"]
E2E = ["tests/e2e", f"--ignore={PHONES}"]
# A file stays together: its tests share a browser.
INTEROP = [PHONES, "tests/interop", "-n", "3", "--dist", "loadfile"]
PACKAGE = ["tests/package", "-n", "2", "--dist", "loadfile"]

# group: its stages, one after the other; a stage's runs at once. A run: (runner, preset, what); ctest takes a label, pytest
# paths and options. Both kinds of build meet the real peers: what is shipped, and the sanitizers.
GROUPS = {
    "layering": [[("pytest", "release", ["tests/layering"])]],
    "unit": [[("ctest", "dev", "unit")], [("ctest", "asan", "unit")]],
    "scenario": [[("ctest", "dev", "scenario"), ("ctest", "asan", "scenario")]],
    "conf": [[("pytest", "asan", ["tests/conf"])]],
    "fuzz": [[("ctest", "asan", "fuzz")]],
    "dataplane": [[("ctest", "dev", "dataplane")], [("ctest", "asan", "dataplane")]],
    "e2e": [[("pytest", "release", E2E + CROWD), ("pytest", "asan", E2E + CROWD + [f"--ignore={HARNESS}"])],
            [("pytest", "release", E2E + ALONE)], [("pytest", "asan", E2E + ALONE)]],
    "bench": [[("pytest", "release", ["tests/bench"])]],  # do they run, does nothing drop; no figure is judged here
    "interop": [[("pytest", "release", INTEROP), ("pytest", "asan", INTEROP)]],
    "package": [[("pytest", "release", PACKAGE)]],  # what is shipped, and what watches it
}
# The SIP scenarios are on loopback: a network of its own for each build, so that neither meets the other's ports.
OWN_NETWORK = {"scenario"}
PROGRAMS = ["sallyport", "sallyport-relay", "sallyportctl", "manual"]
NO_TESTS = 5  # pytest's exit code
GROUP_LIMIT = 15 * 60  # seconds for one run of one group; a hanging peer must not hang all
SECOND_TRY = {"scenario", "dataplane", "e2e", "bench", "interop", "package"}  # not where nothing depends on time
UNSTABLE_MAX = 3  # cases of one run: more is no accident
STRICT = "test_attack"  # a guard that fails once in a hundred runs is a hole: only what was late is asked again
LATE = re.compile(r"[\w.]*\bTimeout: ")


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # (name, tail of its output)
        self.unstable = []  # the same, of what passed when it was alone
        self.holes = []  # names of attacks that were not refused

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.unstable += other.unstable
        self.holes += other.holes

    def fail(self, name, output=""):
        self.failed += 1
        self.failures.append((name, output))

    def forgive(self):
        self.passed, self.failed = self.passed + self.failed, 0
        self.unstable, self.failures = self.failures, []

    def line(self):
        more = [(self.skipped, "skipped"), (len(self.unstable), "unstable")]
        return f"{self.passed} passed, {self.failed} failed" + "".join(f", {n} {word}" for n, word in more if n)


def tail(text, lines=30):
    return "\n".join(text.rstrip().splitlines()[-lines:])


def say(text):
    print(text, flush=True)


def run(command, limit, **more):
    """Runs to the end or to the limit; then an interrupt, so that the tests take down what they set up."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, universal_newlines=True, errors="replace", **more)
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output or ""
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as why:
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        if isinstance(why, KeyboardInterrupt):
            raise
        return 124, (output or "") + f"\nended after {limit} s"


def build(preset, targets):
    """Returns None, or the tail of what the build said."""
    folder = BUILD / preset
    began = time.monotonic()
    for command in (["cmake", "-S", str(ROOT), "-B", str(folder), "--preset", preset], ["ninja", "-C", str(folder), *targets]):
        code, output = run(command, 3600, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if code != 0:
            say(f"build {preset}: FAILED")
            return tail(output, 40)
        for line in re.findall(r"^CMake Warning.*(?:\n.*){0,3}", output, re.M):
            say(line)
    say(f"build {preset}: {time.monotonic() - began:.0f} s")
    return None


def cmocka_counts(output):
    """Cases passed, failed, skipped, of all groups of cases that one test program ran; None if it is no cmocka program."""
    ran = sum(int(n) for n in re.findall(r"\[=+\]\s*(?:[\w ]+: )?(\d+) test\(s\) run", output))
    if ran == 0:
        return None
    counts = [sum(int(n) for n in re.findall(rf"\[\s+{word}\s+\]\s*(?:[\w ]+: )?(\d+) test\(s\)", output))
              for word in ("PASSED", "FAILED", "SKIPPED")]
    return counts


def case_counts(output):
    """Passed, failed, skipped of the cases that a test program reported; None if it reported none."""
    counts = cmocka_counts(output)
    if counts is None:
        last = re.findall(r"^=*\s*((?:\d+ \w+, )*\d+ \w+) in [\d.]+s\b", output, re.M)  # pytest's last line
        found = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", last[-1])} if last else {}
        counts = [found.get("passed", 0), sum(found.get(w, 0) for w in ("failed", "error", "errors")), found.get("skipped", 0)]
    return counts if any(counts) else None


def ctest_totals(junit, prefix):
    totals = Totals()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = f"{prefix} {case.get('name')}"
        output = case.findtext("system-out") or ""
        skip = case.find("skipped")
        if skip is not None and "SKIP_" in (skip.get("message") or ""):  # not for want of an executable
            totals.skipped += 1
            say(f"{name}: skipped: {tail(output, 2) or 'it says no reason'}")
            continue
        good = case.get("status") == "run" and case.find("failure") is None
        passed, failed, skipped = case_counts(output) or (int(good), 0, 0)
        totals.passed += passed
        totals.failed += failed
        totals.skipped += skipped
        if skipped:
            reasons = {a or b for a, b in re.findall(r"\[\s+SKIPPED \] (\w+)$|^SKIPPED (.*)", output, re.M)}
            say(f"{name}: skipped: {'; '.join(sorted(reasons))}")
        if not good:
            totals.failed += 0 if failed else 1  # it crashed, leaked or hung: its cases say nothing about that
            totals.failures.append((name, tail(output)))
    return totals


def run_ctest(group, preset, label, again=None):
    """again: the Totals of a run whose failed programs are to be run once more."""
    junit = BUILD / f"results-{group}-{preset}{'-again' if again else ''}.xml"
    junit.unlink(missing_ok=True)
    network = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"] if group in OWN_NETWORK else []
    how = ["--rerun-failed", "-j", "1"] if again else ["-j", str(os.cpu_count() or 1)]
    code, output = run([*network, "ctest", "--test-dir", str(BUILD / preset), "-L", f"^{label}$", *how,
                        "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000",
                        "--output-junit", str(junit)], GROUP_LIMIT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    totals = Totals()
    if junit.is_file():
        totals = ctest_totals(junit, f"{group}/{preset}")
    if code != 0 and totals.failed == 0:
        totals.fail(f"{group}/{preset}", tail(output))
    return totals


def pytest_totals(junit, prefix):
    totals = Totals()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        bad = [e for e in case if e.tag in ("failure", "error")]
        if bad:
            name, said = f"{prefix} {case.get('classname')}::{case.get('name')}", bad[0].get("message") or ""
            totals.fail(name, tail(said, 5))  # pytest has printed the output already
            if STRICT in name and not LATE.match(said):
                totals.holes.append(name)
        elif case.find("skipped") is not None:
            totals.skipped += 1
        else:
            totals.passed += 1
    return totals


def cases_of(failures):
    """What pytest calls them: "e2e/asan tests.e2e.test_hold::test_held[nat]" is tests/e2e/test_hold.py::test_held[nat]."""
    for name, _ in failures:
        module, _, case = name.partition(" ")[2].partition("::")
        yield f"{module.replace('.', '/')}.py::{case}"


def run_pytest(group, preset, what, more, again=None):
    """again: the Totals of a run whose failed cases are to be run once more."""
    part = "-alone" if what[-2:] == ALONE else ""
    if again:
        part, what = part + "-again", list(cases_of(again.failures))
    junit = BUILD / f"results-{group}-{preset}{part}.xml"
    junit.unlink(missing_ok=True)
    totals = Totals()
    environment = dict(os.environ, SALLYPORT_BIN=str(BUILD / preset / "bin"), SALLYPORT_PRESET=preset)
    if preset == "asan":
        environment.update(SALLYPORT_SANITIZED="1",
                           ASAN_OPTIONS="detect_leaks=1:abort_on_error=1",
                           LSAN_OPTIONS=f"suppressions={ROOT}/tests/support/lsan.supp:print_suppressions=0",
                           UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
    code, _ = run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "--tb=short",
                   f"--rootdir={ROOT}", f"--junit-xml={junit}", *more, *what], GROUP_LIMIT, env=environment)
    if junit.is_file():
        totals = pytest_totals(junit, f"{group}/{preset}")
    if code not in (0, NO_TESTS) and totals.failed == 0:
        totals.fail(f"{group}/{preset}", f"pytest ended with {code}" + (": time limit" if code == 124 else ""))
    return totals


def say_failures(word, failures):
    for name, output in failures:
        say(f"{word} {name}")
        if output:
            say("    " + output.replace("\n", "\n    "))


def run_group(group, preset, runner, what, more):
    began = time.monotonic()
    say(f"--- {group} ({preset})")
    totals = run_ctest(group, preset, what) if runner == "ctest" else run_pytest(group, preset, what, more)
    say_failures("FAILED", totals.failures)
    say(f"--- {group} ({preset}): {totals.line()} in {time.monotonic() - began:.0f} s")
    return totals


def second_try(group, preset, runner, what, more, totals):
    """Nothing else runs now."""
    if group not in SECOND_TRY or not 0 < totals.failed <= UNSTABLE_MAX or totals.holes:
        return
    say(f"--- {group} ({preset}): what failed, once more")
    again = run_ctest(group, preset, what, totals) if runner == "ctest" else run_pytest(group, preset, what, more, totals)
    say_failures("FAILED AGAIN", again.failures)
    if again.failed == 0 and again.passed > 0:
        totals.forgive()


def wanted(arguments):
    """(group, its stages with the runs that are wanted)."""
    for group in arguments.groups or list(GROUPS):
        presets = {preset for stage in GROUPS[group] for _, preset, _ in stage}
        asked = {arguments.preset} & presets if len(presets) > 1 and arguments.preset else presets
        yield group, [[run for run in stage if run[1] in asked] for stage in GROUPS[group]]


def run_stages(group, stages, more):
    """Totals of one group; one build of it that ran nothing is a failure."""
    totals, ran = Totals(), {run[1]: 0 for stage in stages for run in stage}
    for stage in stages:
        with ThreadPoolExecutor() as pool:
            run_all = pool.map if len(stage) > 1 else map  # on this thread, an interrupt reaches the tests at once
            found = list(run_all(lambda r: run_group(group, r[1], r[0], r[2], more), stage))
        for (runner, preset, what), these in zip(stage, found):
            second_try(group, preset, runner, what, more, these)
            ran[preset] += these.passed + these.failed
            totals.add(these)
    for preset in (preset for preset, count in ran.items() if count == 0):
        totals.fail(f"{group}/{preset}", "no test ran")
    return totals


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--no-setup", action="store_true", help="take for granted that deploy/setup has run")
    parser.add_argument("--preset", choices=["dev", "asan", "release"], help="only with this build")
    parser.add_argument("-k", metavar="EXPR", help="pytest groups: only cases that match")
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(sorted(unknown))}")
    if not shutil.which("cmake"):
        parser.error("no cmake: deploy/setup has not run")

    groups = list(wanted(arguments))
    totals, broken = Totals(), {}
    for preset in ("release", "dev", "asan"):
        kinds = {runner for _, stages in groups for stage in stages for runner, p, _ in stage if p == preset}
        if kinds:
            why = build(preset, PROGRAMS if kinds == {"pytest"} else ["all"])
            if why is not None:
                broken[preset] = why
                say("    " + why.replace("\n", "\n    "))
                totals.fail(f"build {preset}", tail(why, 5))
    more = ["-k", arguments.k] if arguments.k else []
    for group, stages in groups:
        for preset in sorted({run[1] for stage in stages for run in stage} & set(broken)):
            totals.fail(f"{group}/{preset}", "not built")
        totals.add(run_stages(group, [[run for run in stage if run[1] not in broken] for stage in stages], more))
    say_failures("unstable, failed and then passed alone:", totals.unstable)
    say_failures("failed:", totals.failures)
    if totals.passed + totals.failed == 0:
        totals.fail("nothing ran")
    say(totals.line())
    return 1 if totals.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
