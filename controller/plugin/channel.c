/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

/* A grant is looked for so long before the thread goes to sleep: it would be woken tens of microseconds late, at each boundary. */
#define LOOKING 20000 /* ns */

static int channel = -1;
static atomic_bool ending; /* QEMU is ending by itself: that the coordinator is gone changes nothing any more */

/* The report that is being made: its head, then what was added. */
static struct {
    uint8_t *bytes;
    size_t size, room;
    uint32_t items;
} out = { .size = sizeof(struct report) };

static struct {
    uint8_t *bytes;
    size_t room;
} in;

/* Of the computer's time: when the machine came to its boundary, and how long it stood still there. */
static int64_t came, stood;

static int64_t computers_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static _Noreturn void lost(const char *doing)
{
    if (ending) {
        _exit(0);
    }
    give_up("the coordinator is gone: %s: %s", doing, errno ? strerror(errno) : "end of file");
}

static void send_all(const void *from, size_t size)
{
    const uint8_t *bytes = from;
    while (size) {
        ssize_t sent = send(channel, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            lost("write");
        }
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
    }
}

static void receive_all(void *into, size_t size)
{
    uint8_t *bytes = into;
    while (size) {
        errno = 0;
        ssize_t got = recv(channel, bytes, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            lost("read");
        }
        if (got > 0) {
            bytes += got;
            size -= (size_t)got;
        }
    }
}

/* Sees a coordinator that goes while nobody reads or writes. With no events asked for, poll(2) tells of a hangup alone. */
static void *watch(void *unused)
{
    struct pollfd hangup = { .fd = channel };
    while (poll(&hangup, 1, -1) <= 0) {
    }
    if (!ending) {
        errno = 0;
        lost("hangup");
    }
    return unused;
}

bool channel_open(int descriptor, const struct hello *hello)
{
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
        say("fd=%d is no socket: %s", descriptor, strerror(errno));
        return false;
    }
    if (type != SOCK_STREAM) {
        say("fd=%d is no stream socket", descriptor);
        return false;
    }
    channel = descriptor;
    out.bytes = allocate(NULL, out.room = 65536);
    in.bytes = allocate(NULL, in.room = 65536);
    send_all(hello, sizeof *hello);

    /* A thread of ours takes no signal that is meant for QEMU's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        say("no thread to watch the coordinator: %s", strerror(failed));
    }
    return !failed;
}

void channel_add(int64_t at, uint32_t line, const uint8_t *bytes, uint32_t length)
{
    struct item item = { at, line, length };
    size_t size = out.size + sizeof item + length;
    if (size > sizeof(struct report) + MOST_BYTES) {
        give_up("more than %u bytes left the machine between two boundaries", MOST_BYTES);
    }
    if (size > out.room) {
        out.bytes = allocate(out.bytes, out.room = 2 * size);
    }
    memcpy(out.bytes + out.size, &item, sizeof item);
    memcpy(out.bytes + out.size + sizeof item, bytes, length);
    out.size = size;
    out.items++;
}

void channel_report(int64_t now, int64_t next, uint32_t unread, bool last)
{
    came = computers_time();
    struct report report = { now, next, out.items, (uint32_t)(out.size - sizeof report), unread, last, stood };
    ending = last;
    memcpy(out.bytes, &report, sizeof report);
    send_all(out.bytes, out.size);
    out.size = sizeof report;
    out.items = 0;
}

const struct grant *channel_await(const uint8_t **items)
{
    static struct grant grant;
    char first;
    while (recv(channel, &first, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN && computers_time() < came + LOOKING) {
    }
    receive_all(&grant, sizeof grant);
    if (grant.bytes > MOST_BYTES || grant.what > GRANT_PAUSE || grant.zero) {
        give_up("a grant is malformed: what %u, %u bytes, %u", grant.what, grant.bytes, grant.zero);
    }
    if (grant.bytes > in.room) {
        in.bytes = allocate(in.bytes, in.room = 2 * (size_t)grant.bytes);
    }
    receive_all(in.bytes, grant.bytes);
    stood = computers_time() - came;
    *items = in.bytes;
    return &grant;
}
