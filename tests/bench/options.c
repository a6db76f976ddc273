// SPDX-License-Identifier: GPL-3.0-or-later
// options.c - the command line of limit and bench_pipeline.
#include "tests/bench/options.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGEPAGES_NEEDED 256

static const struct option names[] = {
	{ "suite", required_argument, NULL, 's' },     { "out", required_argument, NULL, 'o' },
	{ "payload", required_argument, NULL, 'l' },   { "sessions", required_argument, NULL, 'n' },
	{ "addresses", required_argument, NULL, 'a' }, { "burst", required_argument, NULL, 'b' },
	{ "passes", required_argument, NULL, 'p' },    { "repeats", required_argument, NULL, 'r' },
	{ "cpu", required_argument, NULL, 'c' },       { "fifo", no_argument, NULL, 'f' },
	{ "no-huge", no_argument, NULL, 'H' },         { NULL, 0, NULL, 0 },
};

static void refuse(const char *why, const char *what)
{
	fprintf(stderr,
		"%s: %s\nusage: [--suite NAME|plain] [--out NAME|plain|same] [--payload N] [--sessions N] [--addresses "
		"N]\n"
		"       [--burst N] [--passes N] [--repeats N] [--cpu N] [--fifo] [--no-huge]\n",
		why, what);
	exit(64);
}

static unsigned number(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || n < least || n > most)
		refuse("not a number in its bounds", text);
	return (unsigned)n;
}

static enum srtp_suite suite(const char *name)
{
	enum srtp_suite found = srtp_suite_by_name(name, strlen(name));

	if (found == SRTP_SUITE_NONE && strcmp(name, "plain") != 0)
		refuse("no such suite", name);
	return found;
}

void options_read(struct options *o, int argc, char **argv)
{
	const char *out = "plain";

	*o = (struct options){ .in = SRTP_AES_CM_128_HMAC_SHA1_80,
			       .payload = 160,
			       .sessions = 10000,
			       .addresses = 1,
			       .burst = 32,
			       .passes = 6,
			       .warm = 2,
			       .repeats = 3 };
	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (c) {
		case 's':
			o->in = suite(optarg);
			break;
		case 'o':
			out = optarg;
			break;
		case 'l':
			o->payload = number(optarg, 16, 1400);
			break;
		case 'n':
			o->sessions = number(optarg, 1, 200000);
			break;
		case 'a':
			o->addresses = number(optarg, 1, 16);
			break;
		case 'b':
			o->burst = number(optarg, 1, 32);
			break;
		case 'p':
			o->passes = number(optarg, 3, 30000);
			break;
		case 'r':
			o->repeats = number(optarg, 1, OPTIONS_REPEATS_MAX);
			break;
		case 'c':
			o->cpu = number(optarg, 0, 1023);
			break;
		case 'f':
			o->fifo = true;
			break;
		case 'H':
			o->no_huge = true;
			break;
		default:
			refuse("unknown option", argv[optind - 1]);
		}
	}
	if (optind < argc)
		refuse("unknown word", argv[optind]);
	o->out = strcmp(out, "same") == 0 ? o->in : suite(out);
}

void options_print(const struct options *o)
{
	printf("\"in\":\"%s\",\"out\":\"%s\",\"payload\":%u,\"sessions\":%u,\"addresses\":%u,\"burst\":%u,\"cpu\":%u,"
	       "\"fifo\":%s,",
	       o->in != SRTP_SUITE_NONE ? srtp_suite_name(o->in) : "plain",
	       o->out != SRTP_SUITE_NONE ? srtp_suite_name(o->out) : "plain", o->payload, o->sessions, o->addresses,
	       o->burst, o->cpu, o->fifo ? "true" : "false");
}

bool options_hugepages(const struct options *o)
{
	FILE *in = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned n = 0;

	if (in == NULL)
		return false;
	if (fscanf(in, "%u", &n) != 1)
		n = 0;
	fclose(in);
	return !o->no_huge && n >= HUGEPAGES_NEEDED;
}
