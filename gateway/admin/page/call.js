// SPDX-License-Identifier: GPL-3.0-or-later
// call.js - one call: whether its media flows and why not, its dialogs, and each leg with all there is.
const REASONS = {
	flows: "flows", not_agreed: "offer and answer are not complete", wrong_fingerprint: "wrong certificate", no_keys: "no keys yet",
	hold: "on hold", gate: "closed until the answer", wrong_keys: "wrong keys", wrong_source: "wrong source address",
	dropped: "dropped", nothing_comes: "nothing comes", no_path: "no way to the peer", not_sent: "not sent",
};
const EXPECTED = new Set(["hold", "gate", "not_agreed"]); // nothing is wrong

const fact = (name, ...value) => (value.flat().some((part) => part !== null && part !== undefined && part !== "") ? [h("dt", null, name), h("dd", null, value)] : null);
const code = (text) => (text ? h("span", { class: "mono" }, text) : null);

function way(one, many) {
	const kind = one.flows ? "good" : EXPECTED.has(one.reason) ? "warn" : "bad";

	return h("div", { class: "way", "data-key": `${one.from} ${one.to} ${one.line}` },
		 h("span", { class: `mark ${kind}`, "aria-hidden": "true" }, one.flows ? "\u2713" : EXPECTED.has(one.reason) ? "\u2016" : "\u2715"),
		 h("div", null, h("b", null, `${one.from} \u2192 ${one.to}`), many ? soft(` line ${one.line}`) : null, h("div", { class: kind }, REASONS[one.reason] || one.reason)),
		 h("p", null, one.explanation));
}

function media(call) {
	const many = call.media.some((one) => one.line > 0);

	return h("section", { class: "card" }, h("h2", null, "Media"),
		 call.media.length ? call.media.map((one) => way(one, many)) : h("p", { class: "soft" }, "There is no media yet."));
}

function party(leg) {
	return h("div", { class: `party ${leg.followed ? "" : "old"}` },
		 h("div", null, h("b", null, leg.peer || leg.realm || DASH), " ", soft(leg.realm), " ", pill("", leg.state)),
		 h("div", { class: "uri" }, leg.remote_uri || DASH), leg.source ? h("div", { class: "mono" }, leg.source) : null,
		 h("div", { class: "mono soft" }, leg.call_id || DASH));
}

function ladder(call) {
	const side = (name) => h("div", { class: "stack" }, call.legs.filter((leg) => leg.side === name).map(party));

	return h("section", { class: "card" }, h("h2", null, "Dialogs"),
		 h("div", { class: "ladder" }, side("caller"), h("div", { class: "gate" }, "Sallyport"), side("callee")));
}

function keyingFacts(keying) {
	const seen = keying.seen_fingerprint, expected = keying.expected_fingerprints;
	const verdict = !seen || !expected ? null : expected.toUpperCase().includes(seen.toUpperCase()) ? pill("good", "as signalled") : pill("bad", "not as signalled");

	return [
		fact("Keying", pill(keying.secured ? keying.mechanism === "none" ? "warn" : "good" : "bad", keying.secured ? keying.mechanism === "none" ? "plain" : "secured" : keying.state), " ", keying.mechanism),
		fact("Suite", keying.suite),
		fact("DTLS", [keying.dtls_version, keying.dtls_cipher, keying.dtls_group, keying.dtls_role && `we are ${keying.dtls_role}`].filter(Boolean).join(", ")),
		fact("Certificate", verdict ? [verdict, " "] : null, code(seen)),
		verdict && expected.toUpperCase() !== seen.toUpperCase() ? fact("Its SDP names", code(expected)) : !seen ? fact("Its SDP names", code(expected)) : null,
		keying.certificate_mismatches ? fact("Other certificates", h("span", { class: "bad" }, number(keying.certificate_mismatches))) : null,
		keying.rekeys ? fact("Keys changed", number(keying.rekeys)) : null,
	];
}

function qualityFacts(line) {
	const { quality, traffic } = line, ms = (us) => [number(us === null ? null : us / 1000, 1), unit("ms")];
	const ago = (value) => (value === null ? "never" : value < 1000 ? "now" : `${duration(value / 1000)} ago`);
	const heard = quality.mos === null ? null : h("span", { class: mosKind(quality.mos) }, `MOS ${number(quality.mos, 2)}`);

	return [
		fact("From the peer", number(traffic.rx_packets), unit("packets"), `, last ${ago(traffic.not_heard_ms)}`),
		fact("To the peer", number(traffic.tx_packets), unit("packets"), `, last ${ago(traffic.not_sent_ms)}`),
		fact("We hear", heard, heard ? ", " : null, "jitter ", ms(quality.jitter_us), `, ${number(quality.lost)} lost`),
		quality.peer_reports ? fact("The peer hears", quality.peer_mos === null ? null : h("span", { class: mosKind(quality.peer_mos) }, `MOS ${number(quality.peer_mos, 2)}`),
					    ", jitter ", ms(quality.peer_jitter_us), `, ${number(quality.peer_lost)} lost`) : null,
		quality.rtt_us === null ? null : fact("Round trip", ms(quality.rtt_us)),
		fact("RTCP", `${number(traffic.rtcp_rx)} in, ${number(traffic.rtcp_tx)} out`),
		line.dropped || line.rtcp_dropped ? fact("Dropped", Object.entries(line.drops).map(([reason, n]) => `${reason} ${number(n)}`).join(", ")) : null,
	];
}

function lineFacts(line) {
	return h("div", { "data-key": line.index }, h("h3", null, `Line ${line.index}`, " ", soft(line.direction)),
		 h("dl", null, fact("Ours", code(line.local)), fact("The peer's", code(line.remote)), keyingFacts(line.keying), qualityFacts(line)));
}

function sdp(title, text) {
	return text ? h("details", { "data-key": title }, h("summary", null, title), h("pre", { tabindex: "0" }, text)) : null;
}

function leg(one, at) {
	return h("section", { class: "card half", "data-key": `leg ${at}` },
		 h("h2", null, one.side === "caller" ? "Caller" : one.followed ? "Callee" : "Callee that is not followed"),
		 h("dl", null, fact("Peer", one.peer), fact("Realm", one.realm), fact("Profile", one.profile), fact("Dialog", `${one.state}, ${one.outgoing ? "begun by us" : "begun by the peer"}`),
		   fact("Call-ID", code(one.call_id)), fact("Its URI", one.remote_uri), fact("Ours", one.local_uri), fact("SIP from", code(one.source))),
		 one.lines.map(lineFacts), sdp("SDP received", one.sdp.received), sdp("SDP sent", one.sdp.sent));
}

function callTitle(call) {
	const may = state.status && state.status.token.role === "operator";

	return h("div", { class: "title" }, h("a", { href: "#/" }, "\u2190 All calls"), h("h1", null, `Call ${call.id}`),
		 pill(call.state === "up" ? "good" : "warn", call.ending ? "ending" : call.state),
		 soft(call.answered_seconds === null ? `since ${duration(call.age_seconds)}, not answered` : `up for ${duration(call.answered_seconds)}`,
		      call.worker === null ? "" : ` \u00b7 worker ${call.worker}`, call.restored ? " \u00b7 restored after a restart" : "", call.cause ? ` \u00b7 ${call.cause}` : ""),
		 may ? h("button", { class: "danger", "data-act": "hang-up", disabled: call.ending }, "Hang up\u2026") : null);
}

function callPage() {
	if (state.gone)
		return h("div", { "data-key": "gone" }, h("div", { class: "title" }, h("a", { href: "#/" }, "\u2190 All calls"), h("h1", null, `Call ${state.at}`)),
			 h("p", null, "This call is not up. Its record, if records are written, and the log have the rest."));
	if (!state.call || String(state.call.id) !== state.at)
		return h("p", { class: "soft" }, "\u2026");
	return h("div", { "data-key": `call ${state.at}` }, callTitle(state.call),
		 h("div", { class: "grid" }, media(state.call), ladder(state.call), state.call.legs.map(leg)));
}

function confirmHangUp(call) {
	const dialog = document.getElementById("confirm");

	show("confirm", h("h1", { id: "confirm-title" }, `Hang up call ${call.id}?`),
	     h("p", null, call.legs.map((one) => h("span", { class: "uri" }, one.remote_uri || DASH, h("br")))),
	     h("p", { class: "soft" }, "Both sides are sent BYE. The audit log has your token's name."),
	     h("div", { class: "buttons" }, h("button", { "data-act": "keep" }, "Keep the call"), h("button", { class: "danger", "data-act": "end" }, "Hang up")));
	dialog.showModal();
}
