/*
 * res_expected_media: a phone's sound comes from where the phone is, and from nowhere else.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * While a phone has sent nothing, res_rtp_asterisk takes four packets in a row from anybody for the phone's (its strict RTP
 * "learns"), sends the other party's sound there, and after five seconds stays with it. It answers STUN from anybody. It has
 * no setting against either but to learn nothing, and then a phone behind NAT would not be heard.
 *
 * So the kernel drops what comes to a phone's sockets from elsewhere (SO_ATTACH_FILTER): only the address that the phone
 * names in its SDP and the one that its SIP comes from (res_pjsip_nat.c writes that into its Contact) may send, from any
 * port. That is looked at when a channel's state changes and soon after, before four packets can have come, and again and again
 * for as long as it lives, since each SDP may name another address.
 *
 * Nor is sound sent to where no phone can be: to many at once, or to this machine for a phone that is not on it. A phone's SDP may
 * name such an address, and a program here would be sent whatever the other party says. Such a phone gets its sound once it has
 * been heard itself.
 *
 * A phone behind a NAT that takes another address for sound than for SIP is not heard then. That is told in the log once a call,
 * by the kernel's count of what it dropped.
 *
 * A trunk's sound may come from anywhere: carriers send from other addresses than they name, and from other ones than those of
 * their SIP. STUN is dropped there, from whomever: nothing of ours needs it.
 */

#define AST_MODULE "res_expected_media"
#define AST_MODULE_SELF_SYM __internal_res_expected_media_self

#include "asterisk.h"

#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <time.h>

#include "asterisk/channel.h"
#include "asterisk/datastore.h"
#include "asterisk/lock.h"
#include "asterisk/module.h"
#include "asterisk/netsock2.h"
#include "asterisk/pbx.h"
#include "asterisk/rtp_engine.h"
#include "asterisk/stasis.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/utils.h"

/* Strict RTP learns somebody by four packets in 22 ms or more. */
#define LOOK_SOON_MS 10
#define LOOK_EVERY_MS 200
/* For so long a channel whose state has changed is looked at soon: its SDP comes a little later. */
#define CHANGED_MS 400
/* Of so many at once; of more, all channels are. */
#define CHANGED 1000
/* Milliseconds for which the address of a phone's SIP is taken for what it was. */
#define REMEMBERED 5000
/* Two seconds of sound: so much from elsewhere, and none from the phone, is told. */
#define MUCH 100
#define PHONES "PJSIP/"
#define TRUNKS "PJSIP/trunk-"

/*! For what a channel's sockets have their filters, and since when. */
struct known {
	const struct ast_rtp_instance *sound;
	struct ast_sockaddr target;
	int64_t at;
	/*! It has been told that the phone is not heard. */
	int told;
	/*! No phone can be at the target. */
	int astray;
};

static const struct ast_datastore_info remembered = {
	.type = "expected_media",
	.destroy = ast_free_ptr,
};

AST_MUTEX_DEFINE_STATIC(lock);
static ast_cond_t wake;
static pthread_t watcher = AST_PTHREADT_NULL;
static int stopping;
static struct stasis_subscription *channels;

/*! A channel whose state has changed, and until when it is looked at soon, in milliseconds. */
struct changed {
	char name[AST_CHANNEL_NAME];
	int64_t until;
};

static struct changed changed[CHANGED];
static size_t changing;
/*! Until when all are. */
static int64_t crowded;

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- What the kernel lets through ---- */

#define STATEMENT(code, k) ((struct sock_filter) BPF_STMT(code, k))
#define JUMP(code, k, yes, no) ((struct sock_filter) BPF_JUMP(code, k, yes, no))
#define LOAD_WORD (BPF_LD | BPF_W | BPF_ABS)
#define IF_EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define ACCEPT STATEMENT(BPF_RET | BPF_K, 0xffffffff)
#define DROP STATEMENT(BPF_RET | BPF_K, 0)

static size_t add_v4(struct sock_filter *code, const struct ast_sockaddr *address)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *) &address->ss;

	code[0] = STATEMENT(LOAD_WORD, SKF_NET_OFF + 12);
	code[1] = JUMP(IF_EQUAL, ntohl(sin->sin_addr.s_addr), 0, 1);
	code[2] = ACCEPT;
	return 3;
}

static size_t add_v6(struct sock_filter *code, const struct ast_sockaddr *address)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *) &address->ss;
	size_t at, used = 0;

	for (at = 0; at < 4; at++) {
		uint32_t word;

		memcpy(&word, &sin6->sin6_addr.s6_addr[4 * at], sizeof(word));
		code[used++] = STATEMENT(LOAD_WORD, SKF_NET_OFF + 8 + 4 * at);
		code[used++] = JUMP(IF_EQUAL, ntohl(word), 0, (3 - at) * 2 + 1);
	}
	code[used++] = ACCEPT;
	return used;
}

/*! With the instance locked, so that the socket stays its own: another one may be given the same number. */
static void attach(int fd, struct sock_filter *code, size_t length)
{
	struct sock_fprog program = { .filter = code, .len = length };

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program))) {
		ast_log(LOG_WARNING, "The kernel takes no filter for sound: %s\n", strerror(errno));
	}
}

/*! RTP and RTCP are of version 2, which are the two highest bits; STUN has zeros there. A UDP header comes before. */
static void drop_stun(int fd)
{
	struct sock_filter code[] = {
		STATEMENT(BPF_LD | BPF_B | BPF_ABS, 8),
		STATEMENT(BPF_ALU | BPF_AND | BPF_K, 0xc0),
		JUMP(IF_EQUAL, 0, 0, 1),
		DROP,
		ACCEPT,
	};

	attach(fd, code, ARRAY_LEN(code));
}

/*! A socket that is made anew has none, also where it, and what it is of, stand where the ones before stood. */
static int has_filter(int fd)
{
	socklen_t length = 0;

	return fd < 0 || (!getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &length) && length > 0);
}

static void let_through(int fd, const struct ast_sockaddr *allowed, size_t count)
{
	struct sock_filter code[48];
	size_t at, used = 0, v6;

	code[used++] = STATEMENT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF);
	code[used++] = STATEMENT(BPF_ALU | BPF_RSH | BPF_K, 4);
	v6 = used++;
	for (at = 0; at < count; at++) {
		if (ast_sockaddr_is_ipv4(&allowed[at])) {
			used += add_v4(code + used, &allowed[at]);
		}
	}
	code[used++] = DROP;
	code[v6] = JUMP(IF_EQUAL, 4, 0, used - v6 - 1);
	for (at = 0; at < count; at++) {
		if (ast_sockaddr_is_ipv6(&allowed[at])) {
			used += add_v6(code + used, &allowed[at]);
		}
	}
	code[used++] = DROP;
	attach(fd, code, used);
}

/* ---- Where a phone is ---- */

/*! A mapped IPv4 address as such, without its port. */
static void add(struct ast_sockaddr *allowed, size_t *count, const struct ast_sockaddr *address)
{
	struct ast_sockaddr plain;

	if (ast_sockaddr_isnull(address)) {
		return;
	}
	if (!ast_sockaddr_ipv4_mapped(address, &plain)) {
		ast_sockaddr_copy(&plain, address);
	}
	ast_sockaddr_set_port(&plain, 0);
	ast_sockaddr_copy(&allowed[(*count)++], &plain);
}

static int is_among(const struct ast_sockaddr *address, const struct ast_sockaddr *allowed, size_t count)
{
	struct ast_sockaddr one[1];
	size_t n = 0, at;

	add(one, &n, address);
	for (at = 0; n && at < count; at++) {
		if (!ast_sockaddr_cmp_addr(&one[0], &allowed[at])) {
			return 1;
		}
	}
	return !n;
}

/*! An address, or the host of a URI where that is one. */
static void read_address(struct ast_channel *chan, const char *function, struct ast_sockaddr *address)
{
	char told[512] = "", *host = told;

	if (ast_func_read(chan, function, told, sizeof(told)) || ast_strlen_zero(told)) {
		return;
	}
	if ((host = strstr(told, "sip:")) || (host = strstr(told, "sips:"))) {
		host = strchr(host, ':') + 1;
		host = strchr(host, '@') ? strchr(host, '@') + 1 : host;
		host[strcspn(host, ";?>")] = '\0';
	} else {
		host = told;
	}
	if (!ast_sockaddr_parse(address, host, 0)) {
		ast_sockaddr_setnull(address);
	}
}

/*! What is known of a channel. With the channel locked; NULL where there is no memory for it. */
static struct known *known_of(struct ast_channel *chan)
{
	struct ast_datastore *datastore = ast_channel_datastore_find(chan, &remembered, NULL);

	if (!datastore && (datastore = ast_datastore_alloc(&remembered, NULL))) {
		if (!(datastore->data = ast_calloc(1, sizeof(struct known)))) {
			ast_datastore_free(datastore);
			return NULL;
		}
		ast_channel_datastore_add(chan, datastore);
	}
	return datastore ? datastore->data : NULL;
}

static void remember(struct ast_channel *chan, const struct known *now)
{
	struct known *known;

	ast_channel_lock(chan);
	if ((known = known_of(chan))) {
		*known = *now;
	}
	ast_channel_unlock(chan);
}

/*! Is all as it was when the sockets got their filters? */
static int is_done(struct ast_channel *chan, struct ast_rtp_instance *sound, struct known *now)
{
	struct known *known;
	int done;

	ast_channel_lock(chan);
	known = known_of(chan);
	done = known && known->sound == now->sound && now->at - known->at < REMEMBERED
		&& !ast_sockaddr_cmp(&known->target, &now->target);
	now->told = known && known->told;
	now->astray = known && known->astray;
	ast_channel_unlock(chan);
	if (done) {
		ao2_lock(sound);
		done = has_filter(ast_rtp_instance_fd(sound, 0)) && has_filter(ast_rtp_instance_fd(sound, 1));
		ao2_unlock(sound);
	}
	return done;
}

static struct ast_rtp_instance *sound_of(struct ast_channel *chan)
{
	struct ast_rtp_glue *glue = ast_rtp_instance_get_glue("PJSIP");
	struct ast_rtp_instance *found = NULL;

	if (!glue) {
		return NULL;
	}
	ast_channel_lock(chan);
	if (!ast_test_flag(ast_channel_flags(chan), AST_FLAG_ZOMBIE) && ast_channel_tech_pvt(chan)) {
		glue->get_rtp_info(chan, &found);
	}
	ast_channel_unlock(chan);
	return found;
}

/*! Is it this machine's? Of its networks' broadcast addresses none is a phone's either. */
static int is_own(const struct ast_sockaddr *address, int broadcast)
{
	struct ifaddrs *all, *one;
	struct ast_sockaddr own;
	int found = 0;

	if (getifaddrs(&all)) {
		return 0;
	}
	for (one = all; one && !found; one = one->ifa_next) {
		const struct sockaddr *of = !broadcast ? one->ifa_addr : one->ifa_flags & IFF_BROADCAST ? one->ifa_broadaddr : NULL;

		if (of && (of->sa_family == AF_INET || of->sa_family == AF_INET6)) {
			memset(&own, 0, sizeof(own));
			own.len = of->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
			memcpy(&own.ss, of, own.len);
			found = !ast_sockaddr_cmp_addr(&own, address);
		}
	}
	freeifaddrs(all);
	return found;
}

static int is_here(const struct ast_sockaddr *address)
{
	return (ast_sockaddr_is_ipv4(address) && ast_sockaddr_ipv4(address) >> 24 == 127) || is_own(address, 0);
}

/*! Can no phone whose SIP comes from there be at that target? */
static int leads_astray(const struct ast_sockaddr *target, const struct ast_sockaddr *signalling)
{
	struct ast_sockaddr to[1], from[1] = { { { 0, } } };
	size_t count = 0, known = 0;

	add(to, &count, target);
	add(from, &known, signalling);
	/* 0.0.0.0/8; groups, and what is reserved, are the highest of all. */
	if (ast_sockaddr_is_any(to) || (ast_sockaddr_is_ipv4(to) && (!(ast_sockaddr_ipv4(to) >> 24) || ast_sockaddr_ipv4(to) >> 29 == 7))) {
		return 1;
	}
	if (ast_sockaddr_is_ipv6(to) && ((const struct sockaddr_in6 *) &to->ss)->sin6_addr.s6_addr[0] == 0xff) {
		return 1;
	}
	return is_own(to, 1) || (known && is_here(to) && !is_here(from));
}

/*! Until the phone itself is heard. */
static void send_nothing(struct ast_channel *chan, struct ast_rtp_instance *sound, const struct ast_sockaddr *target)
{
	struct ast_sockaddr now = { { 0, } }, nowhere = { { 0, } };

	ast_rtp_instance_get_remote_address(sound, &now);
	if (!ast_sockaddr_isnull(&now) && !ast_sockaddr_cmp(&now, target)) {
		ast_log(LOG_WARNING, "%s: no phone is at %s, which its SDP names: nothing is sent there\n", ast_channel_name(chan),
			ast_sockaddr_stringify(target));
		ast_rtp_instance_set_remote_address(sound, &nowhere);
	}
}

/*! Where a phone's sound may come from: where it says, and where its SIP comes from. Not with the channel locked. */
static size_t places_of(
	struct ast_channel *chan, const struct ast_sockaddr *target, struct ast_sockaddr *allowed, int *astray)
{
	struct ast_sockaddr signalling = { { 0, } };
	size_t count = 0, at;

	read_address(chan, "CHANNEL(pjsip,target_uri)", &signalling);
	if (ast_sockaddr_isnull(&signalling)) {
		/* Not known of a leg that we have begun. */
		read_address(chan, "CHANNEL(pjsip,remote_addr)", &signalling);
	}
	*astray = leads_astray(target, &signalling);
	if (!*astray) {
		add(allowed, &count, target);
	}
	add(allowed, &count, &signalling);
	for (at = 0; at < count; at++) {
		if (ast_sockaddr_is_ipv4(&allowed[at]) && ast_sockaddr_ipv4(&allowed[at]) >> 24 == 127) {
			/* A program on this machine may be anywhere in 127.0.0.0/8 and yet send from its first address. */
			ast_sockaddr_parse(&signalling, "127.0.0.1", 0);
			add(allowed, &count, &signalling);
			break;
		}
	}
	return count;
}

/*! Has sound come from elsewhere alone? */
static int is_elsewhere(struct ast_rtp_instance *sound)
{
	uint32_t counted[SK_MEMINFO_VARS] = { 0, };
	socklen_t length = sizeof(counted);
	struct ast_rtp_instance_stats stats = { 0, };

	return !getsockopt(ast_rtp_instance_fd(sound, 0), SOL_SOCKET, SO_MEMINFO, counted, &length)
		&& counted[SK_MEMINFO_DROPS] >= MUCH
		&& !ast_rtp_instance_get_stats(sound, &stats, AST_RTP_INSTANCE_STAT_RXCOUNT) && !stats.rxcount;
}

static void tell(struct ast_channel *chan, const struct ast_sockaddr *allowed, size_t count)
{
	struct ast_str *places = ast_str_alloca(3 * 64);
	size_t at;

	for (at = 0; at < count; at++) {
		if (!at || ast_sockaddr_cmp_addr(&allowed[at], &allowed[at - 1])) {
			ast_str_append(&places, 0, "%s%s", at ? ", " : "", ast_sockaddr_stringify_addr(&allowed[at]));
		}
	}
	ast_log(LOG_WARNING, "%s: sound came to it from elsewhere than %s, and none from there: a stranger's, or the phone is behind "
		"a NAT with several addresses (media_from_anywhere)\n", ast_channel_name(chan), ast_str_buffer(places));
}

static void guard_phone(
	struct ast_channel *chan, struct ast_rtp_instance *sound, const struct ast_sockaddr *target, struct known *known)
{
	struct ast_sockaddr allowed[3], now = { { 0, } };
	size_t count = places_of(chan, target, allowed, &known->astray);

	ao2_lock(sound);
	let_through(ast_rtp_instance_fd(sound, 0), allowed, count);
	let_through(ast_rtp_instance_fd(sound, 1), allowed, count);
	ao2_unlock(sound);
	if (known->astray) {
		send_nothing(chan, sound, target);
	}
	ast_rtp_instance_get_remote_address(sound, &now);
	if (!known->astray && !is_among(&now, allowed, count)) {
		ast_log(LOG_NOTICE, "%s: its sound went to a stranger, %s\n", ast_channel_name(chan), ast_sockaddr_stringify(&now));
		ast_rtp_instance_set_remote_address(sound, (struct ast_sockaddr *) target);
	}
	if (!known->told && is_elsewhere(sound)) {
		tell(chan, allowed, count);
		known->told = 1;
	}
}

static void look_at(struct ast_channel *chan)
{
	struct known now = { .at = milliseconds() };
	struct ast_rtp_instance *sound;

	if (strncmp(ast_channel_name(chan), PHONES, strlen(PHONES)) || !(sound = sound_of(chan))) {
		return;
	}
	now.sound = sound;
	ast_rtp_instance_get_requested_target_address(sound, &now.target);
	/* Before that, strict RTP takes nothing from anybody. */
	if (!ast_sockaddr_isnull(&now.target) && is_done(chan, sound, &now)) {
		/* Each SDP has it set anew. */
		if (now.astray) {
			send_nothing(chan, sound, &now.target);
		}
	} else if (!ast_sockaddr_isnull(&now.target)) {
		if (strncmp(ast_channel_name(chan), TRUNKS, strlen(TRUNKS))) {
			guard_phone(chan, sound, &now.target, &now);
		} else {
			ao2_lock(sound);
			drop_stun(ast_rtp_instance_fd(sound, 0));
			drop_stun(ast_rtp_instance_fd(sound, 1));
			ao2_unlock(sound);
		}
		remember(chan, &now);
	}
	ao2_ref(sound, -1);
}

/* ---- When ---- */

static void on_channel(void *data, struct stasis_subscription *sub, struct stasis_message *message)
{
	struct ast_channel_snapshot_update *update;
	const char *name;
	size_t at;

	if (stasis_message_type(message) != ast_channel_snapshot_type()) {
		return;
	}
	update = stasis_message_data(message);
	if (!update->new_snapshot || (update->old_snapshot && update->old_snapshot->state == update->new_snapshot->state)
		|| strncmp(update->new_snapshot->base->name, PHONES, strlen(PHONES))) {
		return;
	}
	name = update->new_snapshot->base->name;
	ast_mutex_lock(&lock);
	for (at = 0; at < changing && strcmp(changed[at].name, name); at++) {
	}
	if (at < CHANGED) {
		changing = MAX(changing, at + 1);
		ast_copy_string(changed[at].name, name, sizeof(changed[at].name));
		changed[at].until = milliseconds() + CHANGED_MS;
	} else {
		crowded = milliseconds() + CHANGED_MS;
	}
	ast_cond_signal(&wake);
	ast_mutex_unlock(&lock);
}

static void look_at_one(const char *name)
{
	struct ast_channel *chan = ast_channel_get_by_name(name);

	if (chan) {
		look_at(chan);
		ast_channel_unref(chan);
	}
}

static void look_at_all(void)
{
	struct ast_channel_iterator *all = ast_channel_iterator_all_new();
	struct ast_channel *chan;

	if (!all) {
		return;
	}
	while ((chan = ast_channel_iterator_next(all))) {
		look_at(chan);
		ast_channel_unref(chan);
	}
	ast_channel_iterator_destroy(all);
}

/*! The names of those that are to be looked at now; with the lock held. */
static size_t take_changed(int64_t now, char names[][AST_CHANNEL_NAME])
{
	size_t at, count = changing;

	for (at = 0; at < count; at++) {
		ast_copy_string(names[at], changed[at].name, AST_CHANNEL_NAME);
	}
	for (at = 0; at < changing;) {
		if (changed[at].until > now) {
			at++;
		} else {
			changed[at] = changed[--changing];
		}
	}
	return count;
}

/*! Only those whose state has changed are looked at soon: else each call would cost as much as all others together. */
static void *look_again_and_again(void *data)
{
	static char names[CHANGED][AST_CHANNEL_NAME];
	int64_t all_due = 0;

	ast_mutex_lock(&lock);
	while (!stopping) {
		int64_t now = milliseconds(), due = changing || crowded > now ? MIN(all_due, now + LOOK_SOON_MS) : all_due;
		struct timespec until = { .tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000 };
		size_t count;
		int all;

		if (now < due) {
			ast_cond_timedwait(&wake, &lock, &until);
			if (stopping) {
				break;
			}
		}
		now = milliseconds();
		all = crowded > now || now >= all_due;
		count = take_changed(now, names);
		ast_mutex_unlock(&lock);
		if (all) {
			look_at_all();
			all_due = milliseconds() + LOOK_EVERY_MS;
		} else {
			while (count) {
				look_at_one(names[--count]);
			}
		}
		ast_mutex_lock(&lock);
	}
	ast_mutex_unlock(&lock);
	return NULL;
}

static int unload_module(void)
{
	channels = stasis_unsubscribe_and_join(channels);
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
	channels = stasis_subscribe(ast_channel_topic_all(), on_channel, NULL);
	if (!channels) {
		unload_module();
		return AST_MODULE_LOAD_DECLINE;
	}
	stasis_subscription_accept_message_type(channels, ast_channel_snapshot_type());
	stasis_subscription_set_filter(channels, STASIS_SUBSCRIPTION_FILTER_SELECTIVE);
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO_STANDARD_EXTENDED(ASTERISK_GPL_KEY, "A phone's sound comes from where the phone is");
