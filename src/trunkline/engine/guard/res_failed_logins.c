/*
 * res_failed_logins: counts who gives a wrong SIP password, by address and device.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * Asterisk tells each failure as a security event: to whoever is logged in at AMI, for whom it then writes out all
 * other events of all calls as well; or to its log, where a Call-ID may pretend to be any other field. So they are
 * counted here, and once a second a line for each pair of address and device is appended to LOGDIR/failed-logins.jsonl:
 *
 *     {"at":1796062800000000,"address":"192.0.2.7","device":"alice","count":308}
 *
 * Whoever is no device is challenged as "anonymous" (res_same_pace.c). To ask so is no failure by itself, since a phone may be
 * known by its credentials alone; whoever asks more than FREE times in a minute without a success tries names.
 *
 * "at" is unix microseconds; "device" is null where there is no such device; "address" is empty for what came from more
 * addresses in one second than are told apart. Whoever reads the file renames it first. If nobody does, it is
 * renamed to failed-logins.jsonl.1 here, in place of the one before.
 */

#define AST_MODULE "res_failed_logins"
#define AST_MODULE_SELF_SYM __internal_res_failed_logins_self

#include "asterisk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "asterisk/json.h"
#include "asterisk/lock.h"
#include "asterisk/module.h"
#include "asterisk/paths.h"
#include "asterisk/security_events.h"
#include "asterisk/stasis.h"
#include "asterisk/utils.h"

/* Pairs of address and device that are told apart within a second. */
#define MOST 500
#define LONGEST_FILE (4 << 20)
/* So often a minute an address may ask as nobody, and of so many addresses that is kept. */
#define FREE 5
#define ASKERS 1000
static const char nobody[] = "anonymous";

struct failures {
	char address[64];
	/*! Empty where there is no such device. */
	char device[96];
	unsigned int count;
};

/*! Who asks as nobody. */
struct asker {
	char address[64];
	unsigned int count;
	time_t since;
};

AST_MUTEX_DEFINE_STATIC(lock);
static struct failures all[MOST];
static size_t used;
/*! What came from others when the table was full. */
static unsigned int others;
static struct asker askers[ASKERS];
static size_t asking;

static ast_cond_t wake;
static pthread_t writer = AST_PTHREADT_NULL;
static int stopping;
static struct stasis_subscription *events;

/*! "IPV4/UDP/192.0.2.7/5060" */
static int address_of(const char *told, char *address, size_t room)
{
	const char *from = strchr(told, '/'), *to = strrchr(told, '/');

	from = from ? strchr(from + 1, '/') : NULL;
	if (!from || from >= to || (size_t) (to - from) > room) {
		return -1;
	}
	ast_copy_string(address, from + 1, to - from);
	return 0;
}

static struct failures *of(const char *address, const char *device)
{
	size_t at;

	for (at = 0; at < used; at++) {
		if (!strcmp(all[at].address, address) && !strcmp(all[at].device, device)) {
			return &all[at];
		}
	}
	if (used == MOST) {
		return NULL;
	}
	memset(&all[used], 0, sizeof(all[used]));
	ast_copy_string(all[used].address, address, sizeof(all[used].address));
	ast_copy_string(all[used].device, device, sizeof(all[used].device));
	return &all[used++];
}

static void count(const char *address, const char *device)
{
	struct failures *found;

	if ((found = of(address, device))) {
		found->count++;
	} else {
		others++;
	}
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/*! NULL when too many ask. */
static struct asker *asker(const char *address, int make)
{
	time_t now = seconds();
	size_t at;

	for (at = 0; at < asking; at++) {
		if (now - askers[at].since >= 60) {
			askers[at--] = askers[--asking];
		} else if (!strcmp(askers[at].address, address)) {
			return &askers[at];
		}
	}
	if (!make || asking == ASKERS) {
		return NULL;
	}
	ast_copy_string(askers[asking].address, address, sizeof(askers[asking].address));
	askers[asking].count = 0;
	askers[asking].since = now;
	return &askers[asking++];
}

static void asked(const char *address)
{
	struct asker *found = asker(address, 1);

	if (!found || ++found->count > FREE) {
		count(address, "");
	}
}

static void was_right(const char *address)
{
	struct asker *found = asker(address, 0);

	if (found) {
		found->count = 0;
	}
}

static void on_event(void *data, struct stasis_subscription *sub, struct stasis_message *message)
{
	struct ast_json *event;
	const char *device, *remote;
	char address[64];
	int kind;

	if (stasis_message_type(message) != ast_security_event_type()) {
		return;
	}
	event = ((struct ast_json_payload *) stasis_message_data(message))->json;
	kind = ast_json_integer_get(ast_json_object_get(event, "SecurityEvent"));
	if (kind != AST_SECURITY_EVENT_CHAL_RESP_FAILED && kind != AST_SECURITY_EVENT_CHAL_SENT
		&& kind != AST_SECURITY_EVENT_SUCCESSFUL_AUTH && kind != AST_SECURITY_EVENT_FAILED_ACL) {
		return;
	}
	remote = ast_json_string_get(ast_json_object_get(event, "RemoteAddress"));
	if (!remote || address_of(remote, address, sizeof(address))) {
		return;
	}
	device = ast_json_string_get(ast_json_object_get(event, "AccountID"));
	/* What an unknown device calls itself may be anything, and tells nothing. */
	if (!device || !strcmp(device, "<unknown>") || !strcmp(device, nobody)) {
		device = "";
	}
	ast_mutex_lock(&lock);
	if (kind == AST_SECURITY_EVENT_SUCCESSFUL_AUTH) {
		was_right(address);
	} else if (kind != AST_SECURITY_EVENT_CHAL_SENT) {
		count(address, device);
	} else if (!device[0]) {
		asked(address);
	}
	ast_mutex_unlock(&lock);
}

static void add_line(struct ast_str **lines, const struct failures *failures)
{
	struct timeval now = ast_tvnow();
	struct ast_json *line;
	char *text;

	line = ast_json_pack("{s: I, s: s, s: o, s: i}",
		"at", (ast_json_int_t) now.tv_sec * 1000000 + now.tv_usec,
		"address", failures->address,
		"device", failures->device[0] ? ast_json_string_create(failures->device) : ast_json_null(),
		"count", (int) failures->count);
	text = line ? ast_json_dump_string(line) : NULL;
	if (text) {
		ast_str_append(lines, 0, "%s\n", text);
		ast_json_free(text);
	}
	ast_json_unref(line);
}

/*! What was counted since the last time; with the lock held. */
static struct ast_str *taken(void)
{
	struct ast_str *lines = used || others ? ast_str_create(4096) : NULL;
	size_t at;

	if (lines) {
		for (at = 0; at < used; at++) {
			add_line(&lines, &all[at]);
		}
		if (others) {
			struct failures rest = { .count = others };

			add_line(&lines, &rest);
		}
	}
	used = others = 0;
	return lines;
}

/*! A full disk loses these lines, and nothing else. */
static void append(const struct ast_str *lines)
{
	char path[PATH_MAX], before[PATH_MAX + 2];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "%s/failed-logins.jsonl", ast_config_AST_LOG_DIR);
	snprintf(before, sizeof(before), "%s.1", path);
	if (!stat(path, &status) && status.st_size > LONGEST_FILE) {
		rename(path, before);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return;
	}
	if (write(fd, ast_str_buffer(lines), ast_str_strlen(lines)) < 0) {
		ast_debug(1, "%s cannot be written: %s\n", path, strerror(errno));
	}
	close(fd);
}

static void *write_each_second(void *data)
{
	int last = 0;

	while (!last) {
		struct timespec until;
		struct ast_str *lines;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		ast_mutex_lock(&lock);
		while (!stopping && ast_cond_timedwait(&wake, &lock, &until) != ETIMEDOUT) {
		}
		last = stopping;
		lines = taken();
		ast_mutex_unlock(&lock);
		if (lines) {
			append(lines);
			ast_free(lines);
		}
	}
	return NULL;
}

static void stop_writing(void)
{
	ast_mutex_lock(&lock);
	stopping = 1;
	ast_cond_signal(&wake);
	ast_mutex_unlock(&lock);
	if (writer != AST_PTHREADT_NULL) {
		pthread_join(writer, NULL);
		writer = AST_PTHREADT_NULL;
	}
}

static int unload_module(void)
{
	events = stasis_unsubscribe_and_join(events);
	ast_unregister_atexit(stop_writing);
	stop_writing();
	ast_cond_destroy(&wake);
	return 0;
}

static int load_module(void)
{
	pthread_condattr_t by_clock;

	pthread_condattr_init(&by_clock);
	pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
	ast_cond_init(&wake, &by_clock);
	pthread_condattr_destroy(&by_clock);
	stopping = 0;
	if (ast_pthread_create_background(&writer, NULL, write_each_second, NULL)) {
		writer = AST_PTHREADT_NULL;
		return AST_MODULE_LOAD_DECLINE;
	}
	events = stasis_subscribe(ast_security_topic(), on_event, NULL);
	if (!events) {
		unload_module();
		return AST_MODULE_LOAD_DECLINE;
	}
	stasis_subscription_accept_message_type(events, ast_security_event_type());
	stasis_subscription_set_filter(events, STASIS_SUBSCRIPTION_FILTER_SELECTIVE);
	ast_register_atexit(stop_writing);
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO_STANDARD_EXTENDED(ASTERISK_GPL_KEY, "Counts failed SIP logins");
