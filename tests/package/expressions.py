# SPDX-License-Identifier: GPL-3.0-or-later
"""The PromQL of deploy/: where it is, and which series it asks for.

    alerts()      the rules, as the file has them
    panels()      [(title, expression)] of the dashboard, its variables filled in
    selectors(e)  {(metric, matchers)} of an expression; matchers with their braces, or ""
"""
import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/alerts.yaml"
CASES = ROOT / "tests/package/alerts_test.yaml"
DASHBOARD = ROOT / "deploy/grafana/sallyport.json"
VARIABLES = {"$__rate_interval": "2m", "$instance": ".*", "$realm": ".*"}

# What is neither a metric nor followed by a parenthesis.
WORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right"}


def alerts():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def fill(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def panels():
    board = json.loads(DASHBOARD.read_text())
    asked = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [(note["name"], note["expr"]) for note in board["annotations"]["list"]]
    return [(title, fill(expression)) for title, expression in asked]


def selectors(expression):
    text = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", " ", expression)  # names of labels
    text = re.sub(r"\[[^]]*\]", "", text)
    found = re.findall(r"\b([a-zA-Z_:][\w:]*)\b(?!\s*\()(\{[^}]*\})?", text)
    return {(name, braces) for name, braces in found if name not in WORDS}
