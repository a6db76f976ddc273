// SPDX-License-Identifier: GPL-3.0-or-later
// browser.js - Playwright, led by browser.py: a line of JSON in is one step of a person and has one line for answer. What the browser asks of the
// network, and what it complains of, is told as it happens. Ends with its leader, and the browser with it.
"use strict";
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const PATIENCE = 30000; // ms: a page beside other tests, on two cores
const ARGUMENTS = ["--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"];

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
// A text as such would be found in capitals, too.
const containing = (text) => new RegExp(text.pattern || text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
const pages = []; // one a window, the newest is looked at
const page = () => pages.at(-1);
let browser;

// By what a person goes: the accessible role and name. An input is found by its label, a fold (whose summary has no role) by its text.
function find(role, name) {
	const found = role === "label" ? page().getByLabel(name, { exact: true }) : role === "title" ? page().getByTitle(name, { exact: true })
		: role === "text" ? page().getByText(name, { exact: true }) : page().getByRole(role, { name, exact: true });

	return found.filter({ visible: true }).first(); // a call has a link in the list, and in each of its events
}

function seen(text, within) {
	return (within ? page().locator(within) : page()).getByText(containing(text)).filter({ visible: true }).first();
}

const STEPS = {
	// Another's window, before the one that is looked at: it shares nothing with that. One with a clock can be told that it is later.
	async window({ width = 1280, height = 900, dark = false, mobile = false, clock = false }) {
		const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", isMobile: mobile, hasTouch: mobile });

		context.setDefaultTimeout(PATIENCE);
		context.on("request", (request) => tell({ event: "request", url: request.url() }));
		context.on("response", (response) => tell({ event: "response", url: response.url(), status: response.status() }));
		context.on("console", (message) => {
			if (["error", "assert"].includes(message.type()))
				tell({ event: "complaint", text: message.text() });
		});
		context.on("weberror", (problem) => tell({ event: "complaint", text: String(problem.error()) }));
		if (clock)
			await context.clock.install();
		pages.push(await context.newPage());
	},
	shut: () => pages.pop().context().close(),
	async open(url) {
		await page().goto(url);
	},
	press: (role, name) => find(role, name).click(),
	focus: (role, name) => find(role, name).focus(),
	choose: (role, name, value) => find(role, name).selectOption(value),
	fill: (role, name, text) => find(role, name).fill(text),
	key: (name) => page().keyboard.press(name),
	shown: (role, name) => find(role, name).waitFor(),
	hidden: (role, name) => find(role, name).waitFor({ state: "hidden" }),
	has: (role, name) => find(role, name).isVisible(),
	seen: (text, within) => seen(text, within).waitFor(),
	unseen: (text, within) => seen(text, within).waitFor({ state: "hidden" }),
	text: (selector) => page().locator(selector).innerText(),
	tree: () => page().locator("body").ariaSnapshot(),
	run: (expression) => page().evaluate(expression),
	dark: (dark) => page().emulateMedia({ colorScheme: dark ? "dark" : "light" }),
	later: (seconds) => page().clock.fastForward(seconds * 1000),
	width: (width) => page().setViewportSize({ ...page().viewportSize(), width }),
	connected: (connected) => page().context().setOffline(!connected),
	picture: async (path) => void await page().screenshot({ path, fullPage: true }),
};

async function take({ id, step, args }) {
	try {
		tell({ id, value: (await STEPS[step](...args)) ?? null }); // undefined would be left out
	} catch (problem) {
		const text = await page().locator("body").innerText({ timeout: 1000 }).catch(() => "");

		tell({ id, error: `${problem.message}\nThe page says:\n${text}` });
	}
}

async function main() {
	browser = await chromium.launch({ executablePath: "/usr/bin/chromium", chromiumSandbox: false, args: ARGUMENTS });
	await STEPS.window({});
	tell({ event: "ready", version: browser.version() });
	readline.createInterface({ input: process.stdin }).on("line", (line) => take(JSON.parse(line))).on("close", async () => {
		await browser.close();
		process.exit();
	});
}

main();
