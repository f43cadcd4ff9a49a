/* What comes in: the handshake's answer, frames or server-sent events, and what they say. */
#include "receiver.h"

#include <errno.h>
#include <sys/socket.h>

struct counts counts;
uint64_t expected, *samples;
size_t sample_count, newest_length;
char newest[1 << 16];
static size_t sample_room;
static char input[1 << 20];

static void told(struct client *c, const char *text, size_t length) {
    const char *at = memmem(text, length, "resume after ", 13);
    if (!at) return;
    uint64_t resume = 0;
    for (at += 13; at < text + length && *at >= '0' && *at <= '9'; at++) resume = resume * 10 + *at - '0';
    counts.told += !c->cut; /* Socket.IO says it twice: in an error event, and as the reason for closing */
    c->cut = 1;
    if (resume > c->last) {
        fprintf(stderr, "client %d has %llu, is told %.*s\n", c->index, (unsigned long long)c->last, (int)length, text);
        counts.told_ahead++;
    }
    c->last = resume;
}

static void number(struct client *c, const char *text, size_t length) {
    static const char *keys[] = {"\"event_seq\":", "\"Event-Seq\":", "id: ", "", ""};
    const char *key = keys[kind], *at = memmem(text, length, key, strlen(key));
    if (!at || kind >= BARE) return;
    uint64_t seq = strtoull(at + strlen(key), NULL, 10);
    if (seq != c->last + 1 && (c->last || keeping)) { /* who has nothing yet begins anywhere */
        if (counts.repeats + counts.holes < 20)
            fprintf(stderr, "client %d has %llu, is sent %llu\n", c->index, (unsigned long long)c->last, (unsigned long long)seq);
        if (seq <= c->last) counts.repeats++;
        else counts.holes++;
    }
    c->last = seq;
    if (finishing && seq >= finals[c->account]) finish_if_complete();
}

static void event(struct client *c, const char *text, size_t length, uint64_t when) {
    const char *stamp = memmem(text, length, "\"@", 2);
    counts.events++;
    number(c, text, length);
    if (stamp) {
        if (sample_count == sample_room)
            samples = realloc(samples, (sample_room = sample_room * 2 + 4096) * sizeof *samples);
        samples[sample_count++] = when - strtoull(stamp + 2, NULL, 10);
    }
    if (expected && counts.events >= expected) {
        printf("got %llu\n", (unsigned long long)when);
        expected = 0;
    }
}

static void text_frame(struct client *c, const char *frame, const char *text, size_t length, uint64_t when) {
    int is_event = kind == SIO ? length > 3 && !memcmp(text, "42[", 3)
                 : kind == WS  ? memmem(text, length < 64 ? length : 64, "\"event\"", 7) != NULL
                               : 1;
    if (is_event && kind == SIO && (!memcmp(text, "42[\"error", 9) || !memcmp(text, "42[\"auth_f", 10))) {
        told(c, text, length);
        if (!c->cut) fprintf(stderr, "refused: %.*s\n", (int)(length < 300 ? length : 300), text), counts.refused++;
        return;
    }
    if (is_event && memmem(text, length < 200 ? length : 200, "\"GAP\"", 5)) {
        counts.gaps++;
        return;
    }
    if (is_event) {
        if (c->index == 0) memcpy(newest, frame, newest_length = text + length - frame);
        event(c, text, length, when);
        return;
    }
    if (kind == WS) {
        if (memmem(text, length, "\"success\"", 9)) is_live(c);
        else fprintf(stderr, "refused: %.*s\n", (int)length, text), counts.refused++;
    } else if (text[0] == '0') put_frame(c, 1, "40", 2);
    else if (text[0] == '2') put_frame(c, 1, "3", 1);
    else if (length > 1 && !memcmp(text, "40", 2)) subscribe(c);
    else if (length > 2 && !memcmp(text, "430", 3)) is_live(c);
}

static size_t sse_blocks(struct client *c, const char *data, size_t length, uint64_t when) {
    size_t used = 0;
    char *stop;
    while ((stop = memmem(data + used, length - used, "\n\n", 2))) {
        size_t size = stop + 2 - (data + used);
        if (memmem(data + used, size, "id: ", 4)) {
            if (c->index == 0 && size < sizeof newest) memcpy(newest, data + used, newest_length = size);
            event(c, data + used, size, when);
        } else if (memmem(data + used, size, "retry: ", 7)) {
            is_live(c);
        }
        used += size;
    }
    return used;
}

static size_t frames(struct client *c, const char *data, size_t length, uint64_t when) {
    size_t used = 0;
    while (length - used >= 2 && c->state != AWAY) {
        const unsigned char *h = (const unsigned char *)data + used;
        size_t head = 2, size = h[1];
        if (size == 126) {
            head = 4;
            if (length - used < head) break;
            size = h[2] << 8 | h[3];
        } else if (size == 127) {
            head = 10;
            if (length - used < head) break;
            size = (size_t)h[6] << 24 | h[7] << 16 | h[8] << 8 | h[9];
        }
        if (length - used < head + size) break;
        const char *text = data + used + head;
        int opcode = h[0] & 15;
        if (opcode == 1) text_frame(c, data + used, text, size, when);
        if (opcode == 8) {
            told(c, text + 2, size > 2 ? size - 2 : 0);
            end(c);
            return length;
        }
        if (opcode == 9) put_frame(c, 10, text, size);
        used += head + size;
    }
    return used;
}

static size_t head(struct client *c, const char *data, size_t length) {
    const char *stop = memmem(data, length, "\r\n\r\n", 4);
    if (!stop) return 0;
    if (memcmp(data, kind == SSE ? "HTTP/1.1 200" : "HTTP/1.1 101", 12)) {
        fprintf(stderr, "refused: %.*s\n", (int)(length < 600 ? length : 600), data);
        end(c);
        return length;
    }
    c->state = TALKING;
    if (kind == WS) subscribe(c);
    return stop + 4 - data;
}

void readable(struct client *c) {
    size_t kept = c->rest_length;
    if (kept) memcpy(input, c->rest, kept);
    ssize_t got = recv(c->fd, input + kept, sizeof input - kept, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        end(c);
        return;
    }
    uint64_t when = now();
    size_t length = kept + got, used = 0;
    counts.bytes += got;
    if (c->state == HEAD) used = head(c, input, length);
    if (c->state >= TALKING)
        used += (kind == SSE || kind == BARE_SSE ? sse_blocks : frames)(c, input + used, length - used, when);
    if (c->state == AWAY) return;
    c->rest_length = length - used;
    if (c->rest_length) {
        c->rest = realloc(c->rest, c->rest_length);
        memcpy(c->rest, input + used, c->rest_length);
    } else if (c->rest) {
        free(c->rest);
        c->rest = NULL;
    }
}
