/*
 * cel_event_log: writes the event log (CEL), and says whether there is room in it for a call.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is: it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * A row is what cel_custom would write by these fields, every one quoted (RFC 4180), and one more:
 *
 *   EventType,EventTime,UniqueID,LinkedID,ChanName,Num,Name,Exten,Context,AccountCode,userdeftype,EventExtra,Steady
 *
 * Steady is the same moment by CLOCK_MONOTONIC, in microseconds: how long a call lasts is told by that, whatever
 * somebody does to the clock on the wall.
 *
 * cel_custom drops what the disk refuses, or leaves half a row, and tells nobody. Here a row is written whole or
 * not at all; what was refused waits in memory, in its order, until there is room. Space is reserved beyond the
 * end of the file, so that a disk which others have filled still takes the ends of the calls that are up.
 *
 * LOG_ROOM() is "1" while a call that begins now can be told to its end, else "0". The command "event log show" tells
 * the same, how many channels were told "0", and how many rows wait or are lost.
 */

#define AST_MODULE "cel_event_log"
#define AST_MODULE_SELF_SYM __internal_cel_event_log_self

#include "asterisk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "asterisk/cel.h"
#include "asterisk/channel.h"
#include "asterisk/cli.h"
#include "asterisk/config.h"
#include "asterisk/event.h"
#include "asterisk/linkedlists.h"
#include "asterisk/lock.h"
#include "asterisk/module.h"
#include "asterisk/pbx.h"
#include "asterisk/strings.h"

static const char backend[] = "Trunkline's event log";
static const char settings[] = "cel_event_log.conf";

/* Reserved beyond the end of the file, and made whole again once half of it is used. A call has about 6 KB of rows. */
#define RESERVE (4 * 1024 * 1024)
/* How much may wait in memory. */
#define MOST (64 * 1024 * 1024)
#define TRY_EVERY_MS 200
/* A row comes later than what it tells of, but not by more than that: else the clock was set in between. */
#define LATEST 10000000

struct row {
	AST_LIST_ENTRY(row) next;
	size_t bytes;
	char text[0];
};

/*! Guards all that follows. Who holds it may wait for the disk, as the rows of CEL always have. */
AST_MUTEX_DEFINE_STATIC(lock);
static AST_LIST_HEAD_NOLOCK(, row) waiting;
static size_t waiting_bytes;
static unsigned int waiting_rows;
static unsigned int lost;
static unsigned int refused;
static int trouble;
static int full;
static ino_t reserved_in;
static off_t reserved_to;

static char file[PATH_MAX];
static int64_t keep_free;

static ast_cond_t wake;
static pthread_t writer = AST_PTHREADT_NULL;
static int stopping;

/*! Asked of the kernel itself: what is preloaded to set a program's clock often sets its monotonic one as well. */
static int64_t microseconds(clockid_t clock)
{
	struct timespec now = { 0, };

	if (clock == CLOCK_REALTIME) {
		clock_gettime(clock, &now);
	} else {
		syscall(SYS_clock_gettime, clock, &now);
	}
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- The file; all with the lock held ---- */

static int open_log(void)
{
	return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/*! Nonzero when the disk has not as much room left. Where nothing can be reserved, nothing is. */
static int reserve(int fd, const struct stat *status)
{
	if (status->st_ino == reserved_in && status->st_size + RESERVE / 2 <= reserved_to) {
		return 0;
	}
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, status->st_size, RESERVE)) {
		return errno != EOPNOTSUPP && errno != ENOSYS;
	}
	reserved_in = status->st_ino;
	reserved_to = status->st_size + RESERVE;
	return 0;
}

/*! Zero, or why the row is not written: then nothing of it is. */
static int write_row(int fd, const struct row *row, off_t end)
{
	size_t done = 0;

	while (done < row->bytes) {
		ssize_t res = write(fd, row->text + done, row->bytes - done);
		int why = res < 0 ? errno : ENOSPC;

		if (res > 0) {
			done += res;
		} else if (res == 0 || why != EINTR) {
			if (done && ftruncate(fd, end)) {
				/* Half a row stays; who reads finds the next one by its beginning. */
				ast_log(LOG_ERROR, "%s cannot be cut back: %s\n", file, strerror(errno));
			}
			return why;
		}
	}
	return 0;
}

/*! Write what waits, in its order, as far as the disk takes it. Returns zero, or why it does not. */
static int write_waiting(void)
{
	struct stat status;
	struct row *row;
	int fd, why = 0;

	if (AST_LIST_EMPTY(&waiting)) {
		return 0;
	}
	if ((fd = open_log()) < 0 || fstat(fd, &status)) {
		why = errno;
	} else {
		while ((row = AST_LIST_FIRST(&waiting)) && !(why = write_row(fd, row, status.st_size))) {
			AST_LIST_REMOVE_HEAD(&waiting, next);
			status.st_size += row->bytes;
			waiting_bytes -= row->bytes;
			waiting_rows--;
			ast_free(row);
		}
		reserve(fd, &status);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (why && !trouble) {
		ast_log(LOG_ERROR, "%s cannot be written: %s\n", file, strerror(why));
	} else if (!why && trouble) {
		ast_log(LOG_NOTICE, "%s is written again; %u rows are lost\n", file, lost);
	}
	trouble = why;
	return why;
}

static int has_room(void)
{
	struct statvfs disk;
	struct stat status;
	int fd, room;

	if (write_waiting() || (fd = open_log()) < 0) {
		return 0;
	}
	room = !fstat(fd, &status) && !reserve(fd, &status) && !fstatvfs(fd, &disk)
		&& (!disk.f_blocks || (int64_t) disk.f_bavail * (int64_t) disk.f_frsize >= keep_free);
	close(fd);
	return room;
}

/* ---- A row ---- */

static void append(struct ast_str **text, const char *value)
{
	const char *from = S_OR(value, ""), *quote;

	ast_str_append(text, 0, "%s", ast_str_strlen(*text) ? ",\"" : "\"");
	while ((quote = strchr(from, '"'))) {
		ast_str_append_substr(text, 0, from, quote - from + 1);
		ast_str_append(text, 0, "\"");
		from = quote + 1;
	}
	ast_str_append(text, 0, "%s\"", from);
}

static void append_number(struct ast_str **text, const char *format, int64_t one, int64_t two)
{
	char number[48];

	snprintf(number, sizeof(number), format, one, two);
	append(text, number);
}

static int64_t steady_of(const struct timeval *at)
{
	int64_t late = microseconds(CLOCK_REALTIME) - ((int64_t) at->tv_sec * 1000000 + at->tv_usec);

	return microseconds(CLOCK_MONOTONIC) - (late > 0 && late < LATEST ? late : 0);
}

static void describe(struct ast_str **text, struct ast_event *event)
{
	struct ast_cel_event_record told = { .version = AST_CEL_EVENT_RECORD_VERSION };

	ast_cel_fill_record(event, &told);
	append(text, told.event_type == AST_CEL_USER_DEFINED ? told.user_defined_name : told.event_name);
	append_number(text, "%" PRId64 ".%06" PRId64, told.event_time.tv_sec, told.event_time.tv_usec);
	append(text, told.unique_id);
	append(text, told.linked_id);
	append(text, told.channel_name);
	append(text, told.caller_id_num);
	append(text, told.caller_id_name);
	append(text, told.extension);
	append(text, told.context);
	append(text, told.account_code);
	append(text, told.user_defined_name);
	append(text, told.extra);
	append_number(text, "%" PRId64, steady_of(&told.event_time), 0);
	ast_str_append(text, 0, "\n");
}

static void on_event(struct ast_event *event)
{
	struct ast_str *text = ast_str_create(512);
	struct row *row = NULL;

	if (text) {
		describe(&text, event);
		row = ast_calloc(1, sizeof(*row) + ast_str_strlen(text));
	}
	ast_mutex_lock(&lock);
	if (!row || waiting_bytes + ast_str_strlen(text) > MOST) {
		if (!lost++) {
			ast_log(LOG_ERROR, "%s loses rows: no memory is left for them\n", file);
		}
		ast_free(row);
	} else {
		row->bytes = ast_str_strlen(text);
		memcpy(row->text, ast_str_buffer(text), row->bytes);
		AST_LIST_INSERT_TAIL(&waiting, row, next);
		waiting_bytes += row->bytes;
		waiting_rows++;
		/* While the disk refuses, the other thread asks it: so a flood of rows does not. */
		if (trouble || write_waiting()) {
			ast_cond_signal(&wake);
		}
	}
	ast_mutex_unlock(&lock);
	ast_free(text);
}

static void *keep_trying(void *unused)
{
	ast_mutex_lock(&lock);
	while (!stopping) {
		if (AST_LIST_EMPTY(&waiting)) {
			ast_cond_wait(&wake, &lock);
		} else {
			int64_t due = microseconds(CLOCK_MONOTONIC) + TRY_EVERY_MS * 1000;
			struct timespec until = { .tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000 };

			ast_cond_timedwait(&wake, &lock, &until);
			if (microseconds(CLOCK_MONOTONIC) >= due || stopping) {
				write_waiting();
			}
		}
	}
	write_waiting();
	ast_mutex_unlock(&lock);
	return NULL;
}

/* ---- LOG_ROOM() ---- */

static int look(void)
{
	int room = has_room();

	if (!room && !full) {
		ast_log(LOG_ERROR, "%s has no room for new calls: they are refused\n", file);
	} else if (room && full) {
		ast_log(LOG_NOTICE, "%s has room for new calls again\n", file);
	}
	full = !room;
	return room;
}

static int log_room(struct ast_channel *chan, const char *cmd, char *data, char *buf, size_t len)
{
	int room;

	ast_mutex_lock(&lock);
	room = look();
	refused += !room;
	ast_mutex_unlock(&lock);
	ast_copy_string(buf, room ? "1" : "0", len);
	return 0;
}

static char *show(struct ast_cli_entry *entry, int cmd, struct ast_cli_args *args)
{
	int room;

	switch (cmd) {
	case CLI_INIT:
		entry->command = "event log show";
		entry->usage = "Usage: event log show\n       Whether the event log has room for new calls.\n";
		return NULL;
	case CLI_GENERATE:
		return NULL;
	}
	ast_mutex_lock(&lock);
	room = look();
	ast_cli(args->fd, "room %d refused %u waiting %u lost %u\n", room, refused, waiting_rows, lost);
	ast_mutex_unlock(&lock);
	return CLI_SUCCESS;
}

static struct ast_cli_entry commands[] = {
	AST_CLI_DEFINE(show, "Whether the event log has room for new calls"),
};

static struct ast_custom_function function = {
	.name = "LOG_ROOM",
	.synopsis = "Whether a call that begins now can be told to its end",
	.read = log_room,
	.read_max = 2,
};

/* ---- The module ---- */

static int read_settings(void)
{
	struct ast_flags flags = { 0 };
	struct ast_config *config = ast_config_load(settings, flags);
	const char *value;
	long long megabytes = 0;

	if (!config || config == CONFIG_STATUS_FILEINVALID) {
		return -1;
	}
	ast_copy_string(file, S_OR(ast_variable_retrieve(config, "general", "file"), ""), sizeof(file));
	if ((value = ast_variable_retrieve(config, "general", "keep_free_mb"))) {
		sscanf(value, "%lld", &megabytes);
	}
	keep_free = megabytes * 1024 * 1024;
	ast_config_destroy(config);
	return file[0] == '/' ? 0 : -1;
}

/*! The engine may stop without unloading its modules. */
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
	struct row *row;

	ast_custom_function_unregister(&function);
	ast_cli_unregister_multiple(commands, ARRAY_LEN(commands));
	if (ast_cel_backend_unregister(backend)) {
		return -1;
	}
	ast_unregister_atexit(stop_writing);
	stop_writing();
	while ((row = AST_LIST_REMOVE_HEAD(&waiting, next))) {
		ast_free(row);
	}
	ast_cond_destroy(&wake);
	return 0;
}

static int load_module(void)
{
	pthread_condattr_t by_clock;

	if (read_settings()) {
		ast_log(LOG_ERROR, "%s has to name the file\n", settings);
		return AST_MODULE_LOAD_DECLINE;
	}
	/* Of the two clocks, that which nobody sets. */
	pthread_condattr_init(&by_clock);
	pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
	ast_cond_init(&wake, &by_clock);
	pthread_condattr_destroy(&by_clock);
	stopping = 0;
	if (ast_pthread_create_background(&writer, NULL, keep_trying, NULL)) {
		writer = AST_PTHREADT_NULL;
		return AST_MODULE_LOAD_DECLINE;
	}
	if (ast_cel_backend_register(backend, on_event) || ast_custom_function_register(&function)
		|| ast_cli_register_multiple(commands, ARRAY_LEN(commands))) {
		unload_module();
		return AST_MODULE_LOAD_DECLINE;
	}
	ast_register_atexit(stop_writing);
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO_STANDARD_EXTENDED(ASTERISK_GPL_KEY, "Writes the event log, and says whether it has room");
