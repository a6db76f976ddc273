// SPDX-License-Identifier: GPL-3.0-or-later
// main.c - the command line. One program: the supervisor, or with --control the child that it starts.
#include "base/log.h"
#include "gateway/config.h"
#include "gateway/control.h"
#include "gateway/supervisor.h"
#include "gateway/version.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_FILE "/etc/sallyport/sallyport.yaml"
#define EXIT_USAGE 64
#define EXIT_CONFIG 78 // EX_CONFIG of sysexits.h; the unit file does not restart on it

enum action { RUN, CHECK, PRINT, SIZE };

struct options {
	enum action action;
	const char *file;
	bool host; // look at the host, too
	bool json;
};

static const char usage[] =
	"usage: sallyport [-c FILE]                     run the gateway\n"
	"       sallyport --check [--no-host] [FILE]    check FILE, and that this host has what it names\n"
	"       sallyport --print-config [-c FILE]      print all that is in effect, defaults included\n"
	"       sallyport --size [--json]               calls that a core of this host carries, by suite: measured now\n"
	"       sallyport --version                     print our version and those of all libraries\n"
	"FILE is " DEFAULT_FILE " unless said otherwise. A mistake in it: FILE:LINE:COLUMN: message, exit 78.\n";

static int complain_usage(void)
{
	fputs(usage, stderr);
	return EXIT_USAGE;
}

// The configuration, or NULL and the reason on standard error.
static struct config *load(const struct options *o)
{
	struct config_error why;
	struct config *cfg = NULL;

	if (config_load(&cfg, o->file, &why) == 0 && (!o->host || config_check_host(cfg, &why) == 0))
		return cfg;
	config_error_print(&why, o->file, stderr);
	config_free(cfg);
	return NULL;
}

// Our own path and the relay's. The relay is beside us as it was built, else where it is installed.
struct paths {
	char self[PATH_MAX], relay[PATH_MAX + 64];
};

static int find_programs(struct paths *p)
{
	ssize_t len = readlink("/proc/self/exe", p->self, sizeof(p->self) - 1);
	int folder;

	if (len < 0)
		return -errno;
	p->self[len] = '\0';
	folder = (int)(strrchr(p->self, '/') - p->self);
	snprintf(p->relay, sizeof(p->relay), "%.*s/sallyport-relay", folder, p->self);
	if (access(p->relay, X_OK) < 0)
		snprintf(p->relay, sizeof(p->relay), "%.*s/../libexec/sallyport/sallyport-relay", folder, p->self);
	return access(p->relay, X_OK) < 0 ? -errno : 0;
}

static int run(const struct config *cfg, const char *file)
{
	struct supervisor_programs programs = { .control.argument = "--control" };
	struct paths paths;
	int err = find_programs(&paths);

	log_setup(cfg->log_level, cfg->log_format, "supervisor");
	if (err < 0) {
		log_error("supervisor", "no sallyport-relay beside sallyport", LOG_ERRNO(err));
		return 1;
	}
	programs.control.path = paths.self;
	programs.relay.path = paths.relay;
	programs.file = file;
	return supervisor_run(cfg, &programs);
}

static int print_version(void)
{
	struct paths paths;

	return version_print(stdout, find_programs(&paths) == 0 ? paths.relay : NULL);
}

// The relay knows: the engine is in it.
static int print_size(bool json)
{
	struct paths paths;
	int err = find_programs(&paths);

	if (err == 0) {
		execl(paths.relay, "sallyport-relay", "--size", json ? "--json" : (char *)NULL, (char *)NULL);
		err = -errno;
	}
	fprintf(stderr, "sallyport: sallyport-relay cannot be run: %s\n", strerror(-err));
	return 1;
}

static int act(const struct options *o)
{
	struct config *cfg = load(o);
	int status = 0;

	if (cfg == NULL)
		return EXIT_CONFIG;
	if (o->action == PRINT)
		status = config_print(cfg, stdout) < 0;
	else if (o->action == RUN)
		status = run(cfg, o->file);
	config_free(cfg);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'k' },
		{ "no-host", no_argument, NULL, 'n' },      { "print-config", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'v' },      { "control", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },         { "size", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },         { NULL },
	};
	struct options o = { .action = RUN, .file = DEFAULT_FILE, .host = true };
	int option;

	while ((option = getopt_long(argc, argv, "c:hv", names, NULL)) != -1) {
		if (option == 'c')
			o.file = optarg;
		else if (option == 'k')
			o.action = CHECK;
		else if (option == 'n')
			o.host = false;
		else if (option == 'p')
			o.action = PRINT;
		else if (option == 's')
			o.action = SIZE;
		else if (option == 'j')
			o.json = true;
		else if (option == 'v')
			return print_version();
		else if (option == 'C')
			return control_main();
		else if (option == 'h')
			return fputs(usage, stdout) < 0;
		else
			return complain_usage();
	}
	if (optind < argc && o.action == CHECK)
		o.file = argv[optind++];
	if (optind < argc || (o.action == RUN && !o.host) || (o.json && o.action != SIZE))
		return complain_usage();
	if (o.action == SIZE)
		return print_size(o.json);
	if (o.action == PRINT)
		o.host = false; // a file for another host can be looked at, too
	return act(&o);
}
