# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert rules and dashboard: read by promtool, each alert with a case that fires and one that does not, each with its runbook."""
import re
import subprocess
import warnings

import expressions
import yaml
from expressions import CASES, ROOT, RULES

DOCUMENTED = set(re.findall(r"^\| `((?:sallyport|process)_\w+)`", (ROOT / "docs/admin.md").read_text(), re.M))


def promtool(*arguments, directory=None):
    return subprocess.run(["promtool", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=60, cwd=directory)


def test_rules_are_read():
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0 and f"{len(expressions.alerts())} rules found" in done.stdout, done.stdout


def test_rules_fire_when_they_should_and_else_do_not():
    done = promtool("test", "rules", CASES.name, directory=CASES.parent)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout


def test_a_rule_that_fires_too_early_is_seen(tmp_path):
    """Waits left out, a threshold lowered: the cases tell of each."""
    text = RULES.read_text()
    for old, new in (("for: 1m", "for: 0s"), ("> 0.85", "> 0.1")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "rules.yaml").write_text(text)
    (tmp_path / "cases.yaml").write_text(CASES.read_text().replace("../../deploy/prometheus/alerts.yaml", "rules.yaml"))
    done = promtool("test", "rules", "cases.yaml", directory=tmp_path)
    assert done.returncode != 0 and done.stdout.count("SallyportDown") == done.stdout.count("SallyportNearlyFull") == 1, done.stdout


def test_each_alert_has_both_cases():
    fires, quiet = set(), set()
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        name, what = case["name"].split(":")[0].split(" ", 1)
        (expected,) = case["promql_expr_test"]
        told = {re.search(r'alertname="(\w+)"', sample["labels"])[1] for sample in expected["exp_samples"]}
        assert {"fires": name in told, "does not": name not in told}[what], case["name"]
        (fires if name in told else quiet).add(name)
    assert fires == quiet == {rule["alert"] for rule in expressions.alerts()}


def test_each_alert_says_what_to_do():
    page = (ROOT / "docs/alerts.md").read_text()
    headings = {title.lower() for title in re.findall(r"^### (\w+)$", page, re.M)}
    for rule in expressions.alerts():
        name, notes = rule["alert"], rule["annotations"]
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert set(notes) == {"summary", "description", "runbook"} and "{{ $labels.instance }}" in notes["summary"], name
        assert notes["runbook"] == f"docs/alerts.md#{name.lower()}", name
    assert headings == {rule["alert"].lower() for rule in expressions.alerts()}


def test_selectors_are_found():
    assert expressions.selectors('sum by (a, b) (rate(x_total{c="1",d=~"e|f"}[5m])) / on (g) sallyport_y > 0.5 and up == 1') == {
        ("x_total", '{c="1",d=~"e|f"}'), ("sallyport_y", ""), ("up", "")}


def test_only_documented_metrics():
    asked = [rule["expr"] for rule in expressions.alerts()] + [expression for _, expression in expressions.panels()]
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for expression in asked for name, _ in expressions.selectors(expression)}
    assert names <= DOCUMENTED | {"up"}, names - DOCUMENTED


def test_dashboard_shows_the_metrics():
    """A metric that nobody looks at may be right: a question, not an error. Most are shown."""
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for _, expression in expressions.panels()
             for name, _ in expressions.selectors(expression)}
    for name in sorted(DOCUMENTED - shown):
        warnings.warn(f"{name}: not on the dashboard; does nobody look at it?")
    assert len(DOCUMENTED - shown) <= len(DOCUMENTED) // 10


def test_dashboard_is_whole(tmp_path):
    """Every expression as a recording rule, so that promtool parses it; panels have numbers and words of their own."""
    asked = expressions.panels()
    assert len(asked) > 60
    rules = [{"record": f"panel:{n}", "expr": expression} for n, (_, expression) in enumerate(asked)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", tmp_path / "panels.yaml")
    assert done.returncode == 0 and f"{len(asked)} rules found" in done.stdout, done.stdout
    assert not [expression for _, expression in asked if "$" in expression]
    board = yaml.safe_load(expressions.DASHBOARD.read_text())  # JSON is YAML
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    assert not [panel["title"] for panel in board["panels"] if panel["type"] != "row" and not panel["description"].endswith(".")]
