# SPDX-License-Identifier: GPL-3.0-or-later
"""rtpengine of Debian's package in user space: found or asked for, started in a namespace, given calls by its ng protocol.

As a program (python3 rtpengine.py CALLS) it is the client that runs in rtpengine's namespace: it reads streams with their keys
from standard input and prints them with the port that rtpengine wants each at.
"""
import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import time

CONTROL = ("127.0.0.1", 2223)
PATIENCE = 30  # seconds for it to start, or to answer beside other work
INSTALL = "apt-get install --no-install-recommends rtpengine-daemon"
SDP = ("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} {profile} 0\r\n"
       "a=rtpmap:0 PCMU/8000\r\n{crypto}a=sendrecv\r\n")


def found():
    """Why it cannot be used, or None. The package's service is left alone: the bench starts its own."""
    if os.geteuid() != 0:
        return "the bench is not run as root"
    if shutil.which("rtpengine") is None:
        return f"not installed: {INSTALL}; then systemctl disable --now rtpengine-daemon"
    return None


def version():
    said = subprocess.run(["rtpengine", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\d[\w.+~-]*", said.stdout + said.stderr)
    return match.group() if match else "of unknown version"


def command(threads):
    # Table -1: no kernel module. One core is given from outside; --num-threads as many as it would make for one core.
    return ["rtpengine", "-f", "-E", "-L", "1", "--table=-1", "-i", "acc/10.77.1.1", "-i", "cor/10.77.2.1",
            "-n", f"{CONTROL[0]}:{CONTROL[1]}", f"--num-threads={threads}", "-m", "20000", "-M", "59998",
            "--timeout=3600", "--silent-timeout=3600", "--delete-delay=0"]


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    if isinstance(value, int):
        return b"i%de" % value
    raw = value if isinstance(value, bytes) else value.encode()
    return b"%d:%s" % (len(raw), raw)


def bdecode(data, at=0):
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        return (dict(zip(items[::2], items[1::2])) if kind == b"d" else items), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


class Control:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(CONTROL)
        self.socket.settimeout(1)
        self.cookie = 0

    def ask(self, **message):
        self.cookie += 1
        cookie = b"bench%d" % self.cookie
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                self.socket.send(cookie + b" " + bencode({key.replace("_", "-"): value for key, value in message.items()}))
                while True:
                    answer = self.socket.recv(65536)
                    if answer.startswith(cookie + b" "):
                        said = bdecode(answer[len(cookie) + 1:])[0]
                        if said.get(b"result") in (b"ok", b"pong"):
                            return said
                        raise SystemExit(f"rtpengine refuses: {said}")
            except (socket.timeout, ConnectionRefusedError):
                time.sleep(0.1)
        raise SystemExit("rtpengine does not answer")

    def call(self, number, source, back, key):
        """Opens SDES at the source, plain at the sink; the port that the source must send to."""
        crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(bytes.fromhex(key)).decode()}\r\n"
        common = {"call_id": f"bench{number}", "from_tag": f"a{number}", "ICE": "remove", "rtcp_mux": ["demux"],
                  "replace": ["origin"], "flags": ["trust-address"]}
        self.ask(command="offer", sdp=SDP.format(host="10.77.1.2", port=source, profile="RTP/SAVP", crypto=crypto),
                 direction=["acc", "cor"], transport_protocol="RTP/AVP", **common)
        said = self.ask(command="answer", sdp=SDP.format(host="10.77.2.2", port=back, profile="RTP/AVP", crypto=""),
                        to_tag=f"b{number}", **common)
        return int(re.search(rb"^m=audio (\d+) ", said[b"sdp"], re.M).group(1))


def main():
    control = Control()
    control.ask(command="ping")
    for number, line in enumerate(sys.stdin):
        source, _, back, key = line.split()
        print(source, control.call(number, int(source), int(back), key), back, key)


if __name__ == "__main__":
    main()
