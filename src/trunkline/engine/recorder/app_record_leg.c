/*
 * app_record_leg: keeps what one leg of a call sends, packet by packet.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is: it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * RecordLeg(file) writes each voice frame that the channel's far end sends while the channel is in a
 * bridge: undecoded, with the time of its arrival and its RTP timestamp. Nothing is mixed, decoded or
 * waited for here, so live sound is as without it. Whoever joins a recorded leg in a bridge
 * without a recorder (an INVITE with Replaces runs no dialplan) gets one, in the same folder.
 *
 * The file: 8 bytes of magic, then records of 32 bytes and a payload, little-endian:
 *
 *     0  u64  wall clock, microseconds since 1970 (what the event log has, too)
 *     8  u64  monotonic clock, microseconds
 *    16  u32  RTP timestamp in milliseconds (voice), or 0
 *    20  u16  RTP sequence number (voice), or 0
 *    22  u8   kind: V voice, F the format of all voice from here on (payload: its name), D a digit begins,
 *             E a digit has ended, H hold, U hold has ended. A digit's name is not kept: it may be of a card.
 *    23  u8   1 if the RTP timestamp is known
 *    24  u32  samples (voice)
 *    28  u32  bytes of payload
 *
 * A channel's thread only copies into memory. One thread writes for all recorders, twice a second, and
 * whole records only; a file is final when it is closed.
 */

#define AST_MODULE "app_record_leg"
#define AST_MODULE_SELF_SYM __internal_app_record_leg_self

#include "asterisk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "asterisk/astobj2.h"
#include "asterisk/channel.h"
#include "asterisk/datastore.h"
#include "asterisk/format.h"
#include "asterisk/frame.h"
#include "asterisk/framehook.h"
#include "asterisk/linkedlists.h"
#include "asterisk/lock.h"
#include "asterisk/module.h"
#include "asterisk/pbx.h"
#include "asterisk/stasis.h"
#include "asterisk/stasis_bridges.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/time.h"

static const char app[] = "RecordLeg";
static const char magic[8] = { 'T', 'L', 'L', 'E', 'G', '0', '0', '1' };

/* Two seconds of anything that phones send. */
#define ROOM 65536
/* How far a recorder's memory may grow when the disk does not take it: 8 MB. */
#define MOST (128 * ROOM)
/* What one leg may cost the disk: six times G.711, and eight seconds of that at once. A phone may send what it likes. */
#define MOST_A_SECOND 65536
#define AT_ONCE (8 * MOST_A_SECOND)
#define WRITE_EVERY_MS 500

struct record {
	uint64_t wall;
	uint64_t mono;
	uint32_t ts;
	uint16_t seq;
	uint8_t kind;
	uint8_t timed;
	uint32_t samples;
	uint32_t bytes;
};

struct chunk {
	char *data;
	size_t used;
	size_t room;
};

/*! One leg's recorder. Its own lock guards what is waiting, lost and allowed, and the format. */
struct recorder {
	AST_LIST_ENTRY(recorder) next;
	int fd;
	int closing;
	int broken;
	unsigned int lost;
	unsigned int too_much;
	off_t written;
	/*! What may be kept now, in bytes, and since when it grows. */
	int64_t allowed;
	uint64_t counted;
	/*! The format of the last voice that was kept: what follows a gap tells its format again. */
	struct ast_format *format;
	struct chunk waiting;
	struct chunk spare;
	char path[0];
};

static AST_LIST_HEAD_NOLOCK(, recorder) recorders;
AST_MUTEX_DEFINE_STATIC(recorders_lock);
static ast_cond_t wake;
static pthread_t writer = AST_PTHREADT_NULL;
static int stopping;
static int live;
static struct stasis_subscription *bridges;

static uint64_t microseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void recorder_destructor(void *obj)
{
	struct recorder *recorder = obj;

	if (recorder->fd >= 0) {
		close(recorder->fd);
	}
	ast_free(recorder->waiting.data);
	ast_free(recorder->spare.data);
	ao2_cleanup(recorder->format);
}

/* ---- What a channel's thread does ---- */

/*! Both with the recorder's lock held; nonzero when it was not kept. */
static int append(struct recorder *recorder, const struct record *record, const void *payload)
{
	struct chunk *chunk = &recorder->waiting;
	size_t more = sizeof(*record) + record->bytes;

	if (chunk->used + more > chunk->room) {
		size_t room = chunk->room ? chunk->room : ROOM;
		char *data;

		while (room < chunk->used + more) {
			room *= 2;
		}
		if (room > MOST || !(data = ast_realloc(chunk->data, room))) {
			recorder->lost++;
			return -1;
		}
		chunk->data = data;
		chunk->room = room;
	}
	memcpy(chunk->data + chunk->used, record, sizeof(*record));
	if (record->bytes) {
		memcpy(chunk->data + chunk->used + sizeof(*record), payload, record->bytes);
	}
	chunk->used += more;
	return 0;
}

static int append_format(struct recorder *recorder, struct ast_format *format, const struct record *at)
{
	struct record record = *at;
	const char *name = ast_format_get_name(format);

	record.kind = 'F';
	record.samples = ast_format_get_sample_rate(format);
	record.bytes = strlen(name);
	if (append(recorder, &record, name)) {
		return -1;
	}
	ao2_replace(recorder->format, format);
	return 0;
}

static int is_allowed(struct recorder *recorder, uint64_t now, size_t more)
{
	int64_t since = now - recorder->counted;

	/* Less than AT_ONCE would take is reckoned with, so nothing overflows. */
	recorder->counted = now;
	recorder->allowed += since < 8000000 ? since * MOST_A_SECOND / 1000000 : AT_ONCE;
	if (recorder->allowed > AT_ONCE) {
		recorder->allowed = AT_ONCE;
	}
	if (recorder->allowed < (int64_t) more) {
		recorder->too_much++;
		return 0;
	}
	recorder->allowed -= more;
	return 1;
}

/*! ``format`` is that of voice, else NULL. */
static void keep(struct recorder *recorder, const struct record *record, struct ast_format *format, const void *payload)
{
	ao2_lock(recorder);
	if (is_allowed(recorder, record->mono, sizeof(*record) + record->bytes)
		&& (!format || format == recorder->format || !append_format(recorder, format, record))) {
		append(recorder, record, payload);
	}
	ao2_unlock(recorder);
}

static uint8_t kind_of(const struct ast_frame *frame)
{
	switch (frame->frametype) {
	case AST_FRAME_VOICE:
		return 'V';
	case AST_FRAME_DTMF_BEGIN:
		return 'D';
	case AST_FRAME_DTMF_END:
		return 'E';
	case AST_FRAME_CONTROL:
		return frame->subclass.integer == AST_CONTROL_HOLD ? 'H'
			: frame->subclass.integer == AST_CONTROL_UNHOLD ? 'U' : 0;
	default:
		return 0;
	}
}

static struct ast_frame *on_frame(struct ast_channel *chan, struct ast_frame *frame,
	enum ast_framehook_event event, void *data)
{
	struct recorder *recorder = data;
	struct record record = { .kind = 0 };

	if (event != AST_FRAMEHOOK_EVENT_READ || !frame || ast_test_flag(frame, AST_FRFLAG_REQUEUED)
		|| !(record.kind = kind_of(frame))) {
		return frame;
	}
	/* A hold may begin before the bridge, and lasts into it. */
	if (!ast_channel_is_bridged(chan) && (record.kind == 'V' || record.kind == 'D' || record.kind == 'E')) {
		return frame;
	}
	record.wall = microseconds(CLOCK_REALTIME);
	record.mono = microseconds(CLOCK_MONOTONIC);
	if (record.kind != 'V') {
		/* The length of a digit that ends, in milliseconds, where it is known. */
		record.ts = record.kind == 'E' && frame->len > 0 ? frame->len : 0;
		keep(recorder, &record, NULL, NULL);
		return frame;
	}
	if (frame->datalen <= 0 || !frame->data.ptr || !frame->subclass.format) {
		return frame;
	}
	if (ast_test_flag(frame, AST_FRFLAG_HAS_TIMING_INFO)) {
		record.ts = frame->ts;
		record.timed = 1;
	}
	record.seq = frame->seqno;
	record.samples = frame->samples;
	record.bytes = frame->datalen;
	keep(recorder, &record, frame->subclass.format, frame->data.ptr);
	return frame;
}

/*! Asterisk must not pass voice on behind our back (a native RTP bridge). */
static int consumes(void *data, enum ast_frame_type type)
{
	return type == AST_FRAME_VOICE || type == AST_FRAME_DTMF_BEGIN || type == AST_FRAME_DTMF_END
		|| type == AST_FRAME_CONTROL;
}

/*! The channel is gone: its reference goes to the writer, who closes the file. */
static void on_gone(void *data)
{
	struct recorder *recorder = data;

	ast_mutex_lock(&recorders_lock);
	recorder->closing = 1;
	ast_atomic_fetchadd_int(&live, -1);
	ast_cond_signal(&wake);
	/* The list has another one. Once the lock is free, the writer may give up this module. */
	ao2_ref(recorder, -1);
	ast_mutex_unlock(&recorders_lock);
}

/* ---- What the writer does ---- */

/*!
 * Write whole records or none: half of one would garble what follows it. What the disk refuses now is
 * kept for the next time; the file is as long as its last whole write.
 */
static void write_out(struct recorder *recorder)
{
	struct chunk taken;
	size_t done = 0;
	int refused = 0;

	ao2_lock(recorder);
	taken = recorder->waiting;
	recorder->waiting = recorder->spare;
	recorder->spare.data = NULL;
	recorder->spare.room = recorder->spare.used = 0;
	ao2_unlock(recorder);

	while (done < taken.used) {
		ssize_t res = write(recorder->fd, taken.data + done, taken.used - done);

		if (res < 0 && errno == EINTR) {
			continue;
		}
		if (res <= 0) {
			refused = res < 0 ? errno : ENOSPC;
			break;
		}
		done += res;
	}
	/* Only this thread asks the disk or the log for anything, and never with a lock that a call waits for. */
	if (!refused) {
		recorder->written += done;
		if (recorder->broken) {
			recorder->broken = 0;
			ast_log(LOG_NOTICE, "%s is written again\n", recorder->path);
		}
	} else {
		if (!recorder->broken) {
			recorder->broken = 1;
			ast_log(LOG_ERROR, "%s cannot be written: %s\n", recorder->path, strerror(refused));
		}
		if (done && ftruncate(recorder->fd, recorder->written)) {
			/* Then the next write begins where this one ended, and the rest of the file is lost. */
			ast_log(LOG_ERROR, "%s cannot be cut back: %s\n", recorder->path, strerror(errno));
		}
	}
	ao2_lock(recorder);
	if (!refused) {
		taken.used = 0;
		recorder->spare = taken;
	} else {
		struct chunk newer = recorder->waiting;
		size_t all = taken.used + newer.used;

		if (all > taken.room) {
			char *data = all <= MOST ? ast_realloc(taken.data, all) : NULL;

			if (data) {
				taken.data = data;
				taken.room = all;
			}
		}
		if (all > taken.room) {
			recorder->lost++;
			/* A change of format may be in what is given up. */
			ao2_cleanup(recorder->format);
			recorder->format = NULL;
		} else if (newer.used) {
			memcpy(taken.data + taken.used, newer.data, newer.used);
			taken.used = all;
		}
		newer.used = 0;
		recorder->waiting = taken;
		recorder->spare = newer;
	}
	ao2_unlock(recorder);
}

static void finish(struct recorder *recorder)
{
	if (recorder->waiting.used) {
		ast_log(LOG_ERROR, "%s lacks its last %zu bytes\n", recorder->path, recorder->waiting.used);
	}
	if (recorder->lost) {
		ast_log(LOG_ERROR, "%s lacks %u packets: no memory was left for them\n", recorder->path, recorder->lost);
	}
	if (recorder->too_much) {
		ast_log(LOG_WARNING, "%s lacks %u packets: more came than a phone has to say\n", recorder->path,
			recorder->too_much);
	}
	close(recorder->fd);
	recorder->fd = -1;
}

/*! Ends with a last write for all, also for those that still record: the engine is stopping. */
static void *write_for_all(void *unused)
{
	uint64_t due = microseconds(CLOCK_MONOTONIC);
	int last = 0;

	while (!last) {
		AST_LIST_HEAD_NOLOCK(, recorder) ended;
		struct recorder **now, *recorder;
		size_t count = 0, at;
		int in_time;

		AST_LIST_HEAD_INIT_NOLOCK(&ended);
		ast_mutex_lock(&recorders_lock);
		last = stopping;
		in_time = !last && microseconds(CLOCK_MONOTONIC) < due;
		AST_LIST_TRAVERSE_SAFE_BEGIN(&recorders, recorder, next) {
			if (recorder->closing) {
				AST_LIST_REMOVE_CURRENT(next);
				AST_LIST_INSERT_TAIL(&ended, recorder, next);
			} else {
				count++;
			}
		}
		AST_LIST_TRAVERSE_SAFE_END;
		if (in_time && AST_LIST_EMPTY(&ended)) {
			struct timespec until = { .tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000 };

			ast_cond_timedwait(&wake, &recorders_lock, &until);
			ast_mutex_unlock(&recorders_lock);
			continue;
		}
		now = !in_time && count ? ast_malloc(count * sizeof(*now)) : NULL;
		at = 0;
		if (now) {
			AST_LIST_TRAVERSE(&recorders, recorder, next) {
				now[at++] = ao2_bump(recorder);
			}
		}
		ast_mutex_unlock(&recorders_lock);

		while ((recorder = AST_LIST_REMOVE_HEAD(&ended, next))) {
			write_out(recorder);
			finish(recorder);
			ao2_ref(recorder, -1);
			ast_module_unref(ast_module_info->self);
		}
		while (at) {
			recorder = now[--at];
			write_out(recorder);
			ao2_ref(recorder, -1);
		}
		ast_free(now);
		if (!in_time) {
			due = microseconds(CLOCK_MONOTONIC) + WRITE_EVERY_MS * 1000;
		}
	}
	return NULL;
}

/* ---- Attaching a recorder ---- */

/*! Says that a channel has a recorder, and in which folder its file is. */
static const struct ast_datastore_info recorded = {
	.type = "record_leg",
	.destroy = ast_free_ptr,
};

static int attach(struct ast_channel *chan, const char *path)
{
	struct ast_framehook_interface hook = {
		.version = AST_FRAMEHOOK_INTERFACE_VERSION,
		.event_cb = on_frame,
		.destroy_cb = on_gone,
		.consume_cb = consumes,
	};
	struct recorder *recorder;
	struct ast_datastore *datastore;
	char *slash;
	int res = -1;

	ast_channel_lock(chan);
	/* Nobody would ever take the hook off a channel that is hung up already. */
	if (ast_test_flag(ast_channel_flags(chan), AST_FLAG_ZOMBIE)
		|| ast_channel_datastore_find(chan, &recorded, NULL)) {
		ast_channel_unlock(chan);
		return 0;
	}
	datastore = ast_datastore_alloc(&recorded, NULL);
	recorder = ao2_alloc(sizeof(*recorder) + strlen(path) + 1, recorder_destructor);
	if (!datastore || !recorder || !(datastore->data = ast_strdup(path))) {
		goto done;
	}
	strcpy(recorder->path, path); /* Safe */
	recorder->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (recorder->fd < 0) {
		ast_log(LOG_ERROR, "%s cannot be written: %s\n", path, strerror(errno));
		goto done;
	}
	recorder->written = lseek(recorder->fd, 0, SEEK_END);
	recorder->allowed = AT_ONCE;
	recorder->counted = microseconds(CLOCK_MONOTONIC);
	/* A file that is there already goes on. The disk may be full now, and have room for the sound later. */
	if (!recorder->written) {
		if (!(recorder->waiting.data = ast_malloc(ROOM))) {
			goto done;
		}
		recorder->waiting.room = ROOM;
		memcpy(recorder->waiting.data, magic, sizeof(magic));
		recorder->waiting.used = sizeof(magic);
	}
	if ((slash = strrchr(datastore->data, '/'))) {
		slash[1] = '\0';
	}
	hook.data = ao2_bump(recorder);
	if (ast_framehook_attach(chan, &hook) < 0) {
		ao2_ref(recorder, -1);
		goto done;
	}
	ast_module_ref(ast_module_info->self);
	ao2_ref(recorder, +1);
	ast_mutex_lock(&recorders_lock);
	AST_LIST_INSERT_TAIL(&recorders, recorder, next);
	ast_atomic_fetchadd_int(&live, +1);
	ast_mutex_unlock(&recorders_lock);
	ast_channel_datastore_add(chan, datastore);
	datastore = NULL;
	res = 0;
done:
	ast_channel_unlock(chan);
	ao2_cleanup(recorder);
	if (datastore) {
		ast_datastore_free(datastore);
	}
	return res;
}

static int record_leg_exec(struct ast_channel *chan, const char *path)
{
	if (ast_strlen_zero(path) || path[0] != '/') {
		ast_log(LOG_ERROR, "RecordLeg wants the absolute path of a file\n");
		return 0;
	}
	/* A call goes on without its recording; its record will say that there is none. */
	attach(chan, path);
	return 0;
}

/* ---- Who joins a recorded leg ---- */

static char *folder_of(const char *id)
{
	struct ast_channel *chan = ast_channel_get_by_name(id);
	struct ast_datastore *datastore;
	char *folder = NULL;

	if (!chan) {
		return NULL;
	}
	ast_channel_lock(chan);
	if ((datastore = ast_channel_datastore_find(chan, &recorded, NULL))) {
		folder = ast_strdup(datastore->data);
	}
	ast_channel_unlock(chan);
	ast_channel_unref(chan);
	return folder;
}

static void attach_in(const char *folder, const char *id)
{
	struct ast_channel *chan = ast_channel_get_by_name(id);
	char path[PATH_MAX];
	char *dot;

	if (!chan) {
		return;
	}
	if (!strncasecmp(ast_channel_name(chan), "PJSIP/", 6)
		&& snprintf(path, sizeof(path), "%s%s.leg", folder, id) < (int) sizeof(path)) {
		for (dot = path + strlen(folder); (dot = strchr(dot, '.')) && strcmp(dot, ".leg"); *dot = '-') {
		}
		attach(chan, path);
	}
	ast_channel_unref(chan);
}

static void on_bridge(void *data, struct stasis_subscription *sub, struct stasis_message *message)
{
	struct ast_bridge_blob *blob;
	struct ao2_iterator ids;
	char *id, *folder = NULL;

	if (stasis_message_type(message) != ast_channel_entered_bridge_type()) {
		return;
	}
	blob = stasis_message_data(message);
	if (!ast_atomic_fetchadd_int(&live, 0) || ao2_container_count(blob->bridge->channels) < 2) {
		return;
	}
	ids = ao2_iterator_init(blob->bridge->channels, 0);
	for (; !folder && (id = ao2_iterator_next(&ids)); ao2_ref(id, -1)) {
		folder = folder_of(id);
	}
	ao2_iterator_destroy(&ids);
	if (!folder) {
		return;
	}
	ids = ao2_iterator_init(blob->bridge->channels, 0);
	for (; (id = ao2_iterator_next(&ids)); ao2_ref(id, -1)) {
		attach_in(folder, id);
	}
	ao2_iterator_destroy(&ids);
	ast_free(folder);
}

/*! The engine may stop without unloading its modules, and with calls under way: what they have said is written. */
static void stop_writing(void)
{
	ast_mutex_lock(&recorders_lock);
	stopping = 1;
	ast_cond_signal(&wake);
	ast_mutex_unlock(&recorders_lock);
	if (writer != AST_PTHREADT_NULL) {
		pthread_join(writer, NULL);
		writer = AST_PTHREADT_NULL;
	}
}

static int unload_module(void)
{
	if (ast_atomic_fetchadd_int(&live, 0)) {
		return -1; /* Its hooks are in use. */
	}
	ast_unregister_application(app);
	bridges = stasis_unsubscribe_and_join(bridges);
	ast_unregister_atexit(stop_writing);
	stop_writing();
	ast_cond_destroy(&wake);
	return 0;
}

static int load_module(void)
{
	pthread_condattr_t by_clock;

	/* Of the two clocks, that which nobody sets. */
	pthread_condattr_init(&by_clock);
	pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
	ast_cond_init(&wake, &by_clock);
	pthread_condattr_destroy(&by_clock);
	stopping = 0;
	if (ast_pthread_create_background(&writer, NULL, write_for_all, NULL)) {
		writer = AST_PTHREADT_NULL;
		return AST_MODULE_LOAD_DECLINE;
	}
	bridges = stasis_subscribe(ast_bridge_topic_all(), on_bridge, NULL);
	if (!bridges || ast_register_application(app, record_leg_exec, "Record what this leg sends",
			"RecordLeg(/path/of/file): keep each voice frame of the far end with its times, while in a bridge.")) {
		unload_module();
		return AST_MODULE_LOAD_DECLINE;
	}
	stasis_subscription_accept_message_type(bridges, ast_channel_entered_bridge_type());
	stasis_subscription_set_filter(bridges, STASIS_SUBSCRIPTION_FILTER_SELECTIVE);
	ast_register_atexit(stop_writing);
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO_STANDARD_EXTENDED(ASTERISK_GPL_KEY, "Records what a leg sends, packet by packet");
