/*
 * What writes the event log, without Asterisk: its source is included, and what it asks Asterisk for is here, as small
 * as it can be. So it runs under sanitizers, and a test has the disk in its hands.
 *
 * event_log_alone SCENE FILE prints what there is to see.
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
#undef pthread_cond_t
#undef pthread_mutex_t
#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#undef pthread_cond_init
#undef pthread_cond_signal
#undef pthread_cond_destroy
#undef pthread_cond_wait
#undef pthread_cond_timedwait
#undef pthread_create
#undef snprintf
#undef vsnprintf

int __ast_pthread_mutex_lock(const char *f, int l, const char *fn, const char *n, ast_mutex_t *t) { return pthread_mutex_lock(&t->mutex); }
int __ast_pthread_mutex_unlock(const char *f, int l, const char *fn, const char *n, ast_mutex_t *t) { return pthread_mutex_unlock(&t->mutex); }
int __ast_cond_init(const char *f, int l, const char *fn, const char *n, ast_cond_t *cond, pthread_condattr_t *attr) { return pthread_cond_init((pthread_cond_t *) cond, attr); }
int __ast_cond_signal(const char *f, int l, const char *fn, const char *n, ast_cond_t *cond) { return pthread_cond_signal((pthread_cond_t *) cond); }
int __ast_cond_destroy(const char *f, int l, const char *fn, const char *n, ast_cond_t *cond) { return pthread_cond_destroy((pthread_cond_t *) cond); }
int __ast_cond_wait(const char *f, int l, const char *fn, const char *n, const char *m, ast_cond_t *cond, ast_mutex_t *t) { return pthread_cond_wait((pthread_cond_t *) cond, &t->mutex); }
int __ast_cond_timedwait(const char *f, int l, const char *fn, const char *n, const char *m, ast_cond_t *cond, ast_mutex_t *t, const struct timespec *until) { return pthread_cond_timedwait((pthread_cond_t *) cond, &t->mutex, until); }
int ast_pthread_create_stack(pthread_t *thread, pthread_attr_t *attr, void *(*start)(void *), void *data, size_t stack, const char *f, const char *c, int l, const char *fn) { return pthread_create(thread, attr, start, data); }
int ast_background_stacksize(void) { return 0; }
void *__ast_malloc(size_t size, const char *f, int l, const char *fn) { return malloc(size); }
void *__ast_calloc(size_t n, size_t size, const char *f, int l, const char *fn) { return calloc(n, size); }
void __ast_free(void *old, const char *f, int l, const char *fn) { free(old); }

static char *grown(struct ast_str **buf, size_t more)
{
	size_t need = (*buf)->__AST_STR_USED + more + 1;

	if (need > (*buf)->__AST_STR_LEN) {
		*buf = realloc(*buf, sizeof(**buf) + 2 * need);
		(*buf)->__AST_STR_LEN = 2 * need;
	}
	return (*buf)->__AST_STR_STR + (*buf)->__AST_STR_USED;
}

int __ast_str_helper(struct ast_str **buf, ssize_t most, int append, const char *fmt, va_list ap, const char *f, int l, const char *fn)
{
	va_list again;
	int more;

	va_copy(again, ap);
	more = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	vsnprintf(grown(buf, more), more + 1, fmt, ap);
	(*buf)->__AST_STR_USED += more;
	return more;
}

char *__ast_str_helper2(struct ast_str **buf, ssize_t most, const char *src, size_t count, int append, int escape)
{
	char *to = grown(buf, count);

	memcpy(to, src, count);
	to[count] = '\0';
	(*buf)->__AST_STR_USED += count;
	return to;
}

static const struct ast_module_info *module;
static void (*at_exit)(void);
static ast_cel_backend_cb backend_cb;

void ast_module_register(const struct ast_module_info *info) { module = info; }
void ast_module_unregister(const struct ast_module_info *info) { }
int ast_register_atexit(void (*func)(void)) { at_exit = func; return 0; }
void ast_unregister_atexit(void (*func)(void)) { at_exit = NULL; }
int ast_cel_backend_register(const char *name, ast_cel_backend_cb cb) { backend_cb = cb; return 0; }
int ast_cel_backend_unregister(const char *name) { return 0; }
int __ast_custom_function_register(struct ast_custom_function *acf, struct ast_module *mod) { return 0; }
int ast_custom_function_unregister(struct ast_custom_function *acf) { return 0; }
int __ast_cli_register_multiple(struct ast_cli_entry *e, int len, struct ast_module *mod) { return 0; }
int ast_cli_unregister_multiple(struct ast_cli_entry *e, int len) { return 0; }

static const char *path;

struct ast_config *ast_config_load2(const char *name, const char *who, struct ast_flags flags) { return (void *) &path; }
void ast_config_destroy(struct ast_config *config) { }
const char *ast_variable_retrieve(struct ast_config *config, const char *category, const char *name) { return strcmp(name, "file") ? "1" : path; }

void ast_log(int level, const char *f, int l, const char *fn, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	printf("log ");
	vprintf(text, args);
	va_end(args);
}

void ast_cli(int fd, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	vprintf(text, args);
	va_end(args);
}

static const char *told;
static char name[16];

int ast_cel_fill_record(const struct ast_event *event, struct ast_cel_event_record *r)
{
	gettimeofday(&r->event_time, NULL);
	r->event_type = AST_CEL_ANSWER;
	r->event_name = "ANSWER";
	r->unique_id = name;
	r->caller_id_name = told;
	return 0;
}

/* ---- Scenes ---- */

static void rows(int from, int to)
{
	for (; from < to; from++) {
		sprintf(name, "%d", from);
		backend_cb(NULL);
	}
}

static void show_room(void)
{
	char said[8];

	function.read(NULL, "LOG_ROOM", "", said, sizeof(said));
	printf("room %s\n", said);
	show(NULL, 0, &(struct ast_cli_args) { .fd = 1 });
}

static void disk_takes(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	setrlimit(RLIMIT_FSIZE, &limit);
}

static char large[60001];

int main(int argc, char **argv)
{
	const char *scene = argv[1];

	path = argv[2];
	signal(SIGXFSZ, SIG_IGN);
	setbuf(stdout, NULL);
	told = "\"Ann\"\nof \"\"Ltd\", \\";
	module->load();
	if (!strcmp(scene, "rows")) {
		rows(0, 500);
		show_room();
	} else if (!strcmp(scene, "full")) {
		rows(0, 10);
		/* It ends amid the 15th row. */
		disk_takes(14 * 110 + 50);
		rows(10, 100);
		show_room();
		disk_takes(RLIM_INFINITY);
		usleep(600000);
		show_room();
	} else if (!strcmp(scene, "flood")) {
		disk_takes(0);
		memset(large, 'x', sizeof(large) - 1);
		told = large;
		rows(0, 1500);
		told = "";
		disk_takes(RLIM_INFINITY);
		usleep(600000);
		rows(1500, 1510);
		show_room();
	} else if (!strcmp(scene, "stopped")) {
		disk_takes(0);
		rows(0, 10);
		disk_takes(RLIM_INFINITY);
		at_exit();
		at_exit = NULL;
	}
	module->unload();
	return 0;
}
