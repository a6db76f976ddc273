// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a fuzzer over every file of its corpus, for builds without libFuzzer. An empty corpus is an error.
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, size_t size)
{
	// Exactly as long as the input, so that the sanitizer sees the first byte read beyond it.
	uint8_t *data = malloc(size > 0 ? size : 1);
	FILE *in = fopen(path, "rb");
	int err = 0;

	if (data == NULL || in == NULL || fread(data, 1, size, in) != size) {
		fprintf(stderr, "%s: cannot read\n", path);
		err = -EIO;
		goto out;
	}
	LLVMFuzzerTestOneInput(data, size);
out:
	if (in != NULL)
		fclose(in);
	free(data);
	return err;
}

static int replay_folder(const char *folder, unsigned *n)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int err = 0;

	if (dir == NULL) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return -ENOENT;
	}
	while (err == 0 && (entry = readdir(dir)) != NULL) {
		char path[4096];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		printf("%s\n", entry->d_name); // the last name printed is the input that crashed
		fflush(stdout);
		err = replay_file(path, (size_t)st.st_size);
		(*n)++;
	}
	closedir(dir);
	return err;
}

int main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		if (replay_folder(argv[i], &n) < 0)
			return 1;
	}
	if (n == 0) {
		fprintf(stderr, "no input replayed\n");
		return 1;
	}
	printf("%u inputs replayed\n", n);
	return 0;
}
