/* Many clients of the event socket in one thread, cheap enough not to be what is measured.
 *
 *   receiver KIND HOST PORT PATH FILE
 *
 * KIND is ws (Kazoo 4 frames), sio (Socket.IO over WebSocket), sse, or bare and bare-sse (WebSocket frames
 * or server-sent events from the first byte on, no handshake). FILE has one line for each account: what the
 * clients of that account subscribe with (ws, sio: the JSON; sse: the query and, after a space, the
 * Authorization header); @AFTER@ in it becomes the last number that the client has. Client i is of account
 * i % accounts.
 *
 * Commands come a line each on stdin, answers go a line each to stdout. Times are CLOCK_MONOTONIC ns.
 *   open N          connect N more                   -> opened <clients live>
 *   expect N        after N events from now          -> got <when>
 *   latency         of events with "@<19 digits>"    -> latency <samples> <p50> <p99> <max>, and forgets them
 *   frame           client 0's newest event, whole   -> frame <hex>
 *   close           all sockets at once, for good    -> closed <begun> <done>
 *   keep            from now on, an ended client comes back with `after`
 *   slow N          every N-th client has a small receive buffer (before open), and is one to freeze
 *   freeze          those stop reading               -> frozen <clients>
 *   thaw            they read on                     -> thawed
 *   churn N         N live clients drop and return   -> churned <clients>
 *   final N ...     the newest number of each account; once everybody has it -> complete <clients>
 *   stats           -> stats NAME=COUNT ...: live; events, bytes; repeats and holes in the numbers, GAP events;
 *                      told to resume, told a number beyond what they have, ended without being told;
 *                      refused (anything that was not expected), returns
 */
#include "receiver.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum kind kind;
const char *path;
char **lines;
int accounts;
uint64_t *finals;

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void latency(void) {
    size_t n = sample_count;
    qsort(samples, n, sizeof *samples, by_size);
    printf("latency %zu %llu %llu %llu\n", n, n ? (unsigned long long)samples[n / 2] : 0ull,
           n ? (unsigned long long)samples[n * 99 / 100] : 0ull, n ? (unsigned long long)samples[n - 1] : 0ull);
    sample_count = 0;
}

static void stats(void) {
    printf("stats live=%d", alive);
#define SAY(name) printf(" " #name "=%llu", (unsigned long long)counts.name)
    SAY(events), SAY(bytes), SAY(repeats), SAY(holes), SAY(gaps), SAY(told), SAY(told_ahead), SAY(untold);
    SAY(refused), SAY(returns);
    printf("\n");
}

static void command(char *line) {
    char *word = strtok(line, " "), *argument = strtok(NULL, " ");
    long n = argument ? atol(argument) : 0;
    if (!word) return;
    if (!strcmp(word, "open")) grow(n);
    else if (!strcmp(word, "expect")) expected = counts.events + n;
    else if (!strcmp(word, "latency")) latency();
    else if (!strcmp(word, "close")) close_all();
    else if (!strcmp(word, "keep")) keeping = 1;
    else if (!strcmp(word, "slow")) slow_every = n;
    else if (!strcmp(word, "freeze")) freeze(1);
    else if (!strcmp(word, "thaw")) freeze(0);
    else if (!strcmp(word, "churn")) churn(n);
    else if (!strcmp(word, "stats")) stats();
    else if (!strcmp(word, "frame")) {
        printf("frame ");
        for (size_t i = 0; i < newest_length; i++) printf("%02x", (unsigned char)newest[i]);
        printf("\n");
    } else if (!strcmp(word, "final")) {
        for (int i = 0; i < accounts && argument; i++, argument = strtok(NULL, " ")) finals[i] = strtoull(argument, NULL, 10);
        finishing = 1;
        finish_if_complete();
    }
}

static void commands(void) {
    static char text[1 << 16];
    static size_t length;
    ssize_t got = read(0, text + length, sizeof text - 1 - length);
    if (got <= 0) exit(0);
    length += got;
    char *line = text, *stop;
    while ((stop = memchr(line, '\n', text + length - line))) {
        *stop = 0;
        command(line);
        line = stop + 1;
    }
    length = text + length - line;
    memmove(text, line, length);
}

static void read_lines(const char *name) {
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (!file) die(name);
    while ((length = getline(&line, &room, file)) > 0) {
        line[length - 1] = 0;
        lines = realloc(lines, (accounts + 1) * sizeof *lines);
        lines[accounts++] = strdup(line);
    }
    fclose(file);
    finals = calloc(accounts, sizeof *finals);
}

int main(int count, char **words) {
    static const char *kinds[] = {"ws", "sio", "sse", "bare", "bare-sse"};
    struct epoll_event ready[512], stdin_ready = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    struct rlimit files;
    if (count != 6) return 2;
    while (strcmp(kinds[kind], words[1])) if (++kind > BARE_SSE) return 2;
    serve_at(words[2], atoi(words[3]));
    path = words[4];
    read_lines(words[5]);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &stdin_ready);
    for (;;) {
        launch();
        int n = epoll_wait(poller, ready, 512, -1);
        for (int i = 0; i < n; i++) {
            uint32_t index = ready[i].data.u32;
            if (index == UINT32_MAX) {
                commands();
                continue;
            }
            struct client *c = (int)index < wanted ? &clients[index] : NULL;
            if (!c || c->state == AWAY) continue;
            if (c->state == CONNECTING) {
                connected(c);
            } else if (!c->frozen) {
                readable(c);
            } else if (ready[i].events & (EPOLLERR | EPOLLHUP)) {
                epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL); /* reset while frozen: seen at the thaw */
                c->frozen = 2;
            }
        }
    }
}
