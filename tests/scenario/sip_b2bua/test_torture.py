# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes from outside that are no SIP, or hardly: whatever comes, the next request is answered at once."""
import json
import random
import socket
import time

import pytest
from peer import sdp


def alive(net, within=2):
    caller = net.caller()
    caller.send("OPTIONS")
    began = time.monotonic()
    while net.access.expect("200 OPTIONS", timeout=4).get("Call-ID") != caller.call_id:
        pass
    assert time.monotonic() - began < within


def test_name_in_a_via_is_not_looked_up(net):
    """Sofia asks the resolver, and waits, before it sends its 400 to a request like this one: a datagram from anybody could
    stop the thread for seconds. That it was looked up shows in a response to where the name leads."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        lines = net.caller().request_text("INVITE", sdp(net.access.address, 40000)).split("\r\n")
        # Of another transport than it came by: no `received` is put in, the name is all there is to answer to.
        lines[1] = f"Via: SIP/2.0/TCP localhost:{there.getsockname()[1]}"
        lines.insert(2, "Via: SIP/2.0/UDP \u00ae")
        net.access.send_text("\r\n".join(lines))
        alive(net)
        there.settimeout(0.3)
        with pytest.raises(TimeoutError):
            there.recv(4096)


@pytest.mark.parametrize("length", ["-1", "2147483647", "2147483648", "4294967328", "18446744073709551616", "1e3", "+5", ""])
def test_content_length_on_a_stream(net, length):
    hidden = net.caller().request_text("INVITE", sdp(net.access.address, 40000)).replace("SIP/2.0/UDP", "SIP/2.0/TCP")
    with socket.create_connection(net.access_gw, source_address=("127.0.1.1", 0)) as s:
        s.sendall((f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.1.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
                   f"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: {length}\r\n\r\n{hidden}").encode())
        alive(net)
    if length != "":  # without a length there is no body, and what follows is a message of its own
        assert not net.gateway.events("call started")


@pytest.mark.parametrize("uri", ["sip:%", "sip:a@h%4", "sip:a@127.0.2.1;x=%", "sip:%4@h", "sip:@", "sip:a@[::", "x" * 9000])
def test_request_uri(net, uri):
    caller = net.caller()
    caller.target = uri
    caller.send_invite(sdp(net.access.address, 40000))
    alive(net)


def test_split_at_every_byte(net):
    text = net.caller().request_text("OPTIONS").replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode()
    with socket.create_connection(net.access_gw, source_address=("127.0.1.1", 0)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(text)):
            s.sendall(text[i:i + 1])
        s.settimeout(3)
        assert s.recv(4096).startswith(b"SIP/2.0 200")


def test_mutated_messages(net):
    chosen = random.Random(7)
    caller = net.caller()
    base = [caller.request_text(m, sdp(net.access.address, 40000)).encode() for m in ("INVITE", "BYE", "INFO", "CANCEL")]
    base.append(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.1.254;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
                b"To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
    for i in range(2000):
        data = bytearray(chosen.choice(base))
        for _ in range(chosen.randint(1, 8)):
            at, how = chosen.randrange(len(data)), chosen.random()
            if how < 0.5:
                data[at] = chosen.randrange(256)
            elif how < 0.75:
                del data[at:at + chosen.randint(1, 20)]
            else:
                data[at:at] = chosen.choice([b"%", b";", b"\0", b",", b"<", b">", b'"', b"\r\n", b"@", b":"]) * chosen.randint(1, 5)
        net.access.socket.sendto(bytes(data), net.access_gw)
        if i % 50 == 0:
            net.access.kept.clear()
            alive(net)
    # What the library says of them comes as lines of our log.
    net.gateway.events("mark")
    for line in net.gateway.raw:
        json.loads(line)
