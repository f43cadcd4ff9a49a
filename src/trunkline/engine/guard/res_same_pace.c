/*
 * res_same_pace: a request of an unknown device is challenged as late as one of a known device.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * PJSIP looks for an endpoint by each name in a request, and then for the endpoint's auth: for a known device that takes
 * longer than finding nothing, so 15 answers told which names are devices. Here are two wizards of sorcery that keep nothing
 * and only look at the clock. "pace_first" stands before all others for endpoints: it notes when a request's first look-up
 * began. "pace_last" stands before all others for auths: it has the others look, and then waits until so much time has passed since
 * that beginning. Whoever is unknown is the endpoint "anonymous" (engine/config/etc/pjsip_nobody.conf), which has an auth that nobody knows,
 * so all go this way. That auth is made for each request, with the first name that was looked for: a digest for another name than
 * the auth's is refused before it is reckoned. Both happen in one thread, one request at a time.
 *
 * A request waits for others of its serializer, and PJSIP takes no request at all while that queue is too long. So not more
 * than MOST a second wait: a flood, in which no times can be told apart, is answered as fast as it can be.
 */

#define AST_MODULE "res_same_pace"
#define AST_MODULE_SELF_SYM __internal_res_same_pace_self

#include "asterisk.h"

#include <time.h>

#include "asterisk/config.h"
#include "asterisk/lock.h"
#include "asterisk/module.h"
#include "asterisk/sorcery.h"
#include "asterisk/utils.h"
#include "asterisk/uuid.h"

#define MICROSECONDS 1000
/* A beginning that is so much older than the pace was another request's, which needed no auth. */
#define FORGOTTEN (2000 * MICROSECONDS)
/*! In nanoseconds; as sorcery.conf says, in microseconds. */
static int64_t pace = 700 * MICROSECONDS;
#define MOST 900
static int waited;
static int64_t second;

/*! When the look-ups of this thread's request began, in nanoseconds; 0 if there is none. */
static __thread int64_t began;
static __thread char sought[256];
static __thread int looking;

static const char nobody[] = "anonymous";
/*! An HA1 of no password. */
static char digest[sizeof("MD5:") + 32];

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/*! Two threads at once may make it a few more. */
static int is_flood(int64_t now)
{
	if (now - second > 1000000000) {
		second = now;
		waited = 0;
	}
	return ast_atomic_fetchadd_int(&waited, +1) >= MOST;
}

static void *note(const struct ast_sorcery *sorcery, void *data, const char *type, const char *id)
{
	int64_t now = nanoseconds();

	if (!began || now - began > pace + FORGOTTEN) {
		began = now;
		ast_copy_string(sought, id, sizeof(sought));
	}
	return NULL;
}

/*! NULL where there is no memory for it. */
static void *auth_of_nobody(const struct ast_sorcery *sorcery)
{
	void *auth = ast_sorcery_alloc(sorcery, "auth", nobody);
	struct ast_variable *fields = NULL, **end = &fields;
	const char *values[][2] = { { "auth_type", "digest" }, { "username", sought }, { "password_digest", digest } };
	size_t at;

	for (at = 0; at < ARRAY_LEN(values); at++) {
		if (!(*end = ast_variable_new(values[at][0], values[at][1], ""))) {
			break;
		}
		end = &(*end)->next;
	}
	if (auth && (at < ARRAY_LEN(values) || ast_sorcery_objectset_apply(sorcery, auth, fields))) {
		ao2_ref(auth, -1);
		auth = NULL;
	}
	ast_variables_destroy(fields);
	return auth;
}

static void *find_and_wait(const struct ast_sorcery *sorcery, void *data, const char *type, const char *id)
{
	void *found;

	if (looking) {
		return NULL; /* The look-up below, which goes on with the other wizards. */
	}
	found = began && !strcmp(id, nobody) ? auth_of_nobody(sorcery) : NULL;
	if (!found) {
		looking = 1;
		found = ast_sorcery_retrieve_by_id(sorcery, type, id);
		looking = 0;
	}
	if (began) {
		int64_t until = began + pace;
		struct timespec then = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };

		began = 0;
		if (!is_flood(nanoseconds())) {
			while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR) {
			}
		}
	}
	return found;
}

static int nothing_to_keep(const struct ast_sorcery *sorcery, void *data, void *object)
{
	return 0;
}

static void *open_wizard(const char *data)
{
	if (!ast_strlen_zero(data)) {
		pace = (int64_t) atoi(data) * MICROSECONDS;
	}
	return &pace; /* NULL would be a failure. */
}

static void close_wizard(void *data)
{
}

static struct ast_sorcery_wizard first = {
	.name = "pace_first",
	.open = open_wizard,
	.retrieve_id = note,
	.close = close_wizard,
};

/* It is configured as a cache, so that what it gives is not taken for newly read by the real one. */
static struct ast_sorcery_wizard last = {
	.name = "pace_last",
	.open = open_wizard,
	.create = nothing_to_keep,
	.update = nothing_to_keep,
	.delete = nothing_to_keep,
	.retrieve_id = find_and_wait,
	.close = close_wizard,
};

static int unload_module(void)
{
	return -1; /* PJSIP has opened them. */
}

static int load_module(void)
{
	char uuid[AST_UUID_STR_LEN];

	strcpy(digest, "MD5:"); /* Safe */
	ast_md5_hash(digest + 4, ast_uuid_generate_str(uuid, sizeof(uuid)));
	if (ast_sorcery_wizard_register(&first)) {
		return AST_MODULE_LOAD_DECLINE;
	}
	if (ast_sorcery_wizard_register(&last)) {
		ast_sorcery_wizard_unregister(&first);
		return AST_MODULE_LOAD_DECLINE;
	}
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER, "Unknown devices are answered at the pace of known ones",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.unload = unload_module,
	.load_pri = AST_MODPRI_REALTIME_DRIVER,
);
