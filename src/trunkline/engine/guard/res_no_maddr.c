/*
 * res_no_maddr: nothing that a client sends leads what we send to another host by "maddr".
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * PJSIP sends to the maddr of a URI or a Via and not to its host (sip_util.c, pjsip_get_dest_info and
 * pjsip_get_response_addr): of a Contact, a Record-Route, in requests and in answers. Nobody needs it, and there is no setting
 * against it. But PJSIP's parser has the parameter's name in a table of its own (pjsip_parser_const), which may be
 * written. With another name there, maddr is a parameter like any unknown one: kept, sent back, and never gone by. The
 * other name is made at random and told to nobody: a name may be written with escapes, so any byte may be in one that is sent.
 *
 * The table's beginning is looked at before it is changed. Where it is not as it is known here, nothing is changed, and the log
 * says so; contacts with maddr are refused all the same (engine/config/contacts.py, the dialplan's [door-from-device]).
 */

#define AST_MODULE "res_no_maddr"
#define AST_MODULE_SELF_SYM __internal_res_no_maddr_self

#include "asterisk.h"

#include <dlfcn.h>
#include <sys/types.h>

#include "asterisk/module.h"
#include "asterisk/utils.h"
#include "asterisk/uuid.h"

/*! pj_str_t (pj/types.h) */
struct text {
	char *at;
	ssize_t length;
};

/*! How pjsip_parser_const_t (pjsip/sip_parser.h) begins. */
static const char *const names[] = { "user", "method", "transport", "maddr", "lr", "sip", "sips" };
#define MADDR 3

static char unknown[AST_UUID_STR_LEN];
static struct text before;

static struct text *table(void)
{
	struct text *(*get)(void) = (struct text *(*)(void)) dlsym(RTLD_DEFAULT, "pjsip_parser_const");
	struct text *found = get ? get() : NULL;
	size_t at;

	for (at = 0; found && at < ARRAY_LEN(names); at++) {
		if (found[at].length != (ssize_t) strlen(names[at]) || strncmp(found[at].at, names[at], strlen(names[at]))) {
			return NULL;
		}
	}
	return found;
}

static int unload_module(void)
{
	struct text *(*get)(void) = (struct text *(*)(void)) dlsym(RTLD_DEFAULT, "pjsip_parser_const");

	get()[MADDR] = before;
	return 0;
}

static int load_module(void)
{
	struct text *found = table();

	if (!found) {
		ast_log(LOG_ERROR, "PJSIP's parser is not as it is known: maddr is gone by\n");
		return AST_MODULE_LOAD_DECLINE;
	}
	before = found[MADDR];
	ast_uuid_generate_str(unknown, sizeof(unknown));
	found[MADDR] = (struct text) { .at = unknown, .length = strlen(unknown) };
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER, "maddr leads nowhere",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.unload = unload_module,
	.load_pri = AST_MODPRI_REALTIME_DRIVER,
);
