// SPDX-License-Identifier: GPL-3.0-or-later
// dp_move.c - sessions that go to another worker. What is said about their transports meanwhile waits here: the command
// ring of the worker that has them now is not that of the one which will.
#include "dataplane/client/dp_client_priv.h"
#include <errno.h>

static int movable(const struct dp_client *dp, const struct dp_ref *refs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct dp_index *ix;

		if (!dp_client_owns(dp, refs[i]))
			return -EINVAL;
		ix = &dp->indices[refs[i].index];
		if (!ix->published || ix->worker != dp->indices[refs[0].index].worker)
			return -EINVAL;
		if (ix->moving || ix->removing)
			return -EBUSY;
	}
	return 0;
}

int dp_session_move(struct dp_client *dp, const struct dp_ref *refs, size_t n, uint16_t worker)
{
	struct dp_command c = { .kind = DP_COMMAND_MOVE, .move_to = worker };
	int err;

	if (n == 0 || n > DP_MOVE_MAX || worker >= dp->map.config.n_workers)
		return -EINVAL;
	err = movable(dp, refs, n);
	if (err < 0 || dp->indices[refs[0].index].worker == worker)
		return err;
	c.transport = refs[0];
	dp_client_command(dp, &c, refs, n * sizeof(refs[0]));
	for (size_t i = 0; i < n; i++)
		dp->indices[refs[i].index].moving = true;
	return 0;
}

static void held_send(struct dp_client *dp, struct dp_ref ref)
{
	struct dp_waiting_list held = STAILQ_HEAD_INITIALIZER(held);
	struct dp_waiting *wait;

	STAILQ_CONCAT(&held, &dp->held);
	while ((wait = STAILQ_FIRST(&held)) != NULL) {
		STAILQ_REMOVE_HEAD(&held, entry);
		if (wait->command.transport.index != ref.index) {
			STAILQ_INSERT_TAIL(&dp->held, wait, entry);
			continue;
		}
		dp_client_command(dp, &wait->command, wait->body, wait->body_len);
		dp_waiting_free(wait);
	}
}

void dp_client_moved(struct dp_client *dp, struct dp_ref ref, uint16_t worker)
{
	struct dp_index *ix = &dp->indices[ref.index];

	if (worker >= dp->map.config.n_workers || worker == ix->worker)
		return; // said twice, after a crash
	dp_load_remove(dp, ix->worker);
	dp_load_add(dp, worker);
	ix->worker = worker;
	if (ix->moving) {
		ix->moving = false;
		held_send(dp, ref);
	} else if (ix->removing) { // moved by a control before us: the one that we told did not have it any more
		dp_transport_remove(dp, ref);
	}
}
