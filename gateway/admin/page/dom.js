// SPDX-License-Identifier: GPL-3.0-or-later
// dom.js - elements made and kept up to date. What messages say is a text node, always: there is no way to markup here.
const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "rect", "polyline"]);

// Children are nodes, texts, numbers, lists of them; null, undefined and false are nothing. An attribute that is null or false is left out.
function h(name, attributes, ...children) {
	const made = SVG_NAMES.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);

	for (const [key, value] of Object.entries(attributes || {})) {
		if (value !== null && value !== undefined && value !== false)
			made.setAttribute(key, value === true ? "" : value);
	}
	made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
	return made;
}

// Attributes that belong to the person who looks, once the element is there.
const THEIRS = { DETAILS: ["open"], INPUT: ["value"], SELECT: ["value"] };

function sync(old, fresh) {
	const kept = THEIRS[old.nodeName] || [];

	for (const { name, value } of fresh.attributes) {
		if (!kept.includes(name) && old.getAttribute(name) !== value)
			old.setAttribute(name, value);
	}
	for (const { name } of [...old.attributes]) {
		if (!kept.includes(name) && !fresh.hasAttribute(name))
			old.removeAttribute(name);
	}
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

// Makes `old`'s children those of `fresh` with as little change as can be: focus, selection and what is unfolded stay.
function patch(old, fresh) {
	const wanted = [...fresh.childNodes];
	const keyed = new Map([...old.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));

	wanted.forEach((node, at) => {
		const here = old.childNodes[at];
		const same = keyOf(node) ? keyed.get(keyOf(node)) : here;

		if (!same || same.nodeName !== node.nodeName || keyOf(same) !== keyOf(node)) {
			old.insertBefore(node, here || null);
			return;
		}
		if (same !== here)
			old.insertBefore(same, here);
		if (node.nodeType === Node.ELEMENT_NODE) {
			sync(same, node);
			patch(same, node);
		} else if (same.nodeValue !== node.nodeValue) {
			same.nodeValue = node.nodeValue;
		}
	});
	while (old.childNodes.length > wanted.length)
		old.lastChild.remove();
}

function show(place, ...children) {
	patch(document.getElementById(place), h("div", null, ...children));
}

// Numbers and times, as people read them

const DASH = "\u2013";

function number(value, digits = 0) {
	return value === null || value === undefined || Number.isNaN(value) ? DASH
		: value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function duration(seconds) {
	if (seconds === null || seconds === undefined)
		return DASH;
	const s = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");

	if (s >= 86400)
		return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
	return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

const clock = (milliseconds) => new Date(milliseconds).toTimeString().slice(0, 8);
const unit = (text) => h("span", { class: "unit" }, text);
const soft = (...content) => h("span", { class: "soft" }, ...content);
const pill = (kind, text) => h("span", { class: `pill ${kind}` }, text);

// Parts of 1, side by side: [[class, share], ...]
function bar(parts, label) {
	let x = 0;
	const rects = parts.map(([kind, share]) => {
		const rect = h("rect", { class: kind, x: x * 100, y: 0, width: Math.max(0, share) * 100, height: 10 });

		x += share;
		return rect;
	});
	return h("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": label },
		 h("rect", { class: "track", x: 0, y: 0, width: 100, height: 10 }), rects);
}

function spark(values) {
	const top = Math.max(1e-9, ...values), step = 100 / Math.max(1, values.length - 1);
	const points = values.map((value, i) => `${(i * step).toFixed(1)},${(21 - 20 * value / top).toFixed(1)}`).join(" ");

	return h("svg", { viewBox: "0 0 100 22", preserveAspectRatio: "none", "aria-hidden": "true" }, h("polyline", { class: "spark", points }));
}

function table(kind, head, rows) {
	return h("div", { class: "scroll" }, h("table", { class: kind },
		h("thead", null, h("tr", null, head.map(([text, align]) => h("th", { class: align, scope: "col" }, text)))),
		h("tbody", null, rows)));
}
