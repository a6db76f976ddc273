# SPDX-License-Identifier: GPL-3.0-or-later
# help.awk - what sallyportctl --help says as mdoc's list items. Usage: sallyportctl --help | awk -f help.awk - TEMPLATE
# A command is a line that begins with two blanks; its words end at the next two. Options are the same after "options:".
function words(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	gsub(/^ +| +$/, "", text)
	gsub(/[.] +/, ".\n", text)
	return text
}

function item(text,    at)
{
	at = match(text, /   *[^ ]/)
	if (at == 0)
		at = length(text) + 1
	return ".It " macro(substr(text, 1, at - 1)) "\n\\&" words(substr(text, at)) "\n"
}

function macro(text) # its words are words, whatever mdoc would call by their names
{
	return "Xo\n\\&" words(text) "\n.Xc"
}

FILENAME == "-" {
	if (sub(/^options: /, "         "))
		where = "options"
	else if (/^usage:/)
		where = "commands"
	else if (/^exit status/)
		where = ""
	text = $0
	sub(/^ +/, "", text)
	if (where == "options" && /^ *-/)
		options = options item(text)
	else if (where == "commands" && /^  [a-z]/)
		commands = commands item(text)
	else if (where == "options" && text != "")
		options = options words(text) "\n"
	else if (where == "commands" && /^   / && text != "")
		commands = commands words(text) "\n"
	next
}
/^@COMMANDS@$/ {
	printf "%s", commands
	next
}
/^@OPTIONS@$/ {
	printf "%s", options
	next
}
{ print }
