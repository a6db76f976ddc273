// SPDX-License-Identifier: GPL-3.0-or-later
// api.js - questions to the door. The token is in this tab's sessionStorage and in a header, nowhere else.
const TOKEN = "sallyport.token";
const PATIENCE = 8000; // ms

class Refused extends Error {
	constructor(status, problem) {
		super(problem.detail ? `${problem.title}: ${problem.detail}` : problem.title || `HTTP ${status}`);
		this.status = status;
	}
}

function headers() {
	return { Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` };
}

async function ask(path, method = "GET") {
	const answer = await fetch(path, { method, headers: headers(), cache: "no-store", credentials: "omit", redirect: "error",
					   signal: AbortSignal.timeout(PATIENCE) });

	if (!answer.ok)
		throw new Refused(answer.status, await answer.json().catch(() => ({})));
	return (answer.headers.get("Content-Type") || "").includes("json") ? answer.json() : answer.text();
}

// Prometheus' text: Map of name to [{labels, value}].
function readMetrics(text) {
	const found = new Map();

	for (const line of text.split("\n")) {
		const parts = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);

		if (!parts)
			continue;
		const labels = {};

		for (const [, key, value] of (parts[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
			labels[key] = value;
		if (!found.has(parts[1]))
			found.set(parts[1], []);
		found.get(parts[1]).push({ labels, value: Number(parts[3]) });
	}
	return found;
}

// Sum of those samples whose labels are these; NaN where there is none.
function total(metrics, name, labels = {}) {
	const samples = ((metrics && metrics.get(name)) || []).filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value));

	return samples.length ? samples.reduce((sum, sample) => sum + sample.value, 0) : NaN;
}

// {label: sum} of a metric.
function by(metrics, name, label) {
	const sums = new Map();

	for (const { labels, value } of (metrics && metrics.get(name)) || [])
		sums.set(labels[label], (sums.get(labels[label]) || 0) + value);
	return sums;
}

// A stream of server-sent events: EventSource cannot send a token. tell(type, data) of each; returns at the stream's end.
async function listen(signal, last, tell) {
	const answer = await fetch("/v1/events", { headers: { ...headers(), ...(last.id ? { "Last-Event-ID": last.id } : {}) }, cache: "no-store",
						   credentials: "omit", signal });

	if (!answer.ok || !answer.body)
		throw new Refused(answer.status, {});
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let pending = "";

	for (;;) {
		const { value, done } = await reader.read();

		if (done)
			return;
		const events = (pending + value).split("\n\n");

		pending = events.pop();
		for (const event of events) {
			const fields = Object.fromEntries(event.split("\n").filter((line) => line[0] !== ":").map((line) => {
				const colon = line.indexOf(": ");

				return [line.slice(0, colon), line.slice(colon + 2)];
			}));

			if (fields.id)
				last.id = fields.id;
			if (fields.data)
				tell(fields.event || "message", JSON.parse(fields.data));
		}
	}
}
