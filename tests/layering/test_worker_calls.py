# SPDX-License-Identifier: GPL-3.0-or-later
"""worker_calls.py sees what a round must not call, wherever it hides; what a round cannot reach is none of its business."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from worker_calls import violations  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")

# Each function stays a function; `apart` is static in both files, and calls what is forbidden in the one only.
ROUND = """
#include <string.h>
#define KEPT __attribute__((noinline, noclone))
void helper(char *to);
static KEPT void apart(char *to) { memset(to, 0, 9); __asm__ volatile(""); }
void round_of_work(char *to) { apart(to); helper(to); __asm__ volatile(""); }
"""
HELPER = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define KEPT __attribute__((noinline, noclone))
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static KEPT void apart(char *to) { free(to); __asm__ volatile(""); }
KEPT void set_up(char *to) { apart(to); pthread_mutex_lock(&lock); __asm__ volatile(""); }
KEPT void deeper(char *to) { %s; __asm__ volatile(""); }
KEPT void helper(char *to) { deeper(to); __asm__ volatile(""); }
"""


def archive(folder, statement, flags):
    objects = []
    for name, text in ("round", ROUND), ("helper", HELPER % statement):
        (folder / f"{name}.c").write_text(text)
        objects.append(folder / f"{name}.o")
        subprocess.run(["cc", "-fPIC", *flags, "-c", folder / f"{name}.c", "-o", objects[-1]], check=True)
    subprocess.run(["ar", "rcs", folder / "libworker.a", *objects], check=True)
    return [folder / "libworker.a"]


@pytest.mark.parametrize("flags", [["-O0"], ["-O1", "-g"], ["-O2", "-fcf-protection=full"]], ids=" ".join)
@pytest.mark.parametrize("name,statement", [
    ("malloc", "*(char **)to = malloc(9)"), ("free", "free(to)"), ("printf", 'printf("%p", to)'), ("write", "(void)!write(1, to, 1)"),
    ("pthread_mutex_lock", "pthread_mutex_lock(&lock)"), ("usleep", "usleep(1)")])
def test_what_is_forbidden_is_seen(tmp_path, name, statement, flags):
    found = violations(archive(tmp_path, statement, flags), ["round_of_work"])
    assert found == [f"{name} < deeper < helper < round_of_work"]


@pytest.mark.parametrize("flags", [["-O0"], ["-O2"]], ids=" ".join)
def test_what_is_out_of_reach_is_not(tmp_path, flags):
    assert violations(archive(tmp_path, "to[0] = 1", flags), ["round_of_work"]) == []


def test_a_root_must_be_there(tmp_path):
    with pytest.raises(AssertionError):
        violations(archive(tmp_path, "to[0] = 1", ["-O1"]), ["round_of_play"])
