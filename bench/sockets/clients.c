/* The connections: how they begin, subscribe, end, and come back. */
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int wanted, alive, keeping, opening, slow_every, finishing, poller;
struct client *clients;
static int inflight;
static struct sockaddr_in server;

uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void die(const char *what) {
    perror(what);
    exit(1);
}

static void put(struct client *c, const char *data, size_t length) {
    ssize_t sent = send(c->fd, data, length, MSG_NOSIGNAL);
    if (sent >= 0 && sent != (ssize_t)length) counts.refused++; /* one that was reset shows when it is read */
}

/* A masked frame under the key 0, which leaves the payload as it is. */
void put_frame(struct client *c, int opcode, const char *payload, size_t length) {
    char frame[8192];
    size_t head = 2;
    frame[0] = 0x80 | opcode;
    if (length < 126) {
        frame[1] = 0x80 | length;
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = length >> 8;
        frame[3] = length & 255;
        head = 4;
    }
    memset(frame + head, 0, 4);
    memcpy(frame + head + 4, payload, length);
    put(c, frame, head + 4 + length);
}

static size_t filled(char *out, const char *before, const char *line, size_t length, const char *after, uint64_t last) {
    const char *hole = memmem(line, length, "@AFTER@", 7);
    if (!hole) return sprintf(out, "%s%.*s%s", before, (int)length, line, after);
    int head = hole - line, tail = length - head - 7;
    return sprintf(out, "%s%.*s%llu%.*s%s", before, head, line, (unsigned long long)last, tail, hole + 7, after);
}

void serve_at(const char *host, int port) {
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &server.sin_addr);
}

static void watch(struct client *c, uint32_t mask, int how) {
    struct epoll_event e = {.events = mask, .data.u32 = c->index};
    if (epoll_ctl(poller, how, c->fd, &e)) die("epoll_ctl");
}

static void start(struct client *c) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    int one = 1, small = 4096;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (slow_every && c->index % slow_every == 0)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->index % 8);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) die("connect");
    c->state = CONNECTING;
    c->cut = 0;
    c->rest_length = 0;
    inflight++;
    watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

void finish_if_complete(void) {
    if (!finishing || alive < wanted) return;
    for (int i = 0; i < wanted; i++)
        if (clients[i].frozen || clients[i].last < finals[clients[i].account]) return;
    printf("complete %d\n", wanted);
    finishing = 0;
}

void is_live(struct client *c) {
    if (c->state == LIVE) return;
    c->state = LIVE;
    inflight--;
    alive++;
    if (opening && alive == wanted) {
        printf("opened %d\n", alive);
        opening = 0;
    }
    finish_if_complete();
}

void end(struct client *c) {
    if (c->state == AWAY) return;
    if (c->state == LIVE) {
        alive--;
        if (!c->cut) counts.untold++;
    } else {
        inflight--;
        counts.refused++;
    }
    close(c->fd);
    free(c->rest);
    c->rest = NULL;
    c->rest_length = 0;
    c->state = AWAY;
}

void connected(struct client *c) {
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
    char request[4096], *line = lines[c->account], text[2048];
    size_t length;
    if (kind >= BARE) {
        is_live(c);
        return;
    }
    if (kind == SSE) {
        char *header = strchr(line, ' ');
        filled(text, path, line, header - line, "", c->last);
        length = sprintf(request, "GET %s HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nAuthorization: %s\r\n\r\n", text, header + 1);
    } else {
        length = sprintf(request,
                         "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                         path);
    }
    c->state = HEAD;
    put(c, request, length);
}

void subscribe(struct client *c) {
    char text[4096];
    const char *line = lines[c->account];
    size_t length = kind == SIO ? filled(text, "420[\"subscribe\",", line, strlen(line), "]", c->last)
                                : filled(text, "", line, strlen(line), "", c->last);
    put_frame(c, 1, text, length);
}

void grow(int more) {
    clients = realloc(clients, (wanted + more) * sizeof *clients);
    for (int i = wanted; i < wanted + more; i++)
        clients[i] = (struct client){.index = i, .account = i % accounts, .state = AWAY};
    wanted += more;
    opening = 1;
}

void launch(void) {
    static int next;
    for (int seen = 0; seen < wanted && inflight < 200 && alive + inflight < wanted && (opening || keeping); seen++) {
        next = (next + 1) % wanted;
        if (clients[next].state == AWAY) {
            counts.returns += !opening;
            start(&clients[next]);
        }
    }
}

void close_all(void) {
    uint64_t begun = now();
    for (int i = 0; i < wanted; i++)
        if (clients[i].state != AWAY) clients[i].cut = 1, end(&clients[i]);
    printf("closed %llu %llu\n", (unsigned long long)begun, (unsigned long long)now());
    wanted = 0;
}

void freeze(int frozen) {
    int count = 0;
    for (int i = 0; i < wanted && slow_every; i += slow_every)
        if ((!clients[i].frozen) == frozen && clients[i].state >= TALKING) {
            watch(&clients[i], frozen ? 0 : EPOLLIN, clients[i].frozen == 2 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
            clients[i].frozen = frozen;
            count++;
        }
    printf(frozen ? "frozen %d\n" : "thawed %d\n", count);
}

void churn(int count) {
    int done = 0;
    for (int tries = 0; tries < 20 * count && done < count; tries++) {
        struct client *c = &clients[random() % wanted];
        if (c->state != LIVE || c->frozen) continue;
        c->cut = 1;
        end(c);
        done++;
    }
    printf("churned %d\n", done);
}
