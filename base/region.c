// SPDX-License-Identifier: GPL-3.0-or-later
// region.c - memfd, sealed against a change of size (a child must not be able to make the other fault), mapped shared.
#include "base/region.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGE_PAGE (2ul << 20)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static size_t round_up(size_t size, size_t page)
{
	return (size + page - 1) / page * page;
}

static int map_shared(struct region *r)
{
	void *base = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	if (madvise(base, r->size, MADV_DONTDUMP) < 0) { // keys must not reach a core file
		int err = -errno;

		munmap(base, r->size);
		return err;
	}
	(void)mlock(base, r->size); // best effort: RLIMIT_MEMLOCK may forbid it, hugepages need it not
	r->base = base;
	return 0;
}

static int create_with(struct region *r, const char *name, size_t size, bool huge)
{
	struct region made = { .huge = huge };
	int err;

	made.size = round_up(size, huge ? HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE));
	made.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	if (made.fd < 0)
		return -errno;
	if (ftruncate(made.fd, (off_t)made.size) < 0 || fcntl(made.fd, F_ADD_SEALS, SEALS) < 0)
		err = -errno;
	else
		err = map_shared(&made); // of hugepages: reserves all of them, or fails here and not at the first touch
	if (err < 0) {
		close(made.fd);
		return err;
	}
	*r = made;
	return 0;
}

int region_create(struct region *r, const char *name, size_t size, bool try_huge)
{
	if (r == NULL || size == 0 || size > SIZE_MAX - HUGE_PAGE)
		return -EINVAL;
	if (try_huge && create_with(r, name, size, true) == 0)
		return 0;
	return create_with(r, name, size, false);
}

int region_map(struct region *r, int fd)
{
	struct region mapped = { .fd = fd };
	struct statfs fs;
	struct stat st;
	int seals, err;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return -errno;
	if ((seals & SEALS) != SEALS)
		return -EPERM;
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (st.st_size <= 0)
		return -EINVAL;
	mapped.size = (size_t)st.st_size;
	mapped.huge = fs.f_type == HUGETLBFS_MAGIC;
	err = map_shared(&mapped);
	if (err < 0)
		return err;
	*r = mapped;
	return 0;
}

void region_unmap(struct region *r)
{
	if (r == NULL || r->base == NULL)
		return;
	munmap(r->base, r->size);
	close(r->fd);
	*r = (struct region){ .fd = -1 };
}
