# SPDX-License-Identifier: GPL-3.0-or-later
"""Kamailio of Debian's package, with rtpengine in user space between the two sides or without: found, configured, commanded."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import rtpengine

INSTALL = "apt-get install --no-install-recommends kamailio; then systemctl disable --now kamailio"
TEMPLATE = Path(__file__).resolve().parents[1] / "kamailio.cfg"


def found():
    if os.geteuid() != 0:
        return "the bench is not run as root"
    return None if shutil.which("kamailio") else f"Kamailio is not installed: {INSTALL}"


def version():
    said = subprocess.run(["kamailio", "-v"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"kamailio (\S+)", said)
    return match.group(1) if match else "of unknown version"


def configure(file, transport, near, far, callee, media):
    text = TEMPLATE.read_text()
    for word, value in (("PROTO", transport), ("HOST_COR", far), ("CALLEE", callee)):
        text = text.replace(word, value)
    first = ["#!KAMAILIO", *(["#!define RTPENGINE"] if media else []), *(f"listen={transport}:{host}:5060" for host in (near, far)),
             *(["disable_tcp=yes"] if transport == "udp" else [])]
    file.write_text("\n".join(first) + "\n" + text)


def command(file, folder):
    return ["kamailio", "-f", file, "-DD", "-E", "-m", "2048", "-M", "16", "-b", "4194304", "-Y", folder, "-w", folder]


def rtpengine_command():
    # Ports of both interfaces for as many calls as there may be at once. Above 5060: both bind with SO_REUSEADDR, so that rtpengine
    # would take SIP's own port, and Kamailio be deaf, as soon as it comes by there.
    words = rtpengine.command(2)
    words[words.index("-m") + 1], words[words.index("-M") + 1] = "6000", "59998"
    return words
