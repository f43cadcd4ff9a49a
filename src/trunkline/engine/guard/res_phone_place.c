/*
 * res_phone_place: a phone is reached where it sends from, whatever it says of where it is.
 *
 * Copyright (C) 2026, the Trunkline authors
 *
 * This one file is free software under the GNU General Public License, version 2, as Asterisk
 * itself is (../recorder/COPYING): it is a module of Asterisk. Trunkline runs Asterisk as a program of its own.
 */

/*
 * res_pjsip_nat.c (rewrite_contact) writes where a phone sends from into its Contact. Two things keep it from that:
 *
 * - It writes into the first Contact of a message, and a REGISTER may have several: the others are kept as they are, and the one
 *   that is kept is asked by OPTIONS and rung.
 * - Where a message has a Record-Route, it writes into that and leaves the Contact. But within a call a Record-Route means nothing
 *   any more (RFC 3261, 12.2), and the Contact is gone by: a re-INVITE, an UPDATE or an answer with both leads what we
 *   send in the call to any host.
 *
 * So a phone's REGISTER is left with one Contact, and its messages with no Record-Route, before res_pjsip_nat sees them. Trunks are
 * left as they are: carriers have proxies, and are known by their addresses.
 *
 * PJSIP's headers are not among Asterisk's, so what of it is needed stands here: how a module of it begins (pjsip/sip_module.h), and
 * that a list's item begins with the one before and the one after (pj/list.h). Where a received message keeps
 * what was parsed of it is found out by having one parsed. What is not as it is known here is told in the log, and nothing is done.
 */

#define AST_MODULE "res_phone_place"
#define AST_MODULE_SELF_SYM __internal_res_phone_place_self

#include "asterisk.h"

#include <sys/types.h>

#include "asterisk/astobj2.h"
#include "asterisk/module.h"
#include "asterisk/sorcery.h"
#include "asterisk/utils.h"

/*! Behind what finds the endpoint (pjsip_distributor.c), which is registered earlier with the same one, before res_pjsip_nat. */
#define PRIORITY 13
/*! More than any received message takes. */
#define RECEIVED 1000000
#define TRUNKS "trunk-"

/*! pj_str_t (pj/types.h) */
struct text {
	char *at;
	ssize_t length;
};

/*! How pjsip_hdr (pjsip/sip_msg.h) begins. */
struct header {
	struct header *prev;
	struct header *next;
};

/*! pjsip_module (pjsip/sip_module.h) */
struct part {
	struct part *prev;
	struct part *next;
	struct text name;
	int id;
	int priority;
	void *unused_before[4];
	int (*on_request)(void *received);
	int (*on_response)(void *received);
	void *unused_after[3];
};

extern int ast_sip_register_service(void *part);
extern void ast_sip_unregister_service(void *part);
extern int ast_sip_push_task_wait_servant(void *serializer, int (*task)(void *), void *data);
extern void *ast_sip_get_pjsip_endpoint(void);
extern void *ast_pjsip_rdata_get_endpoint(void *received);
extern void *pjsip_endpt_create_pool(void *endpoint, const char *name, size_t first, size_t more);
extern void pjsip_endpt_release_pool(void *endpoint, void *pool);
extern void *pjsip_parse_rdata(char *text, size_t length, void *received);
extern struct header *pjsip_msg_find_hdr_by_name(const void *message, const struct text *name, const void *from);
extern int pjsip_hdr_print_on(void *header, char *text, size_t room);

/*! Where in a received message its pointers to what was parsed of it stand: to all of it, and to its first Record-Route. */
static size_t message_at, record_route_at;

static const struct text contact = { "Contact", 7 }, record_route = { "Record-Route", 12 };

/*! It still knows what stood beside it: whoever is at it goes on. */
static void drop(struct header *header)
{
	header->prev->next = header->next;
	header->next->prev = header->prev;
}

/*! Does it end a registration? Whoever moves may end the one that was in the same REGISTER. */
static int ends(struct header *header)
{
	char text[2048], *parameters;
	int length = pjsip_hdr_print_on(header, text, sizeof(text) - 1);

	if (length <= 0) {
		return 0;
	}
	text[length] = '\0';
	parameters = strrchr(text, '>');
	parameters = parameters ? strcasestr(parameters, ";expires=") : NULL;
	return parameters && !atoi(parameters + strlen(";expires="));
}

/*! The first that does not end one is left; where all do, the first. */
static void leave_one_contact(void *message)
{
	struct header *left = pjsip_msg_find_hdr_by_name(message, &contact, NULL), *next;

	if (!left || !(next = pjsip_msg_find_hdr_by_name(message, &contact, left->next))) {
		return;
	}
	while ((next = pjsip_msg_find_hdr_by_name(message, &contact, left->next))) {
		if (ends(left) && !ends(next)) {
			drop(left);
			left = next;
		} else {
			drop(next);
		}
	}
}

static int is_phone(void *received)
{
	void *endpoint = ast_pjsip_rdata_get_endpoint(received);
	int found = endpoint && strncmp(ast_sorcery_object_get_id(endpoint), TRUNKS, strlen(TRUNKS));

	ao2_cleanup(endpoint);
	return found;
}

static void **pointer(void *received, size_t at)
{
	return (void **) ((char *) received + at);
}

static int on_message(void *received)
{
	void *message = *pointer(received, message_at);
	struct header *found;

	if (message && is_phone(received)) {
		while ((found = pjsip_msg_find_hdr_by_name(message, &record_route, NULL))) {
			drop(found);
		}
		*pointer(received, record_route_at) = NULL;
		leave_one_contact(message);
	}
	return 0;
}

static struct part phone_place = {
	.name = { "Phone Place", 11 },
	.id = -1,
	.priority = PRIORITY,
	.on_request = on_message,
	.on_response = on_message,
};

/*! Where this stands among what was received; 0 where it does not stand just once. */
static size_t place_of(const void *wanted, void **received)
{
	size_t at, found = 0, times = 0;

	for (at = 0; wanted && at < RECEIVED / sizeof(*received); at++) {
		if (received[at] == wanted) {
			found = at * sizeof(*received);
			times++;
		}
	}
	return times == 1 ? found : 0;
}

/*! Have a message parsed, and see where that is kept. In a thread of PJSIP's. */
static int find_places(void *unused)
{
	char text[] = "OPTIONS sip:a@b SIP/2.0\r\nRecord-Route: <sip:a>\r\nContact: <sip:a@b>\r\nContact: <sip:c@d>\r\n\r\n";
	void *endpoint = ast_sip_get_pjsip_endpoint(), **received, *message, *pool;
	struct header *first, *second = NULL;

	if (!endpoint || !(received = ast_calloc(1, RECEIVED))) {
		return -1;
	}
	if ((pool = pjsip_endpt_create_pool(endpoint, "phone place", 4000, 4000))) {
		received[0] = pool;
		if ((message = pjsip_parse_rdata(text, strlen(text), received))) {
			message_at = place_of(message, received);
			record_route_at = place_of(pjsip_msg_find_hdr_by_name(message, &record_route, NULL), received);
			first = pjsip_msg_find_hdr_by_name(message, &contact, NULL);
			second = first ? pjsip_msg_find_hdr_by_name(message, &contact, first->next) : NULL;
			second = second && first->next == second && second->prev == first ? second : NULL;
		}
		pjsip_endpt_release_pool(endpoint, pool);
	}
	ast_free(received);
	return message_at && record_route_at && second ? 0 : -1;
}

static int unload_module(void)
{
	ast_sip_unregister_service(&phone_place);
	return 0;
}

static int load_module(void)
{
	if (ast_sip_push_task_wait_servant(NULL, find_places, NULL) || ast_sip_register_service(&phone_place)) {
		ast_log(LOG_ERROR, "PJSIP is not as it is known: what phones say of where they are is gone by\n");
		return AST_MODULE_LOAD_DECLINE;
	}
	return AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER, "A phone is reached where it sends from",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.unload = unload_module,
	.load_pri = AST_MODPRI_CHANNEL_DEPEND,
	.requires = "res_pjsip",
);
