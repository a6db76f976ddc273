// SPDX-License-Identifier: GPL-3.0-or-later
// state_dir.h - the directory that control may write to.
#pragma once

// Makes it and its parents where they are missing, and gives it to the user. -EACCES: it is there, and the user may not
// write to it.
int state_dir_make(const char *path, const char *user);
