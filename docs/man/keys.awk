# SPDX-License-Identifier: GPL-3.0-or-later
# keys.awk - the table of keys in docs/operations.md as mdoc's list items. Usage: awk -f keys.awk operations.md TEMPLATE
function plain(text)
{
	gsub(/\\\|/, "|", text)
	while (match(text, /\[[^]]*\]\([^)]*\)/)) { # a link is its text
		link = substr(text, RSTART + 1, RLENGTH - 2)
		text = substr(text, 1, RSTART - 1) substr(link, 1, index(link, "](") - 1) substr(text, RSTART + RLENGTH)
	}
	gsub(/[`*]*\*\*|`/, "", text)
	gsub(/\\/, "\\e", text)
	gsub(/^ +| +$/, "", text)
	return text
}

function line(text) # a sentence a line; none begins with a dot or an apostrophe, which would be a macro
{
	gsub(/[.] +/, ".\n", text)
	return text ~ /^[.']/ ? "\\&" text : text
}

function item(row,    cells, n)
{
	gsub(/\\\|/, SUBSEP, row)
	n = split(row, cells, "|")
	for (i = 1; i <= n; i++)
		gsub(SUBSEP, "|", cells[i])
	keys = keys ".It Xo\n" line(plain(cells[2])) "\n.Xc\n"
	if (plain(cells[3]) != "")
		keys = keys line(plain(cells[3])) (plain(cells[4]) != "" ? ".\n.br\n" : "\n")
	if (plain(cells[4]) != "")
		keys = keys line(plain(cells[4])) "\n"
}

FILENAME ~ /operations\.md$/ {
	if (/^\| key \|/)
		inside = 1
	else if (!/^\|/)
		inside = 0
	else if (inside && !/^\|---/)
		item($0)
	next
}
/^@KEYS@$/ {
	printf "%s", keys
	next
}
{ print }
