// SPDX-License-Identifier: GPL-3.0-or-later
// link.h - what supervisor and children say to each other: short texts on a socket pair that keeps their bounds, one of them with
// a descriptor. Nothing waits; each side reads when there is something.
//
//   child to supervisor   "ready"                        of relay and control: it serves
//                         "applied", "refused TEXT"      of control: the configuration that was handed over
//                         "leaving", "staying TEXT"      of control: whether another one may take its place
//                         "empty"                        of control, while the door is closed: no call is left
//                         "reload", "replace", "drain", "resume", "stop"   of control: what a person asked its admin port for
//                         "document N"                   of control: asks for the file; N comes back with the answer
//                         "apply N MARK SCOPE" with the document, "rollback N MARK SCOPE"   of control: the file is to be that one,
//                                                        if MARK is what "document" said and it takes no more than SCOPE
//   supervisor to child   "document N MARK BEFORE TEXT" with the file, "outcome N WORD TEXT"   for control (supervisor_document.c)
//                         "config" with a descriptor, "reopen", "leave", "drain", "resume"   for control
//                         "level N"                      for relay: of the log
#pragma once
#include <stddef.h>

#define LINK_TEXT 240

int link_open(int pair[2]);                           // close-on-exec; -errno
int link_say(int fd, const char *text, int attached); // attached -1: none
// Length of the text, which ends with a zero byte; 0: the other side is gone; -EAGAIN: nothing there. *attached: -1, or a
// descriptor that is the caller's from now on; attached NULL: none is taken.
int link_hear(int fd, char text[LINK_TEXT], int *attached);
const char *link_word(const char *text, const char *word); // what follows the word, or NULL: it is another one
