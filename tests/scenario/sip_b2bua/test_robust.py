# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers out of order, merged requests, repetitions, strays: what belongs to nothing changes nothing and leaves nothing."""
import pytest
from conftest import options
from exchange import finish
from peer import Dialog, sdp

RELAY = dict(access_policy="relay=message,relay=subscribe", core_policy="relay=message,relay=subscribe")


@options(**RELAY)
@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "MESSAGE", "UPDATE", "OPTIONS"])
def test_number_of_the_past(net, method):
    """RFC 3261 section 12.2.2: a lower CSeq is out of order, and nothing of it is done."""
    caller, callee = net.call_up()
    caller.cseq += 10
    caller.send("INFO")
    callee.peer.reply(callee.peer.expect("INFO"), 200, tag=callee.local_tag)
    caller.peer.expect("200 INFO")
    body = sdp(net.access.address, 41000, version=9) if method in ("INVITE", "UPDATE") else None
    net.access.send_text(caller.request_text(method, body, cseq=caller.cseq - 5))
    net.access.expect(f"500 {method}")
    net.core.nothing(method, 0.05)
    assert not net.gateway.events("call ended")
    finish(net, caller, callee)


def test_same_number_once_more(net):
    """A second request with the number of one that was answered, in another transaction."""
    caller, callee = net.call_up()
    caller.send("INFO")
    net.core.reply(net.core.expect("INFO"), 200, tag=callee.local_tag)
    net.access.expect("200 INFO")
    net.access.send_text(caller.request_text("BYE", cseq=caller.cseq - 3))
    net.access.expect("500 BYE")
    assert not net.gateway.events("call ended")
    finish(net, caller, callee)


@options(**RELAY)
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE"])
def test_merged_request(net, method):
    """The same request by another way (a proxy of the peer forked it): RFC 3261 section 8.2.2.2."""
    caller = net.caller()
    text = caller.request_text(method, sdp(net.access.address, 40000) if method == "INVITE" else None, branch="z9hG4bKfirst" + caller.local_tag,
                               headers=["Event: presence"])
    net.access.send_text(text)
    net.core.expect(method)
    net.access.send_text(text.replace("z9hG4bKfirst", "z9hG4bKsecond"))
    net.access.expect(f"482 {method}")
    net.core.nothing(method + "x", 0.05)
    assert len({m for m in net.core.received if m.startswith(method)}) == 1  # the one, and perhaps its repetitions


@options(**RELAY)
@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE"])
def test_repetition_is_answered_from_memory(net, method):
    caller = net.caller()
    text = caller.request_text(method, branch="z9hG4bKrep" + caller.local_tag, headers=["Event: presence"])
    net.access.send_text(text)
    request = net.core.expect(method)
    net.access.send_text(text)
    net.core.reply(request, 202 if method == "MESSAGE" else 489)
    first = net.access.expect("202" if method == "MESSAGE" else "489")
    net.access.send_text(text)
    again = net.access.expect(str(first.status))
    assert again.get("To") == first.get("To") and again.get("Via") == first.get("Via")
    net.gateway.wait_idle()


def test_repeated_bye(net):
    caller, callee = net.call_up()
    text = caller.request_text("BYE", branch="z9hG4bKbye" + caller.local_tag, cseq=caller.cseq + 1)
    for _ in range(3):
        net.access.send_text(text)
        net.access.expect("200 BYE")
    callee.peer.reply(callee.peer.expect("BYE"), 200)
    net.gateway.wait_idle()
    assert len(net.gateway.events("call ended")) == 1


STRAYS = [f"SIP/2.0 {status} Stray" for status in (100, 180, 183, 200, 202, 302, 401, 404, 408, 422, 481, 487, 491, 500, 503, 603)]


@pytest.mark.parametrize("method", ["INVITE", "BYE", "UPDATE", "INFO", "NOTIFY", "CANCEL"])
def test_stray_responses(net, method):
    """To nothing of ours, to a branch of ours that is over, from the other side: none of them moves a call."""
    caller, callee = net.call_up()
    branch = callee.invite.get("Via").split("branch=")[1].split(";")[0]
    for first in STRAYS:
        for via_branch in ("z9hG4bKnone", branch):
            if method == "INVITE" and first.startswith("SIP/2.0 2") and via_branch == branch:
                continue  # a repeated 200, which gets its ACK once more
            for peer, via in ((net.core, f"SIP/2.0/UDP {net.core_gw[0]}:{net.core_gw[1]};branch={via_branch}"),
                              (net.access, f"SIP/2.0/UDP {net.access_gw[0]}:{net.access_gw[1]};branch={via_branch}")):
                if first.startswith("SIP/2.0 2") and method == "INVITE":
                    continue  # nta ends what such a 200 would have made (decision 0060)
                peer.send_text(f"{first}\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: {callee.call_id}\r\n"
                               f"CSeq: 100 {method}\r\nMin-SE: 1\r\nContent-Length: 0\r\n\r\n")
    assert not net.gateway.events("call ended")
    finish(net, caller, callee)


@options(**RELAY)
def test_response_of_the_wrong_side(net):
    """A response with the branch of a request on the other leg finds nothing."""
    net.mixes = True
    caller = net.caller()
    caller.send("MESSAGE")
    message = net.core.expect("MESSAGE")
    via = message.get("Via")
    net.access.send_text(f"SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {message.get('From')}\r\nTo: {message.get('To')};tag=x\r\n"
                         f"Call-ID: {message.get('Call-ID')}x\r\nCSeq: {message.get('CSeq')}\r\nContent-Length: 0\r\n\r\n")
    net.core.reply(message, 404)
    net.access.expect("404 MESSAGE")
    net.gateway.wait_idle()


@options(**RELAY)
def test_response_after_the_time(net):
    """The far side answers when nobody waits any more."""
    caller = net.caller()
    caller.send("MESSAGE")
    message = net.core.expect("MESSAGE")
    net.gateway.advance(40)
    net.gateway.wait_event("request relayed", answered=408)
    net.gateway.wait_idle()
    net.core.reply(message, 200)
    net.access.nothing("200 MESSAGE", 0.1)
    net.gateway.wait_idle()


def test_ack_of_nothing(net):
    caller = net.caller()
    for _ in range(3):
        caller.send("ACK")
    caller, callee = net.call_up()
    for _ in range(3):
        caller.cseq += 1
        net.access.send_text(caller.request_text("ACK", cseq=caller.cseq))
    assert not net.gateway.events("call ended")
    finish(net, caller, callee)


def test_cancel_of_nothing(net):
    caller = net.caller()
    caller.send("CANCEL")
    net.access.expect("481 CANCEL")
    caller, callee = net.call_up()
    caller.send("CANCEL")
    net.access.expect("481 CANCEL")
    assert not net.gateway.events("call ended")
    finish(net, caller, callee)


@options(**RELAY, quiet=True)
def test_nothing_stays_of_many(net):
    """Subscriptions and messages of every ending, over and over: the counts come back to zero, and the heap to where it was."""
    def lap():
        for number in range(100):
            net.caller().send("SUBSCRIBE", headers=["Event: presence", "Expires: 60"])
            net.core.reply(net.core.expect("SUBSCRIBE"), 200 if number % 2 else 404, headers=["Expires: 60"])
            net.access.expect("200" if number % 2 else "404")
            net.caller().send("MESSAGE")
            net.core.reply(net.core.expect("MESSAGE"), 481)
            net.access.expect("481")
        net.gateway.advance(100)
        net.gateway.wait_idle()
        net.gateway.advance(100)
        return net.gateway.counts()

    lap()
    heaps = [lap()["heap"]]
    for _ in range(3):  # a table of Sofia's that grows, grows once; a leak grows with each
        counts = lap()
        assert counts["outgoing"] == counts["incoming"] == 0
        heaps.append(counts["heap"])
        if heaps[-1] - heaps[-2] <= 64 * 200:  # 0: a sanitizer's allocator
            return
    raise AssertionError(f"heap after each: {heaps}")
