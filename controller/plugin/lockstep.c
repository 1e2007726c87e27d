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

static QEMUTimer *boundary;
static bool prepared, paused, over;
static int64_t granted; /* the boundary to which the machine runs */
static CondWait *sleep_until_woken;

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

/* The guest has switched itself off: what it sent since the last boundary is still told. When QEMU's main loop comes round to ending it
 * is chance; that it ends at the boundary to which it ran is not. */
static void report_last(int64_t now)
{
    if (!over) {
        over = true;
        channel_report(now > granted ? now : granted, INT64_MAX, 0, true);
    }
}

static void at_boundary(void *unused)
{
    (void)unused;
    if (!prepared) {
        /* This is before the first instruction: all devices are there, and none was used. */
        if (!ports_find()) {
            give_up("this machine cannot be bound to lockstep time");
        }
        /* From now on QEMU's own jumps are off (`on_wait`). Not earlier, as qtest shapes how a machine is made. */
        *qemu.qtest_allowed = true;
        prepared = true;
    }
    int64_t now = qemu.qemu_clock_get_ns(CLOCK_VIRTUAL);
    if (qemu.qemu_shutdown_requested_get() || !qemu.runstate_is_running()) {
        /* The main loop has yet to end it, or is about to: it goes no further. */
        report_last(now);
        qemu.qmp_stop(NULL);
        return;
    }
    channel_report(now, next_event(now), ports_unread(), false);
    const uint8_t *items;
    const struct grant *grant = channel_await(&items);
    if (grant->what == GRANT_PAUSE) {
        if (grant->items || grant->bytes) {
            give_up("a pause came with %u items", grant->items);
        }
        paused = true;
        qemu.qmp_stop(NULL);
        return;
    }
    if (grant->until <= now) {
        give_up("granted until %lld, which is past: now %lld", (long long)grant->until, (long long)now);
    }
    ports_take(grant, items, now);
    granted = grant->until;
    qemu.timer_mod_ns(boundary, granted);
}

/* A machine that was paused at a boundary and goes on is at that boundary again, before its next instruction. */
static void on_change(void *unused, bool running, int state)
{
    (void)unused, (void)state;
    if (running && paused) {
        paused = false;
        qemu.timer_mod_ns(boundary, qemu.qemu_clock_get_ns(CLOCK_VIRTUAL));
    }
}

/* Lets the clock of an idle machine jump to its next timer, and fires it. False: not now. A vCPU that was stopped is idle too: for a
 * pause, or until the main loop has reset the machine. And one that was switched off waits for the main loop to end QEMU. */
static bool jump(void)
{
    if (!prepared || !qemu.qemu_in_vcpu_thread() || !qemu.holds_lock() || !qemu.all_cpu_threads_idle() ||
        qemu.cpu_is_stopped(qemu.qemu_get_cpu(0)) || qemu.qemu_shutdown_requested_get() ||
        qemu.qemu_clock_deadline_ns_all(CLOCK_VIRTUAL, ALL_TIMERS) < 0) {
        return false;
    }
    *qemu.qtest_allowed = false;
    qemu.icount_start_warp_timer();
    *qemu.qtest_allowed = true;
    qemu.qemu_clock_run_timers(CLOCK_VIRTUAL);
    return true;
}

/* A thread of QEMU's is about to sleep until a condition is signalled; the vCPU's, holding QEMU's lock, does when the guest is idle.
 * QEMU would have its main loop let the clock jump to the next timer. But the main loop sees a vCPU halt before the vCPU's thread has
 * counted the instructions that it executed last, and a jump at that moment is too long by those. So the main loop is kept from it, as
 * if qtest had the clock, and the vCPU's thread does it in place of its sleep, when all is counted. */
static void on_wait(void *condition, void *mutex, const char *file, int line)
{
    if (!jump()) {
        sleep_until_woken(condition, mutex, file, line);
    }
}

/* A QEMU that ends before its machine ran has nothing to tell. */
static void at_exit(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    if (prepared) {
        report_last(qemu.qemu_clock_get_ns(CLOCK_VIRTUAL));
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
    sleep_until_woken = *qemu.qemu_cond_wait_func;
    *qemu.qemu_cond_wait_func = on_wait;
    qemu.qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    boundary = qemu_timer(at_boundary, NULL);
    qemu.timer_mod_ns(boundary, 0);
    return 0;
}
