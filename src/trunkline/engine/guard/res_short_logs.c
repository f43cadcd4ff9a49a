/*
 * res_short_logs: keeps the engine's own logs short, whether anybody else runs or not.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * Asterisk rotates a log when it is told to, or past 1 GB at a reload, and keeps every old one. Here a log that has grown
 * past LONGEST becomes NAME.1, in place of the one before, and the logger opens its files anew; for what is printed
 * (console.log) the file is opened anew in the place of stdout and stderr. (logger.conf says rotatestrategy = none, so that Asterisk
 * itself renames nothing.) A log that the logger gave up while the disk was full is taken up again within REOPEN looks.
 *
 * The event log (CEL) is not touched: nothing of that may go before it was taken in.
 */

#define AST_MODULE "res_short_logs"
#define AST_MODULE_SELF_SYM __internal_res_short_logs_self

#include "asterisk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "asterisk/lock.h"
#include "asterisk/logger.h"
#include "asterisk/module.h"
#include "asterisk/paths.h"
#include "asterisk/utils.h"

#define LONGEST (8 << 20)
#define LOOK_EVERY 5
#define REOPEN 60

static const char *const logs[] = { "messages.log", "notices.log" };

AST_MUTEX_DEFINE_STATIC(lock);
static ast_cond_t wake;
static pthread_t watcher = AST_PTHREADT_NULL;
static int stopping;

/*! Nonzero when the log has grown and is set aside. */
static int set_aside(const char *name)
{
	char path[PATH_MAX], before[PATH_MAX + 2];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", ast_config_AST_LOG_DIR, name);
	snprintf(before, sizeof(before), "%s.1", path);
	return !stat(path, &status) && status.st_size > LONGEST && !rename(path, before);
}

static void print_anew(void)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/console.log", ast_config_AST_LOG_DIR);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
}

static void look(int reopen)
{
	size_t at;

	for (at = 0; at < ARRAY_LEN(logs); at++) {
		reopen |= set_aside(logs[at]);
	}
	if (reopen) {
		ast_logger_rotate();
	}
	if (set_aside("console.log")) {
		print_anew();
	}
}

static void *look_again_and_again(void *data)
{
	unsigned int looks = 0;

	ast_mutex_lock(&lock);
	while (!stopping) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_EVERY;
		if (ast_cond_timedwait(&wake, &lock, &until) == ETIMEDOUT && !stopping) {
			ast_mutex_unlock(&lock);
			look(++looks % REOPEN == 0);
			ast_mutex_lock(&lock);
		}
	}
	ast_mutex_unlock(&lock);
	return NULL;
}

static int unload_module(void)
{
	ast_mutex_lock(&lock);
	stopping = 1;
	ast_cond_signal(&wake);
	ast_mutex_unlock(&lock);
	if (watcher != AST_PTHREADT_NULL) {
		pthread_join(watcher, NULL);
		watcher = AST_PTHREADT_NULL;
	}
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
	if (ast_pthread_create_background(&watcher, NULL, look_again_and_again, NULL)) {
		watcher = AST_PTHREADT_NULL;
		return AST_MODULE_LOAD_DECLINE;
	}
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO_STANDARD_EXTENDED(ASTERISK_GPL_KEY, "Keeps logs short");
