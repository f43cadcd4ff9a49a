/* What the parts of the receiver share: receiver.c has the commands, clients.c the connections, reading.c
 * what comes in on them. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { WS, SIO, SSE, BARE, BARE_SSE };
enum state { AWAY, CONNECTING, HEAD, TALKING, LIVE };

struct client {
    int fd, index, account;
    enum state state;
    int frozen; /* 2: and reset meanwhile */
    int cut;    /* it knows why it ends */
    uint64_t last;
    char *rest;
    size_t rest_length;
};

struct counts {
    uint64_t events, bytes, repeats, holes, gaps, told, told_ahead, untold, refused, returns;
};

extern enum kind kind;
extern const char *path;
extern char **lines;
extern int accounts, poller;
extern struct client *clients;
extern int wanted, alive, keeping, opening, slow_every, finishing;
extern struct counts counts;
extern uint64_t expected, *finals, *samples;
extern size_t sample_count, newest_length;
extern char newest[1 << 16];

/* clients.c */
uint64_t now(void);
void die(const char *what);
void serve_at(const char *host, int port);
void put_frame(struct client *c, int opcode, const char *payload, size_t length);
void subscribe(struct client *c);
void connected(struct client *c);
void is_live(struct client *c);
void end(struct client *c);
void finish_if_complete(void);
void grow(int more);
void launch(void);
void close_all(void);
void freeze(int frozen);
void churn(int count);

/* reading.c */
void readable(struct client *c);
