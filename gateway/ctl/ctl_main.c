// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_main.c - sallyportctl, the command line of the management door: it knows nothing that the door does not say.
#include "gateway/ctl/ctl_command.h"
#include "gateway/ctl/ctl_events.h"
#include "gateway/ctl/ctl_show.h"
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_FILE "/etc/sallyport/ctl.token"
#define FILE_MAX (1u << 20)

static const char help[] =
	"usage: sallyportctl [OPTIONS] COMMAND\n"
	"  status               state, calls, realms with their lines by keying\n"
	"  calls                calls, newest first; --realm NAME --state WORD --limit N --before ID\n"
	"  call ID              one call with both sides, and why it is silent if it is\n"
	"  hangup ID            end it (operator)\n"
	"  top                  status and the newest calls, each second, until ^C; --once\n"
	"  events               what happens, as it happens, until ^C; --type NAME,.. --call ID --since EVENT-ID --count N\n"
	"  log [LEVEL]          control's log level; with LEVEL set it (operator)\n"
	"  config show          the document as the file has it, secrets out; its ETag on standard error\n"
	"  config check FILE    every mistake of a document; - is standard input\n"
	"  config diff FILE     what it would change, and what that takes\n"
	"  config apply FILE    put it in the place of the file, all or nothing (operator); --if-match ETAG, --replace: by a new control\n"
	"  config rollback      back to the one before (operator); --if-match, --replace\n"
	"  cert list            certificates that DTLS and the gateway's port show, and until when\n"
	"  cert replace FILE    another one with its key, as PEM (operator); calls that are up keep theirs\n"
	"  cert renew [dtls]    a new one of the gateway's own, or the configured files read again (operator)\n"
	"  cert renew door      the files of the port's own TLS read again (operator)\n"
	"  realms, peers        as configured, with their calls\n"
	"  routes               in their order, with what each took\n"
	"  transports           sockets that SIP listens on\n"
	"  workers              of the relay: load, packets, drops, rings\n"
	"  trace CALL           its messages as a pcapng file, until it is over or ^C (operator); -o FILE --seconds N --octets N\n"
	"                       --media headers|full: what it sends as well (a token whose role is wiretap)\n"
	"  trace --next         of calls to come: --calls N --caller USER --callee USER --realm NAME --peer NAME\n"
	"  trace list           traces that run or are kept\n"
	"  version              of the gateway\n"
	"options: -a, --address HOST:PORT | https://HOST:PORT | unix:PATH   default $SALLYPORT_ADDRESS, else 127.0.0.1:8780\n"
	"         --cacert FILE                         of https: who vouches for the gateway; default the host's authorities\n"
	"         --cert FILE --key FILE                our certificate, where the gateway asks for one\n"
	"         -t, --token-file FILE                 default " TOKEN_FILE "; $SALLYPORT_TOKEN goes before it\n"
	"         -j, --json                            what the gateway says, as it is\n"
	"exit status: 0 done, 1 refused, 2 usage, 3 no answer\n";

int ctl_complain(const char *what, const char *more)
{
	fprintf(stderr, "sallyportctl: %s%s%s\n", what, more[0] != '\0' ? ": " : "", more);
	return REFUSED;
}

char *ctl_read_file(const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = f != NULL ? malloc(FILE_MAX + 2) : NULL;
	size_t len = text != NULL ? fread(text, 1, FILE_MAX + 1, f) : 0;
	bool bad = text == NULL || ferror(f) || len > FILE_MAX || memchr(text, '\0', len) != NULL;

	if (bad)
		ctl_complain(path, f == NULL || ferror(f) ? strerror(errno) : len > FILE_MAX ? "above 1 MiB" : "it is no text");
	else
		text[len] = '\0';
	if (f != NULL && f != stdin)
		fclose(f);
	if (bad)
		free(text);
	return bad ? NULL : text;
}

// Path of a question, its values encoded as a query wants them.
static void add_value(char *path, size_t size, const char *name, const char *value)
{
	size_t at = strlen(path);

	if (value == NULL)
		return;
	at += (size_t)snprintf(path + at, size - at, "%c%s=", strchr(path, '?') != NULL ? '&' : '?', name);
	for (; *value != '\0' && at + 4 < size; value++)
		at += (size_t)snprintf(path + at, size - at, "%%%02x", (unsigned char)*value);
}

static void refused(const json_t *problem)
{
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *title = json_string_value(json_object_get(problem, "title"));
	const char *reason = json_string_value(json_object_get(problem, "reason"));

	ctl_complain(title != NULL ? title : "refused", detail != NULL ? detail : "");
	if (reason != NULL && reason[0] != '\0')
		ctl_complain("reason", reason);
	ctl_show_errors(problem);
}

int ctl_do(const struct options *o, const struct ctl_question *question, void (*show)(const json_t *), struct ctl_answer *answer)
{
	struct ctl_answer got = { .status = 0 };
	const char *why;

	if (ctl_ask(&o->door, question, &got, &why) < 0) {
		ctl_complain(o->door.address, why);
		return UNREACHED;
	}
	if (o->json) {
		json_dumpf(got.body, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (got.status < 300 && show != NULL) {
		show(got.body);
	}
	if (got.status >= 300)
		refused(got.body);
	if (answer != NULL)
		*answer = got;
	else
		json_decref(got.body);
	return got.status < 300 ? DONE : REFUSED;
}

static int ask(const struct options *o, const char *method, const char *path, const char *body, void (*show)(const json_t *))
{
	return ctl_do(o, &(struct ctl_question){ .method = method, .path = path, .body = body }, show, NULL);
}

static int ask_calls(const struct options *o, const char *limit)
{
	char path[512] = "/v1/calls";

	add_value(path, sizeof(path), "realm", o->realm);
	add_value(path, sizeof(path), "state", o->state);
	add_value(path, sizeof(path), "limit", limit);
	add_value(path, sizeof(path), "before", o->before);
	return ask(o, "GET", path, NULL, ctl_show_calls);
}

static int ask_call(const struct options *o, const char *method, void (*show)(const json_t *))
{
	char path[64];

	const char *number = o->argument[0];

	if (number == NULL || number[strspn(number, "0123456789")] != '\0' || strlen(number) > 10) {
		ctl_complain("which call?", "its number, as calls shows it");
		return USAGE;
	}
	snprintf(path, sizeof(path), "/v1/calls/%s", number);
	return ask(o, method, path, NULL, show);
}

static int ask_log(const struct options *o)
{
	const char *level = o->argument[0];
	char body[64];

	if (level == NULL)
		return ask(o, "GET", "/v1/log/level", NULL, ctl_show_flat);
	if (strlen(level) > 20 || level[strspn(level, "abcdefghijklmnopqrstuvwxyz")] != '\0') {
		ctl_complain("which level?", "debug, info, warning or error");
		return USAGE;
	}
	snprintf(body, sizeof(body), "{\"level\": \"%s\"}", level);
	return ask(o, "PUT", "/v1/log/level", body, ctl_show_flat);
}

static int top(const struct options *o)
{
	for (;;) {
		int err;

		if (!o->json && !o->once && isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		err = ask(o, "GET", "/v1/status", NULL, ctl_show_status);
		if (err == DONE) {
			putchar('\n');
			err = ask_calls(o, o->limit != NULL ? o->limit : "20");
		}
		fflush(stdout);
		if (err != DONE || o->once)
			return err;
		sleep(1);
	}
}

static int events(const struct options *o)
{
	char path[512] = "/v1/events";
	struct ctl_events wanted = { .path = path, .since = o->since, .json = o->json };
	json_t *problem = NULL;
	const char *why = "";
	char *end = NULL;

	add_value(path, sizeof(path), "type", o->type);
	add_value(path, sizeof(path), "call", o->call);
	if (o->count != NULL)
		wanted.count = strtoul(o->count, &end, 10);
	if (o->count != NULL && (*end != '\0' || wanted.count == 0)) {
		ctl_complain("--count", "expected a number above 0");
		return USAGE;
	}
	switch (ctl_events_show(&o->door, &wanted, &problem, &why)) {
	case CTL_STREAM_ENOUGH:
		return DONE;
	case CTL_STREAM_REFUSED:
		refused(problem);
		json_decref(problem);
		return REFUSED;
	default:
		ctl_complain(o->door.address, why);
		return UNREACHED;
	}
}

static const struct {
	const char *command, *path;
	void (*show)(const json_t *answer);
} lists[] = {
	{ "realms", "/v1/realms", ctl_show_realms },
	{ "peers", "/v1/peers", ctl_show_peers },
	{ "routes", "/v1/routes", ctl_show_routes },
	{ "transports", "/v1/transports", ctl_show_transports },
	{ "workers", "/v1/workers", ctl_show_workers },
	{ "version", "/v1/version", ctl_show_flat },
};

static int run(const struct options *o)
{
	if (strcmp(o->command, "status") == 0)
		return ask(o, "GET", "/v1/status", NULL, ctl_show_status);
	if (strcmp(o->command, "calls") == 0)
		return ask_calls(o, o->limit);
	if (strcmp(o->command, "call") == 0)
		return ask_call(o, "GET", ctl_show_call);
	if (strcmp(o->command, "hangup") == 0)
		return ask_call(o, "DELETE", ctl_show_flat);
	if (strcmp(o->command, "top") == 0)
		return top(o);
	if (strcmp(o->command, "events") == 0)
		return events(o);
	if (strcmp(o->command, "log") == 0)
		return ask_log(o);
	if (strcmp(o->command, "trace") == 0) {
		struct ctl_trace trace = o->trace;

		trace.door = &o->door;
		trace.json = o->json;
		trace.call = o->argument[0];
		trace.realm = o->realm;
		return ctl_trace(&trace);
	}
	if (strcmp(o->command, "config") == 0)
		return ctl_config(o);
	if (strcmp(o->command, "cert") == 0)
		return ctl_cert(o);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(o->command, lists[i].command) == 0)
			return ask(o, "GET", lists[i].path, NULL, lists[i].show);
	}
	ctl_complain("no such command", o->command);
	return USAGE;
}

static int read_token(struct options *o, const char *file)
{
	const char *said = getenv("SALLYPORT_TOKEN");
	FILE *f = said == NULL ? fopen(file, "re") : NULL;

	if (said != NULL)
		snprintf(o->token, sizeof(o->token), "%s", said);
	else if (f != NULL && fgets(o->token, sizeof(o->token), f) == NULL)
		o->token[0] = '\0';
	if (f != NULL)
		fclose(f);
	else if (said == NULL && strcmp(file, TOKEN_FILE) != 0)
		return ctl_complain(file, strerror(errno));
	o->token[strcspn(o->token, "\r\n")] = '\0';
	o->door.token = o->token;
	return DONE;
}

int main(int argc, char **argv)
{
	enum { NEXT = 256, MEDIA, SECONDS, OCTETS, CALLS, CALLER, CALLEE, PEER };
	static const struct option longs[] = {
		{ "address", required_argument, NULL, 'a' }, { "token-file", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },	     { "realm", required_argument, NULL, 'r' },
		{ "state", required_argument, NULL, 's' },   { "limit", required_argument, NULL, 'l' },
		{ "type", required_argument, NULL, 'T' },    { "call", required_argument, NULL, 'C' },
		{ "since", required_argument, NULL, 'S' },   { "count", required_argument, NULL, 'N' },
		{ "once", no_argument, NULL, 'O' },	     { "replace", no_argument, NULL, 'R' },
		{ "if-match", required_argument, NULL, 'M' },
		{ "cacert", required_argument, NULL, 'A' },  { "cert", required_argument, NULL, 'E' },
		{ "key", required_argument, NULL, 'K' },
		{ "before", required_argument, NULL, 'b' },  { "help", no_argument, NULL, 'h' },
		{ "output", required_argument, NULL, 'o' },  { "next", no_argument, NULL, NEXT },
		{ "media", required_argument, NULL, MEDIA }, { "seconds", required_argument, NULL, SECONDS },
		{ "octets", required_argument, NULL, OCTETS }, { "calls", required_argument, NULL, CALLS },
		{ "caller", required_argument, NULL, CALLER }, { "callee", required_argument, NULL, CALLEE },
		{ "peer", required_argument, NULL, PEER },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .door.address = getenv("SALLYPORT_ADDRESS") };
	const char *file = TOKEN_FILE;
	int c;

	while ((c = getopt_long(argc, argv, "a:t:o:jh", longs, NULL)) != -1) {
		switch (c) {
		case 'a': o.door.address = optarg; break;
		case 't': file = optarg; break;
		case 'j': o.json = true; break;
		case 'r': o.realm = optarg; break;
		case 's': o.state = optarg; break;
		case 'l': o.limit = optarg; break;
		case 'T': o.type = optarg; break;
		case 'C': o.call = optarg; break;
		case 'S': o.since = optarg; break;
		case 'N': o.count = optarg; break;
		case 'O': o.once = true; break;
		case 'R': o.replace = true; break;
		case 'M': o.match = optarg; break;
		case 'A': o.door.authorities = optarg; break;
		case 'E': o.door.certificate = optarg; break;
		case 'K': o.door.key = optarg; break;
		case 'b': o.before = optarg; break;
		case 'o': o.trace.output = optarg; break;
		case NEXT: o.trace.next = true; break;
		case MEDIA: o.trace.media = optarg; break;
		case SECONDS: o.trace.seconds = optarg; break;
		case OCTETS: o.trace.octets = optarg; break;
		case CALLS: o.trace.calls = optarg; break;
		case CALLER: o.trace.caller = optarg; break;
		case CALLEE: o.trace.callee = optarg; break;
		case PEER: o.trace.peer = optarg; break;
		case 'h': fputs(help, stdout); return DONE;
		default: return USAGE;
		}
	}
	if ((o.door.certificate == NULL) != (o.door.key == NULL)) {
		ctl_complain("--cert and --key", "they come together");
		return USAGE;
	}
	if (optind == argc || argc - optind > CTL_ARGUMENTS || (argc - optind > 2 && strcmp(argv[optind], "config") != 0 && strcmp(argv[optind], "cert") != 0)) {
		fputs(help, stderr);
		return USAGE;
	}
	o.command = argv[optind];
	for (int i = 0; optind + 1 + i < argc; i++)
		o.argument[i] = argv[optind + 1 + i];
	if (o.door.address == NULL)
		o.door.address = "127.0.0.1:8780";
	if (read_token(&o, file) != DONE)
		return USAGE;
	return run(&o);
}
