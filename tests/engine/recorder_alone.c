/*
 * The recorder without Asterisk: its source is included, and what it asks Asterisk for is here, as small as it can be.
 * So it runs under sanitizers, and a test has the disk, the frames and the module's life in its hands.
 *
 * recorder_alone SCENE FOLDER prints what there is to see.
 */

#include SOURCE

#include <pthread.h>
#include <stdarg.h>
#include <sys/resource.h>

/* Asterisk's headers forbid these to modules. */
#undef calloc
#undef free
#undef malloc
#undef realloc
#undef strdup
#undef pthread_cond_t
#undef pthread_mutex_t
#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#undef pthread_mutex_init
#undef pthread_cond_init
#undef pthread_cond_signal
#undef pthread_cond_destroy
#undef pthread_cond_timedwait
#undef pthread_create

struct object { int count; ao2_destructor_fn destroy; pthread_mutex_t lock; };
static int objects;

static struct object *of(void *data) { return (struct object *) data - 1; }

void *__ao2_alloc(size_t size, ao2_destructor_fn destroy, unsigned int o, const char *t, const char *f, int l, const char *fn)
{
	struct object *made = calloc(1, sizeof(*made) + size);

	made->count = 1;
	made->destroy = destroy;
	pthread_mutex_init(&made->lock, NULL);
	__atomic_add_fetch(&objects, 1, __ATOMIC_SEQ_CST);
	return made + 1;
}

int __ao2_ref(void *data, int delta, const char *t, const char *f, int l, const char *fn)
{
	struct object *object = of(data);
	int before = __atomic_fetch_add(&object->count, delta, __ATOMIC_SEQ_CST);

	if (before + delta == 0) {
		if (object->destroy) {
			object->destroy(data);
		}
		free(object);
		__atomic_sub_fetch(&objects, 1, __ATOMIC_SEQ_CST);
	}
	return before;
}

void __ao2_cleanup_debug(void *data, const char *t, const char *f, int l, const char *fn)
{
	if (data) {
		__ao2_ref(data, -1, t, f, l, fn);
	}
}

int __ao2_lock(void *data, enum ao2_lock_req how, const char *f, const char *fn, int l, const char *v)
{
	return pthread_mutex_lock(&of(data)->lock);
}

int __ao2_unlock(void *data, const char *f, const char *fn, int l, const char *v)
{
	return pthread_mutex_unlock(&of(data)->lock);
}

int __ast_pthread_mutex_lock(const char *f, int l, const char *fn, const char *n, ast_mutex_t *t)
{
	return pthread_mutex_lock(&t->mutex);
}

int __ast_pthread_mutex_unlock(const char *f, int l, const char *fn, const char *n, ast_mutex_t *t)
{
	return pthread_mutex_unlock(&t->mutex);
}

int __ast_cond_init(const char *f, int l, const char *fn, const char *n, ast_cond_t *cond, pthread_condattr_t *attr)
{
	return pthread_cond_init((pthread_cond_t *) cond, attr);
}

int __ast_cond_signal(const char *f, int l, const char *fn, const char *n, ast_cond_t *cond)
{
	return pthread_cond_signal((pthread_cond_t *) cond);
}

int __ast_cond_destroy(const char *f, int l, const char *fn, const char *n, ast_cond_t *cond)
{
	return pthread_cond_destroy((pthread_cond_t *) cond);
}

int __ast_cond_timedwait(const char *f, int l, const char *fn, const char *n, const char *m, ast_cond_t *cond, ast_mutex_t *t, const struct timespec *until)
{
	return pthread_cond_timedwait((pthread_cond_t *) cond, &t->mutex, until);
}

int ast_pthread_create_stack(pthread_t *thread, pthread_attr_t *attr, void *(*start)(void *), void *data, size_t stack, const char *f, const char *c, int l, const char *fn)
{
	return pthread_create(thread, attr, start, data);
}

int ast_background_stacksize(void) { return 0; }
void *__ast_malloc(size_t size, const char *f, int l, const char *fn) { return malloc(size); }
void *__ast_realloc(void *old, size_t size, const char *f, int l, const char *fn) { return realloc(old, size); }
void __ast_free(void *old, const char *f, int l, const char *fn) { free(old); }
char *__ast_strdup(const char *s, const char *f, int l, const char *fn) { return strdup(s); }
void ast_free_ptr(void *old) { free(old); }

static int used;

void __ast_module_unref(struct ast_module *mod, const char *f, int l, const char *fn)
{
	__atomic_sub_fetch(&used, 1, __ATOMIC_SEQ_CST);
}

struct ast_module *__ast_module_ref(struct ast_module *mod, const char *f, int l, const char *fn)
{
	__atomic_add_fetch(&used, 1, __ATOMIC_SEQ_CST);
	return mod;
}

static const struct ast_module_info *module;
static void (*at_exit)(void);

void ast_module_register(const struct ast_module_info *info) { module = info; }
void ast_module_unregister(const struct ast_module_info *info) { }
int ast_register_application2(const char *a, int (*e)(struct ast_channel *, const char *), const char *s, const char *d, void *m) { return 0; }
int ast_unregister_application(const char *a) { return 0; }
int ast_register_atexit(void (*func)(void)) { at_exit = func; return 0; }
void ast_unregister_atexit(void (*func)(void)) { at_exit = NULL; }

void ast_log(int level, const char *f, int l, const char *fn, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	printf("log ");
	vprintf(text, args);
	va_end(args);
}

struct ast_format { const char *name; };

const char *ast_format_get_name(const struct ast_format *format) { return format->name; }
unsigned int ast_format_get_sample_rate(const struct ast_format *format) { return 8000; }

struct ast_channel { struct ast_flags flags; struct ast_datastore *datastore; struct ast_framehook_interface hook; };

struct ast_flags *ast_channel_flags(struct ast_channel *chan) { return &chan->flags; }
const char *ast_channel_name(const struct ast_channel *chan) { return "PJSIP/1"; }
int ast_channel_is_bridged(const struct ast_channel *chan) { return 1; }
struct ast_channel *ast_channel_get_by_name(const char *name) { return NULL; }
struct ast_datastore *ast_channel_datastore_find(struct ast_channel *chan, const struct ast_datastore_info *i, const char *u) { return chan->datastore; }
int ast_channel_datastore_add(struct ast_channel *chan, struct ast_datastore *made) { chan->datastore = made; return 0; }
int ast_framehook_attach(struct ast_channel *chan, struct ast_framehook_interface *hook) { chan->hook = *hook; return 1; }

struct ast_datastore *__ast_datastore_alloc(const struct ast_datastore_info *info, const char *uid, struct ast_module *m, const char *f, int l, const char *fn)
{
	struct ast_datastore *made = calloc(1, sizeof(*made));

	made->info = info;
	return made;
}

int ast_datastore_free(struct ast_datastore *datastore)
{
	if (datastore->data) {
		datastore->info->destroy(datastore->data);
	}
	free(datastore);
	return 0;
}

struct stasis_subscription *__stasis_subscribe(struct stasis_topic *t, stasis_subscription_cb c, void *d, const char *f, int l, const char *fn) { return (void *) &used; }
struct stasis_subscription *stasis_unsubscribe_and_join(struct stasis_subscription *s) { return NULL; }
int stasis_subscription_accept_message_type(struct stasis_subscription *s, const struct stasis_message_type *t) { return 0; }
int stasis_subscription_set_filter(struct stasis_subscription *s, enum stasis_subscription_message_filter f) { return 0; }
struct stasis_topic *ast_bridge_topic_all(void) { return NULL; }
struct stasis_message_type *ast_channel_entered_bridge_type(void) { return NULL; }
struct stasis_message_type *stasis_message_type(const struct stasis_message *m) { return NULL; }
void *stasis_message_data(const struct stasis_message *m) { return NULL; }
int ao2_container_count(struct ao2_container *c) { return 0; }
struct ao2_iterator ao2_iterator_init(struct ao2_container *c, int flags) { return (struct ao2_iterator) { .flags = 0 }; }
void ao2_iterator_destroy(struct ao2_iterator *i) { }
void *__ao2_iterator_next(struct ao2_iterator *i, const char *t, const char *f, int l, const char *fn) { return NULL; }

/* ---- Scenes ---- */

static char payload[60000];

static struct ast_format *format_of(const char *name)
{
	struct ast_format *format = __ao2_alloc(sizeof(*format), NULL, 0, NULL, NULL, 0, NULL);

	format->name = name;
	return format;
}

static void says(struct ast_channel *chan, struct ast_format *format, int bytes)
{
	struct ast_frame frame = { .frametype = AST_FRAME_VOICE, .datalen = bytes, .samples = bytes };

	frame.subclass.format = format;
	frame.data.ptr = payload;
	chan->hook.event_cb(chan, &frame, AST_FRAMEHOOK_EVENT_READ, chan->hook.data);
}

static void hang_up(struct ast_channel *chan)
{
	if (chan->hook.destroy_cb) {
		chan->hook.destroy_cb(chan->hook.data);
	}
	if (chan->datastore) {
		ast_datastore_free(chan->datastore);
	}
	ao2_cleanup(chan);
}

static struct ast_channel *called(const char *folder, const char *name)
{
	struct ast_channel *chan = __ao2_alloc(sizeof(*chan), NULL, 0, NULL, NULL, 0, NULL);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.leg", folder, name);
	record_leg_exec(chan, path);
	return chan;
}

static void disk_takes(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	setrlimit(RLIMIT_FSIZE, &limit);
}

static void pause_ms(int ms) { usleep(ms * 1000); }

int main(int argc, char **argv)
{
	const char *scene = argv[1], *folder = argv[2];
	struct ast_format *ulaw = format_of("ulaw"), *alaw = format_of("alaw");
	struct ast_channel *chan;
	char path[PATH_MAX];
	int n;

	signal(SIGXFSZ, SIG_IGN);
	setbuf(stdout, NULL);
	module->load();
	if (!strcmp(scene, "calls")) {
		for (n = 0; n < 300; n++) {
			snprintf(path, sizeof(path), "leg%d", n);
			chan = called(folder, path);
			says(chan, ulaw, 160);
			hang_up(chan);
		}
	} else if (!strcmp(scene, "full")) {
		/* The disk is full as the leg begins and for so long that memory runs out amid a change of format. */
		disk_takes(0);
		chan = called(folder, "leg");
		says(chan, ulaw, 160);
		pause_ms(700);
		for (n = 0; n < 200; n++) {
			pause_ms(n % 10 ? 0 : 700);
			ao2_lock((struct recorder *) chan->hook.data);
			((struct recorder *) chan->hook.data)->allowed = AT_ONCE;
			ao2_unlock((struct recorder *) chan->hook.data);
			says(chan, n < 190 ? ulaw : alaw, sizeof(payload));
		}
		disk_takes(100000);
		pause_ms(700);
		disk_takes(RLIM_INFINITY);
		pause_ms(700);
		says(chan, alaw, 80);
		hang_up(chan);
	} else if (!strcmp(scene, "flood")) {
		chan = called(folder, "leg");
		for (n = 0; n < 100000; n++) {
			says(chan, n % 2 ? ulaw : alaw, 1400);
		}
		says(chan, ulaw, 0);
		hang_up(chan);
	} else if (!strcmp(scene, "late")) {
		chan = __ao2_alloc(sizeof(*chan), NULL, 0, NULL, NULL, 0, NULL);
		ast_set_flag(&chan->flags, AST_FLAG_ZOMBIE);
		snprintf(path, sizeof(path), "%s/leg.leg", folder);
		attach(chan, path);
		hang_up(chan);
	} else if (!strcmp(scene, "stopped")) {
		chan = called(folder, "leg");
		says(chan, ulaw, 160);
		printf("unload %d\n", module->unload() ? -1 : 0);
		at_exit();
		fflush(stdout);
		_exit(0);
	}
	for (n = 0; n < 300 && __atomic_load_n(&used, __ATOMIC_SEQ_CST); n++) {
		pause_ms(10);
	}
	printf("used %d\n", used);
	if (!used) {
		module->unload();
	}
	ao2_cleanup(ulaw);
	ao2_cleanup(alaw);
	printf("objects %d\n", objects);
	return 0;
}
