/* The least that fan-out can cost: one send() for each of the connections, in a loop.
 *
 *   sender PORT
 *
 * Commands on stdin, answers on stdout, a line each:
 *   accept N               wait until N more are connected          -> accepted N
 *   frame HEX              what to send; the 19 digits after "@ become the time (CLOCK_MONOTONIC ns) -> framed
 *   publish EVENTS MICROS  that many events, one every so often     -> published
 *   close                  all connections                          -> closed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int sockets[65536], count;
static char frame[1 << 16], *stamp;
static size_t length;

static void unhex(const char *hex) {
    unsigned byte;
    for (length = 0; sscanf(hex + 2 * length, "%2x", &byte) == 1; length++) frame[length] = byte;
    stamp = memmem(frame, length, "\"@", 2);
}

static void mark(void) {
    struct timespec t;
    char digits[24];
    clock_gettime(CLOCK_MONOTONIC, &t);
    sprintf(digits, "%019llu", t.tv_sec * 1000000000ull + t.tv_nsec);
    if (stamp) memcpy(stamp + 2, digits, 19);
}

static void publish(int events, long micros) {
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (int event = 0; event < events; event++) {
        mark();
        for (int i = 0; i < count; i++) send(sockets[i], frame, length, MSG_NOSIGNAL);
        next.tv_nsec += micros * 1000;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}

int main(int argc, char **argv) {
    static char line[1 << 18];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct rlimit files;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 2048)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("port %d\n", ntohs(address.sin_port));
    while (fgets(line, sizeof line, stdin)) {
        int number = 0;
        long micros = 0;
        if (sscanf(line, "accept %d", &number) == 1) {
            for (int i = 0; i < number; i++) {
                sockets[count] = accept(listener, NULL, NULL);
                setsockopt(sockets[count++], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            }
            printf("accepted %d\n", number);
        } else if (!strncmp(line, "frame ", 6)) {
            unhex(line + 6);
            printf("framed %zu\n", length);
        } else if (sscanf(line, "publish %d %ld", &number, &micros) == 2) {
            publish(number, micros);
            printf("published\n");
        } else if (!strncmp(line, "close", 5)) {
            while (count) close(sockets[--count]);
            printf("closed\n");
        }
    }
    return 0;
}
