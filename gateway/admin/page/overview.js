// SPDX-License-Identifier: GPL-3.0-or-later
// overview.js - the gateway as a whole: figures, realms, workers, calls, drops, what has happened.
const KEYINGS = [["dtls-srtp", "DTLS-SRTP"], ["sdes", "SDES"], ["plain", "plain"], ["none", "no keys"]];
const SPARK = 60; // points
const WINDOW = 10000; // ms that rates are taken over

const history = { calls: [], mos: [], packets: [], load: [], drops: [] };

function remember(key, value) {
	history[key].push(Number.isFinite(value) ? value : 0);
	if (history[key].length > SPARK)
		history[key].shift();
}

// Growth a second of a counter, between the oldest figures that are kept and the newest; NaN until there are two.
function rate(name, labels) {
	const [old] = state.figures, fresh = state.figures.at(-1);

	if (!old || old === fresh)
		return NaN;
	return Math.max(0, (total(fresh.metrics, name, labels) - (total(old.metrics, name, labels) || 0)) / (fresh.at - old.at) * 1000);
}

function takeFigures(metrics) {
	const at = performance.now();

	state.figures.push({ at, metrics });
	while (state.figures.length > 2 && at - state.figures[0].at > WINDOW)
		state.figures.shift();
	remember("calls", total(metrics, "sallyport_calls"));
	remember("mos", lowestMos(metrics) || 0);
	remember("packets", rate("sallyport_worker_packets_total", { direction: "received" }));
	remember("load", highestLoad());
	remember("drops", rate("sallyport_worker_drops_total"));
}

function lowestMos(metrics) {
	const known = [...by(metrics, "sallyport_media_mos", "realm").values()].filter((mos) => mos > 0);

	return known.length ? Math.min(...known) : null;
}

const workers = () => [...by(newest(), "sallyport_worker_seconds_total", "worker").keys()];
const newest = () => (state.figures.length ? state.figures.at(-1).metrics : null);

function load(worker) {
	const busy = rate("sallyport_worker_seconds_total", { worker, state: "busy" });
	const idle = rate("sallyport_worker_seconds_total", { worker, state: "idle" });

	return busy / (busy + idle);
}


function highestLoad() {
	const known = workers().map(load).filter(Number.isFinite);

	return known.length ? Math.max(...known) : NaN;
}

const mosKind = (mos) => (mos >= 3.6 ? "good" : mos >= 3.1 ? "warn" : "bad"); // ITU-T G.107 annex B: below, many and nearly all are not content
const loadKind = (share) => (share >= 0.9 ? "bad" : share >= 0.7 ? "warn" : ""); // not known yet is not bad
const percent = (share, digits = 0) => (Number.isFinite(share) ? [number(share * 100, digits), unit("%")] : DASH);
const perSecond = (value) => (Number.isFinite(value) ? number(value, value > 0 && value < 10 ? 1 : 0) : DASH);

function tile(title, value, below, values) {
	return h("section", { class: "card tile" }, h("h2", null, title), h("b", null, value), soft(below), values ? spark(values) : null);
}

function tiles() {
	const { status } = state, metrics = newest(), mos = lowestMos(metrics), busiest = highestLoad();
	const drops = rate("sallyport_worker_drops_total"), silent = status.realms.reduce((sum, realm) => sum + realm.silent_lines, 0);
	const restarts = status.restarts.control + status.restarts.relay;

	return [
		tile("Calls", [number(status.calls.now), unit(`of ${number(status.calls.limit)}`)], `${number(status.dialogs)} dialogs`, history.calls),
		tile("Lowest MOS", h("span", { class: mos && mosKind(mos) }, number(mos, 2)), silent ? h("span", { class: "warn" }, `${silent} silent lines`) : "no line silent", history.mos),
		tile("Packets in", [perSecond(rate("sallyport_worker_packets_total", { direction: "received" })), unit("/s")],
		     `${perSecond(rate("sallyport_worker_packets_total", { direction: "sent" }))}/s out`, history.packets),
		tile("Busiest worker", h("span", { class: loadKind(busiest) }, percent(busiest)), `${workers().length} worker${workers().length === 1 ? "" : "s"}`, history.load),
		tile("Drops", [perSecond(drops), unit("/s")], `${number(total(metrics, "sallyport_worker_drops_total"))} in all`, history.drops),
		tile("Restarts", h("span", { class: restarts ? "warn" : "" }, number(restarts)),
		     [h("div", null, `control ${status.restarts.control}`), h("div", null, `relay ${status.restarts.relay}`)]),
	];
}

function keyingMix(lines) {
	const all = KEYINGS.reduce((sum, [key]) => sum + lines[key], 0);
	const said = KEYINGS.filter(([key]) => lines[key] > 0).map(([key, name]) => `${name} ${lines[key]}`).join(", ") || "no lines";

	return [bar(KEYINGS.map(([key]) => [key, all ? lines[key] / all : 0]), said), soft(said)];
}

function realms() {
	const metrics = newest();
	const rows = state.status.realms.map(({ name: realm, lines, silent_lines: silent }) => {
		const mos = total(metrics, "sallyport_media_mos", { realm }), lost = rate("sallyport_media_lost_packets_total", { realm });
		const received = rate("sallyport_media_packets_total", { realm, direction: "received" });

		return h("tr", { "data-key": realm }, h("th", { scope: "row" }, realm), h("td", { class: "mix" }, keyingMix(lines)),
			 h("td", { class: "n" }, mos > 0 ? h("span", { class: mosKind(mos) }, number(mos, 2)) : DASH),
			 h("td", { class: "n" }, number(total(metrics, "sallyport_media_jitter_seconds", { realm }) * 1000, 1), unit("ms")),
			 h("td", { class: "n" }, received + lost > 0 ? percent(lost / (received + lost), 2) : DASH),
			 h("td", { class: `n ${silent ? "warn" : ""}` }, number(silent)), h("td", { class: "n" }, perSecond(received)),
			 h("td", { class: "n" }, perSecond(rate("sallyport_media_packets_total", { realm, direction: "sent" }))));
	});

	return h("section", { class: "card two-thirds" }, h("h2", null, "Realms"),
		 h("p", { class: "soft" }, KEYINGS.map(([key, name]) => h("span", { class: "key" },
			h("svg", { viewBox: "0 0 9 9", "aria-hidden": "true" }, h("rect", { class: key, width: 9, height: 9, rx: 2 })), name))),
		 table("", [["Realm"], ["Lines by keying"], ["MOS", "n"], ["Jitter", "n"], ["Loss", "n"], ["Silent", "n"], ["In/s", "n"], ["Out/s", "n"]], rows));
}

function workersCard() {
	const metrics = newest();
	const rows = workers().map((worker) => {
		const share = load(worker), used = (metrics.get("sallyport_ring_used_bytes") || []).filter(({ labels }) => labels.worker === worker);
		const fill = Math.max(0, ...used.map(({ labels, value }) => value / total(metrics, "sallyport_ring_size_bytes", labels)));

		return h("tr", { "data-key": worker }, h("th", { scope: "row" }, worker),
			 h("td", null, bar([[`fill ${loadKind(share)}`, share || 0]], `busy ${number(share * 100)} %`)), h("td", { class: "n" }, percent(share)),
			 h("td", { class: "n" }, perSecond(rate("sallyport_worker_packets_total", { worker, direction: "received" }))),
			 h("td", { class: "n" }, percent(fill)));
	});

	return h("section", { class: "card third" }, h("h2", null, "Workers"),
		 table("", [["No."], ["Load"], ["", "n"], ["In/s", "n"], ["Fullest ring", "n"]], rows));
}

function drops() {
	const rows = [...by(newest(), "sallyport_worker_drops_total", "reason")].filter(([, value]) => value > 0)
		.map(([reason, value]) => ({ reason, value, now: rate("sallyport_worker_drops_total", { reason }) }))
		.sort((a, b) => (b.now || 0) - (a.now || 0) || b.value - a.value)
		.map(({ reason, value, now }) => h("tr", { "data-key": reason }, h("td", { class: "mono" }, reason),
			h("td", { class: `n ${now > 0 ? "warn" : ""}` }, perSecond(now)), h("td", { class: "n" }, number(value))));
	const failed = [...by(newest(), "sallyport_dtls_handshake_failures_total", "cause")].filter(([, value]) => value > 0)
		.map(([cause, value]) => h("tr", { "data-key": cause }, h("td", { class: "mono" }, cause), h("td", { class: "n" }, number(value))));

	return h("section", { class: "card half" }, h("h2", null, "Drops by reason"),
		 rows.length ? table("", [["Reason"], ["Now, a second", "n"], ["Since the start", "n"]], rows) : h("p", { class: "soft" }, "Nothing has been dropped."),
		 failed.length ? [h("h3", null, "DTLS handshakes that failed"), table("", [["Cause"], ["Times", "n"]], failed)] : null);
}

// What a peer says of itself is long, and all of it may matter: a title has the rest.
function sideCell(side) {
	return h("td", { class: "uri", title: side.call_id }, soft(side.realm || DASH, " "), side.uri || DASH);
}

function matches(call) {
	const wanted = state.filter.text.toLowerCase();

	return !wanted || [call.caller, call.callee].some((side) => `${side.uri || ""} ${side.call_id || ""} ${side.realm || ""}`.toLowerCase().includes(wanted));
}

function calls() {
	const { filter, status } = state, page = state.calls || { calls: [], next_before: null }, found = page.calls.filter(matches);
	const rows = found.map((call) => h("tr", { "data-key": call.id },
		h("td", null, h("a", { href: `#/calls/${call.id}` }, `Call ${call.id}`)), h("td", null, call.state),
		h("td", { class: "n" }, duration(call.answered_seconds ?? call.age_seconds), call.answered_seconds === null ? unit("setting up") : null),
		sideCell(call.caller), sideCell(call.callee)));
	const choice = (id, label, values, chosen) => h("label", { for: id }, label, h("select", { id, "data-act": "filter" },
		h("option", { value: "" }, "all"), values.map((value) => h("option", { value, selected: value === chosen }, value))));

	return h("section", { class: "card" }, h("h2", null, "Calls"),
		 h("div", { class: "filter" },
		   h("label", { class: "wide", for: "filter-text" }, "URI or Call-ID", h("input", { id: "filter-text", type: "search", "data-act": "filter", autocomplete: "off", spellcheck: "false" })),
		   choice("filter-realm", "Realm", status.realms.map(({ name }) => name), filter.realm),
		   choice("filter-state", "State", [...new Set(["up", ...page.calls.map((call) => call.state), filter.state])].filter(Boolean).sort(), filter.state)),
		 rows.length ? table("calls", [["Call"], ["State"], ["Up for", "n"], ["Caller"], ["Callee"]], rows)
			     : h("p", { class: "soft" }, page.calls.length ? "None of these calls matches." : "No calls."),
		 filter.before || page.next_before !== null ? h("p", { "data-key": "pages" },
			filter.before ? h("button", { "data-act": "newest", "data-key": "newest" }, "Newest") : null, " ",
			page.next_before !== null ? h("button", { "data-act": "older", "data-key": "older" }, "Older calls") : null) : null);
}

// Data of an event in one line: names are ours, values may be anybody's.
function eventText(data) {
	const said = (value) => (value !== null && typeof value === "object" ? [value.realm, value.uri].filter(Boolean).join(" ") : value);

	return Object.entries(data).filter(([key, value]) => !["at", "call", "call_id_a", "call_id_b"].includes(key) && value !== null)
		.map(([key, value]) => `${key.replaceAll("_", " ")} ${typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : said(value)}`).join(" \u00b7 ");
}

function events() {
	const rows = state.events.map(({ id, at, type, data }) => h("li", { "data-key": id }, h("time", { class: "soft" }, clock(at)), h("div", null,
		h("b", { class: /attack|silent|restarted|gap/.test(type) ? "warn" : "" }, type.replaceAll("_", " ")), " ",
		data.call ? [h("a", { href: `#/calls/${data.call}` }, `Call ${data.call}`), " "] : null, soft(eventText(data)))));

	return h("section", { class: "card half" }, h("h2", null, "Events"),
		 rows.length ? h("ul", { class: "events", tabindex: "0", "aria-label": "Events, newest first" }, rows)
			     : h("p", { class: "soft" }, "Nothing has happened since this page was opened."));
}

function overview() {
	return h("div", { class: "grid", "data-key": "overview" }, tiles(), realms(), workersCard(), calls(), drops(), events());
}
