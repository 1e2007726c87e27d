/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Binds a machine to lockstep time. A timer on the virtual clock stops it at each boundary, between two instructions; there it
 * reports, and waits in QEMU's own vCPU thread until the coordinator grants the next boundary. README.md says more.
 *
 * Arguments: fd=N       the socket to the coordinator, a file that QEMU inherits
 *            net=ID     a -netdev hubport; once for each NIC, in their order, 3 at most
 *            serial=ID  the chardev of the serial line that takes input; once at most
 */
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "ports.h"
#include "qemu.h"
#include "say.h"

static QEMUTimer *boundary, *brake;
static bool prepared, paused, resetting;

/* The earliest time at which this machine does anything by itself. Neither timer of ours counts: the boundary's is not set
 * while it fires, and what is to be delivered is known to the coordinator. */
static int64_t next_event(int64_t now)
{
    if (!qemu.all_cpu_threads_idle()) {
        return now;
    }
    int64_t wait = qemu.qemu_clock_deadline_ns_all(CLOCK_VIRTUAL, ALL_TIMERS);
    return wait < 0 || wait > INT64_MAX - now ? INT64_MAX : now + wait;
}

static void at_boundary(void *unused)
{
    (void)unused;
    /* The first time is before the first instruction: all devices are there, and none was used. */
    if (!prepared && !ports_find()) {
        give_up("this machine cannot be bound to lockstep time");
    }
    prepared = true;
    int64_t now = qemu.qemu_clock_get_ns(CLOCK_VIRTUAL);
    channel_report(now, next_event(now), ports_unread(), false);
    const uint8_t *items;
    const struct grant *grant = channel_await(&items);
    if (grant->what == GRANT_PAUSE) {
        if (grant->items || grant->bytes) {
            give_up("a pause came with %u items", grant->items);
        }
        paused = true;
        /* A vCPU that stops is idle, and QEMU would let the clock jump before it sees that the machine stands. */
        qemu.timer_mod_ns(brake, now);
        qemu.qmp_stop(NULL);
        return;
    }
    if (grant->until <= now) {
        give_up("granted until %lld, which is past: now %lld", (long long)grant->until, (long long)now);
    }
    ports_take(grant, items, now);
    qemu.timer_mod_ns(boundary, grant->until);
}

/* A machine that was paused at a boundary and goes on is at that boundary again, before its next instruction. */
static void on_change(void *unused, bool running, int state)
{
    (void)unused, (void)state;
    if (running && paused) {
        paused = false;
        qemu.timer_del(brake);
        qemu.timer_mod_ns(boundary, qemu.qemu_clock_get_ns(CLOCK_VIRTUAL));
    }
}

/* Called by the main loop whenever it wakes up, before it may let the clock of an idle machine jump. A guest that resets its machine
 * stops the vCPU, and the main loop then does the reset: until it has, the clock is kept as in a pause. */
static void on_wakeup(Notifier *unused, void *unused_too)
{
    (void)unused, (void)unused_too;
    bool requested = qemu.qemu_reset_requested_get() != 0;
    if (requested && !resetting) {
        qemu.timer_mod_ns(brake, qemu.qemu_clock_get_ns(CLOCK_VIRTUAL));
    } else if (!requested && resetting && !paused) {
        qemu.timer_del(brake);
    }
    resetting = requested;
}

static Notifier wakeup = { .notify = on_wakeup };

/* The guest has switched itself off: what it sent since the last boundary is still told. A QEMU that ends before its machine ran has
 * nothing to tell. */
static void at_exit(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    if (prepared) {
        channel_report(qemu.qemu_clock_get_ns(CLOCK_VIRTUAL), INT64_MAX, 0, true);
    }
}

static bool parse(int count, char **arguments, int *descriptor)
{
    *descriptor = -1;
    for (int n = 0; n < count; n++) {
        char *value = strchr(arguments[n], '=');
        size_t name = value ? (size_t)(value++ - arguments[n]) : 0;
        bool good = false;
        if (name == 2 && !strncmp(arguments[n], "fd", name)) {
            char *end;
            long number = strtol(value, &end, 10);
            good = *descriptor < 0 && *value && !*end && number >= 0 && number < 1 << 20;
            *descriptor = (int)number;
        } else if (name == 3 && !strncmp(arguments[n], "net", name)) {
            good = *value && ports_name_nic(value);
        } else if (name == 6 && !strncmp(arguments[n], "serial", name)) {
            good = *value && ports_name_serial(value);
        }
        if (!good) {
            say("the argument '%s' cannot be: fd=N once, net=ID up to %u times, serial=ID at most once", arguments[n],
                MOST_NICS);
            return false;
        }
    }
    if (*descriptor < 0) {
        say("the argument fd=N is missing");
    }
    return *descriptor >= 0;
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const plugin_info *info, int count,
                                                               char **arguments)
{
    int descriptor;
    if (!parse(count, arguments, &descriptor) || !qemu_find(info)) {
        return -1;
    }
    struct hello hello = { PROTOCOL_MAGIC, PROTOCOL_VERSION, (uint32_t)qemu.major, (uint32_t)qemu.minor,
                           (uint32_t)qemu.micro, ports_nics(), ports_serials() };
    if (!channel_open(descriptor, &hello)) {
        return -1;
    }
    qemu.qemu_add_vm_change_state_handler(on_change, NULL);
    qemu.main_loop_poll_add_notifier(&wakeup);
    qemu.qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    brake = qemu_brake();
    boundary = qemu_timer(at_boundary, NULL);
    qemu.timer_mod_ns(boundary, 0);
    return 0;
}
