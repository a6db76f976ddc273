// SPDX-License-Identifier: GPL-3.0-or-later
// media_question.h - questions of other threads (media_look.h) on their way to the media thread.
#pragma once
#include "base/mailbox.h"
#include "mediarelay/media_priv.h"

int media_questions_open(struct media *media);
void media_questions_answer(struct media *media, bool alive); // all that wait
void media_questions_close(struct media *media); // who still waits hears that there is no answer
