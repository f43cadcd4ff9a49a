/*
 * res_one_account: nobody talks with a leg of another account's.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * Who knows the Call-ID and the tags of a leg can take its place (INVITE with Replaces) or have a call of theirs put through to its
 * far end (REFER with Replaces). Asterisk asks no more (res_pjsip_refer.c): the dialplan does not run, and whose the leg
 * is does not matter. So whatever led them there, who comes into a bridge in which another account's leg is, is hung up at once.
 */

#define AST_MODULE "res_one_account"
#define AST_MODULE_SELF_SYM __internal_res_one_account_self

#include "asterisk.h"

#include "asterisk/causes.h"
#include "asterisk/channel.h"
#include "asterisk/module.h"
#include "asterisk/stasis.h"
#include "asterisk/stasis_bridges.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/utils.h"

static struct stasis_subscription *bridges;

/*! What is no leg of an account's, has none. */
static int is_anothers(const char *id, const char *account)
{
	struct ast_channel_snapshot *other = ast_channel_snapshot_get_latest(id);
	int found = other && !ast_strlen_zero(other->base->accountcode) && strcmp(other->base->accountcode, account);

	ao2_cleanup(other);
	return found;
}

static void hang_up(const struct ast_channel_snapshot *who)
{
	struct ast_channel *chan = ast_channel_get_by_name(who->base->name);

	ast_log(LOG_WARNING, "%s came to a leg of another account, and is hung up\n", who->base->name);
	if (chan) {
		ast_channel_lock(chan);
		ast_channel_hangupcause_set(chan, AST_CAUSE_CALL_REJECTED);
		ast_channel_unlock(chan);
		ast_softhangup(chan, AST_SOFTHANGUP_EXPLICIT);
		ast_channel_unref(chan);
	}
}

static void on_bridge(void *data, struct stasis_subscription *sub, struct stasis_message *message)
{
	struct ast_bridge_blob *blob;
	struct ao2_iterator ids;
	char *id;
	int anothers = 0;

	if (stasis_message_type(message) != ast_channel_entered_bridge_type()) {
		return;
	}
	blob = stasis_message_data(message);
	if (ast_strlen_zero(blob->channel->base->accountcode)) {
		return;
	}
	ids = ao2_iterator_init(blob->bridge->channels, 0);
	while (!anothers && (id = ao2_iterator_next(&ids))) {
		anothers = is_anothers(id, blob->channel->base->accountcode);
		ao2_ref(id, -1);
	}
	ao2_iterator_destroy(&ids);
	if (anothers) {
		hang_up(blob->channel);
	}
}

static int unload_module(void)
{
	bridges = stasis_unsubscribe_and_join(bridges);
	return 0;
}

static int load_module(void)
{
	bridges = stasis_subscribe(ast_bridge_topic_all(), on_bridge, NULL);
	if (!bridges) {
		return AST_MODULE_LOAD_DECLINE;
	}
	stasis_subscription_accept_message_type(bridges, ast_channel_entered_bridge_type());
	stasis_subscription_set_filter(bridges, STASIS_SUBSCRIPTION_FILTER_SELECTIVE);
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO_STANDARD_EXTENDED(ASTERISK_GPL_KEY, "Nobody talks with another account's leg");
