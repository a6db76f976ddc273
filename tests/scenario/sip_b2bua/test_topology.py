# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of every scenario's messages (topology.py, conftest.py) finds what it is there to find."""
import pytest
from conftest import options
from peer import sdp
from topology import Leg, leaks

NEAR = ("INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKnear1\r\n"
        "Record-Route: <sip:proxy.inner.example;lr>\r\n"
        "From: <sip:alice@inner.example>;tag=neartag\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: near-call-id\r\n"
        "Contact: <sip:nearuser@10.0.0.7:5060>\r\nUser-Agent: Phone 7 (secret)\r\n\r\n"
        "v=0\r\no=nearname 4711 1 IN IP6 2001:db8::7\r\nc=IN IP4 10.0.0.8\r\n")
REPLY = ("SIP/2.0 488 Not\r\nFrom: <sip:a@far.example>;tag=ours1\r\nTo: <sip:b@203.0.113.1>;tag=fartag\r\nCall-ID: far-call-id\r\n"
         "Server: Switch\r\nWarning: 399 host.far.example \"no\"\r\n\r\n")
TOLD = "INVITE sip:b@203.0.113.1 SIP/2.0\r\nCall-ID: far-call-id\r\n{}\r\n\r\n"
LEAKS = ["Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKother", "Via: SIP/2.0/UDP x;branch=z9hG4bKnear1",
         "Record-Route: <sip:proxy.inner.example;lr>", "From: <sip:alice@inner.example>;tag=t", "To: <sip:x@y>;tag=neartag",
         "Call-ID: near-call-id", "Contact: <sip:nearuser@203.0.113.2>", "User-Agent: Phone 7 (secret)",
         'Reason: SIP;cause=500;text="refused by 10.0.0.7"', "o=nearname 1 1 IN IP4 203.0.113.2", "o=- 4711 1 IN IP4 203.0.113.2",
         "a=rtcp:9 IN IP6 2001:db8:0:0::7", "c=IN IP4 10.0.0.8", "X-Any: <sip:[2001:db8::7]>"]


def found(told):
    return leaks(Leg([NEAR], []), Leg([REPLY], [TOLD.format(told)]))


@pytest.mark.parametrize("told", LEAKS)
def test_positive_control(told):
    assert found(told), told


@pytest.mark.parametrize("told", ["X: 1", "From: <sip:alice@203.0.113.2>;tag=ours2", "o=- 1 1 IN IP4 203.0.113.2",
                                  "Call-ID: far-call-id", "Warning: 399 host.far.example", "X: 110.0.0.70", "X: neartags"])
def test_what_is_no_leak(told):
    assert not found(told)


def test_the_other_way():
    assert leaks(Leg([REPLY], []), Leg([NEAR], ["SIP/2.0 488 Not\r\nWarning: 399 host.far.example \"no\"\r\n\r\n"]))


def test_live(net):
    """What a scenario has recorded is complete: an identifier of one leg that is put on the other is found."""
    caller, callee = net.call_up()
    assert not net.leaks()
    for leaked in (caller.call_id, caller.local_tag, net.access.address, net.access_gw[0]):
        net.core.received.append(f"BYE sip:x SIP/2.0\r\nX-Leak: {leaked}\r\n\r\n")
        assert net.leaks(), leaked
        net.core.received.pop()
    net.access.received.append(f"SIP/2.0 200 OK\r\nX-Leak: {callee.call_id}\r\n\r\n")
    assert net.leaks()
    net.access.received.pop()


@options(access_profile="any", core_profile="any")
def test_hostile_names(net):
    """A caller that writes its own addresses wherever there is room."""
    inner = "10.77.7.7"
    caller = net.caller(number="100")
    body = sdp(net.access.address, 40000).replace("s=-", f"s={inner}\r\ni=at {inner}\r\nu=http://{inner}/\r\ne=x@{inner}")
    body = body.replace("o=-", "o=inneruser") + f"a=note:call {inner}\r\na=rtcp:9 IN IP4 {inner}\r\n"
    body = body.replace("c=IN IP4 127.0.1.1", f"c=IN IP4 {inner}")
    caller.send_invite(body, [f"Record-Route: <sip:{inner};lr>", f"User-Agent: x {inner}", f"Call-Info: <http://{inner}/>;purpose=icon",
                              f"P-Asserted-Identity: <sip:x@{inner}>", f"X-Inner: {inner}", f"Organization: x",
                              f"Reply-To: <sip:x@{inner}>", f"Error-Info: <sip:x@{inner}>", f"Warning: 399 {inner} \"x\""])
    net.core.expect("INVITE")
    assert inner not in "".join(net.core.received)


REASON = 'Reason: SIP;cause=503;text="{} has no way to [2001:db8::7]:5060"'


@pytest.mark.parametrize("inner", ["10.77.7.7", "fd00:77::7"])
def test_reasons_name_no_address(net, inner):
    """In BYE and in a refusal: why, but not where."""
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000))
    net.core.reply(net.core.expect("INVITE"), 480, headers=[REASON.format(inner)])
    refused = net.access.expect("480 INVITE")
    caller.ack(refused)
    assert refused.get("Reason") == 'SIP;cause=503;text="... has no way to [...]:5060"'
    caller, callee = net.call_up()
    callee.bye(headers=[REASON.format(inner)])
    bye = net.access.expect("BYE")
    assert bye.get("Reason") == 'SIP;cause=503;text="... has no way to [...]:5060"'
    net.access.reply(bye, 200)
    net.gateway.wait_idle()
