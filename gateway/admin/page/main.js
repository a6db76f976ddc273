// SPDX-License-Identifier: GPL-3.0-or-later
// main.js - what is known, which page is open, and when to ask again.
const EVERY = 2000; // ms
const EVENTS = 100;

const state = {
	at: null,      // the call whose page is open
	status: null, figures: [], calls: null, call: null, gone: false,
	filter: { text: "", realm: "", state: "", before: null },
	events: [], streams: true, last: {},
	away: null,    // since when nobody answers
	restarted: null, failed: null, said: "",
	asked: null,   // the call whose end is to be confirmed
};
let turn = 0, timer = null, stream = null, soon = null;

function note(type, data, at = Date.now()) {
	state.events.unshift({ id: `${at} ${type} ${state.events.length} ${Math.random()}`, at, type, data });
	state.events.length = Math.min(state.events.length, EVENTS);
}

function signOut(why) {
	sessionStorage.removeItem(TOKEN);
	clearTimeout(timer);
	if (stream)
		stream.abort();
	stream = null;
	Object.assign(state, { status: null, figures: [], calls: null, call: null, events: [], streams: true, last: {}, away: null, restarted: null, failed: null, said: why });
	document.getElementById("confirm").close();
	draw();
}

// Where there is no stream of events, the differences tell some.
function compare(before, now) {
	if (!before)
		return;
	for (const process of ["control", "relay"]) {
		if (now.restarts[process] > before.restarts[process]) {
			state.restarted = { process, at: Date.now() };
			state.figures = []; // its counters begin anew
			if (!state.streams)
				note("process_restarted", { process, restarts: now.restarts[process] });
		}
	}
	if (now.started !== before.started && now.restarts.control === before.restarts.control) {
		state.restarted = { process: "control", at: Date.now() };
		state.figures = [];
	}
	if (!state.streams && now.state !== before.state)
		note(now.state === "draining" ? "drain_begun" : "drain_ended", {});
}

function listPath() {
	const query = new URLSearchParams({ limit: 50 }), { filter } = state;

	for (const key of ["realm", "state", "before"]) {
		if (filter[key])
			query.set(key, filter[key]);
	}
	return `/v1/calls?${query}`;
}

async function lookAtCall(id) {
	try {
		const call = await ask(`/v1/calls/${id}`);

		if (state.at === id)
			Object.assign(state, { call, gone: false });
	} catch (problem) {
		if (problem.status !== 404)
			throw problem;
		if (state.at === id)
			Object.assign(state, { call: null, gone: true });
	}
}

async function lookAround() {
	const [metrics, calls] = await Promise.all([ask("/metrics"), ask(listPath()).catch((problem) => {
		if (problem.status !== 400)
			throw problem;
		Object.assign(state.filter, { realm: "", state: "", before: null }); // a realm that is no more
		return state.calls;
	})]);

	state.calls = calls;
	takeFigures(readMetrics(metrics));
}

async function look() {
	const mine = ++turn;

	clearTimeout(timer);
	if (!sessionStorage.getItem(TOKEN))
		return;
	try {
		const status = await ask("/v1/status");

		if (mine !== turn)
			return;
		compare(state.status, status);
		state.status = status;
		await (state.at ? lookAtCall(state.at) : lookAround());
		state.away = null;
		if (!stream && state.streams)
			follow();
	} catch (problem) {
		if (mine !== turn)
			return;
		if (problem.status === 401) {
			signOut("This token is nobody's.");
			return;
		}
		state.away = state.away || { at: Date.now(), why: problem.status ? problem.message : "no answer" };
	}
	if (mine !== turn)
		return;
	draw();
	if (!document.hidden)
		timer = setTimeout(look, state.at ? EVERY / 2 : EVERY);
}

async function follow() {
	const mine = stream = new AbortController();

	while (stream === mine && state.streams) {
		try {
			await listen(mine.signal, state.last, (type, data) => {
				note(type, data, data.at ? data.at * 1000 : Date.now());
				drawSoon();
			});
		} catch (problem) {
			if ([404, 405, 501].includes(problem.status))
				state.streams = false;
		}
		await new Promise((resume) => setTimeout(resume, EVERY));
	}
}

// Drawing

function top() {
	const { status } = state;
	const kind = !status || state.away ? "bad" : status.ready ? "good" : "warn";
	const word = state.away ? "no answer" : status && (status.ready ? status.state : status.reason);

	return [h("a", { class: "name", href: "#/" }, "Sallyport"), status ? [pill(kind, word), soft(status.version, ` \u00b7 control up ${duration(status.uptime_seconds)}`),
		h("span", { class: "who" }, `${status.token.name}, ${status.token.role} `, h("button", { "data-act": "sign-out" }, "Sign out"))] : null];
}

function notes() {
	return [
		state.away ? h("p", { class: "note bad", role: "status", "data-key": "away" }, `The gateway has not answered since ${clock(state.away.at)} (${state.away.why}). What follows is older.`) : null,
		state.failed ? h("p", { class: "note bad", role: "alert", "data-key": "failed" }, state.failed, " ", h("button", { "data-act": "seen" }, "Seen")) : null,
		state.restarted ? h("p", { class: "note", role: "status", "data-key": "restarted" }, `The ${state.restarted.process} process has begun anew, seen at ${clock(state.restarted.at)}. Calls stay. `,
				    h("button", { "data-act": "seen" }, "Seen")) : null,
	];
}

function enter() {
	return h("section", { class: "card enter", "data-key": "enter" }, h("h1", null, "Sallyport"), h("form", { "data-act": "enter" },
		h("label", { for: "token" }, "Token", h("input", { id: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "said" })),
		h("div", { id: "said", class: "bad", role: "alert" }, state.said), h("button", { class: "main" }, "Look"),
		soft("A viewer's token shows, an operator's may hang up. It stays in this tab.")));
}

function draw() {
	const known = sessionStorage.getItem(TOKEN);

	document.title = state.at ? `Call ${state.at} - Sallyport` : "Sallyport";
	show("top", known ? top() : []);
	show("main", !known ? enter() : !state.status ? [notes(), h("p", { class: "soft" }, "\u2026")] : [notes(), state.at ? callPage() : overview()]);
}

// Events come by the thousand where calls do: they are drawn four times a second.
function drawSoon() {
	soon = soon || setTimeout(() => {
		soon = null;
		if (!state.at && !document.hidden)
			draw();
	}, 250);
}

// What a person does

function go() {
	const call = /^#\/calls\/(\d{1,10})$/.exec(location.hash);

	state.at = call ? call[1] : null;
	Object.assign(state, { call: null, gone: false });
	draw();
	look();
}

async function end(id) {
	document.getElementById("confirm").close();
	try {
		await ask(`/v1/calls/${id}`, "DELETE");
	} catch (problem) {
		state.failed = `Call ${id} was not ended. ${problem.message}`;
	}
	look();
}

const ACTS = {
	"sign-out": () => signOut(""),
	"seen": () => { state.restarted = state.failed = null; draw(); },
	"older": () => { state.filter.before = state.calls.next_before; look(); },
	"newest": () => { state.filter.before = null; look(); },
	"hang-up": () => { state.asked = state.call.id; confirmHangUp(state.call); },
	"keep": () => document.getElementById("confirm").close(),
	"end": () => end(state.asked),
};

document.addEventListener("click", (event) => {
	const button = event.target.closest("button[data-act]");

	if (button && ACTS[button.dataset.act])
		ACTS[button.dataset.act]();
});
document.addEventListener("submit", (event) => {
	const field = document.getElementById("token"), token = field.value.trim();

	event.preventDefault();
	field.value = "";
	if (!/^[\x21-\x7e]+$/.test(token)) {
		signOut("This token is nobody's.");
		return;
	}
	sessionStorage.setItem(TOKEN, token);
	state.said = "";
	draw();
	look();
});
document.addEventListener("input", (event) => {
	if (event.target.dataset.act !== "filter")
		return;
	const key = event.target.id.slice("filter-".length);

	state.filter[key] = event.target.value;
	if (key === "text") {
		draw();
	} else {
		state.filter.before = null;
		look();
	}
});
document.addEventListener("visibilitychange", () => {
	if (!document.hidden)
		look();
});
window.addEventListener("hashchange", go);
go();
