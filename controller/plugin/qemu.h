/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All that is used of QEMU. It is looked up when the plugin is loaded, as the stock binaries export it dynamically for their
 * own modules; nothing is linked, so that a QEMU which lacks something is told by name.
 */
#ifndef LOCKSTEP_QEMU_H
#define LOCKSTEP_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The plugin interface (include/qemu/qemu-plugin.h, the same from 4.2 to 10.0). */
typedef uint64_t plugin_id;
typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
} plugin_info;

typedef struct NetClientState NetClientState; /* include/net/net.h */
typedef struct Chardev Chardev;               /* include/chardev/char.h */
typedef struct QEMUTimer QEMUTimer;           /* include/qemu/timer.h: 48 bytes in 7.2 and 10.0 */
typedef ssize_t NetReceive(NetClientState *, const uint8_t *, size_t);

/* How a thread waits for a condition, holding the mutex: a variable, so that it can be profiled (include/qemu/thread.h). */
typedef void CondWait(void *condition, void *mutex, const char *file, int line);

enum { CLOCK_VIRTUAL = 1 };   /* QEMU_CLOCK_VIRTUAL, include/qemu/timer.h */
enum { ALL_TIMERS = -1 };     /* QEMU_TIMER_ATTR_ALL, likewise */
enum { ICOUNT_PRECISE = 1 };  /* `-icount shift=N`, N a number: include/sysemu/cpu-timers.h, exec/icount.h */

typedef struct { /* qapi/control.json */
    struct {
        int64_t major, minor, micro;
    } *qemu;
    char *package;
} VersionInfo;

/* Result, name, arguments; where it is declared. What a function gives that is not used is left out, as `qemu_send_packet`
 * gives nothing before 4.2 and a size since. */
#define QEMU_SYMBOLS(X)                                                                               \
    X(VersionInfo *, qmp_query_version, (void *error))                  /* qapi-commands-control.h */ \
    X(void, qmp_stop, (void *error))                                    /* qapi-commands-misc.h */    \
    X(void *, qemu_add_vm_change_state_handler, (void (*)(void *, bool, int), void *)) /* runstate.h */ \
    X(int, qemu_shutdown_requested_get, (void))                         /* runstate.h */              \
    X(bool, runstate_is_running, (void))                                /* runstate.h */              \
    X(bool, qemu_in_vcpu_thread, (void))                                /* qemu/main-loop.h */        \
    X(bool, all_cpu_threads_idle, (void))                               /* sysemu/cpus.h */           \
    X(void *, qemu_get_cpu, (int number))                               /* hw/core/cpu.h */           \
    X(bool, cpu_is_stopped, (void *cpu))                                /* hw/core/cpu.h */           \
    X(void, icount_start_warp_timer, (void))                            /* sysemu/cpu-timers.h */     \
    X(void, qemu_clock_run_timers, (int clock))                         /* qemu/timer.h */            \
    X(int64_t, qemu_clock_get_ns, (int clock))                          /* qemu/timer.h */            \
    X(int64_t, qemu_clock_deadline_ns_all, (int clock, int attributes)) /* qemu/timer.h */            \
    X(void, timer_init_full, (QEMUTimer *, void *, int, int, int, void (*)(void *), void *))          \
    X(void, timer_mod_ns, (QEMUTimer *, int64_t))                       /* qemu/timer.h */            \
    X(NetClientState *, qemu_find_netdev, (const char *id))             /* net/net.h */               \
    X(void, qemu_send_packet, (NetClientState *, const uint8_t *, int)) /* net/net.h */               \
    X(Chardev *, qemu_chr_find, (const char *id))                       /* chardev/char.h */          \
    X(int, qemu_chr_be_can_write, (Chardev *))                          /* chardev/char.h */          \
    X(void, qemu_chr_be_write, (Chardev *, const uint8_t *, int))       /* chardev/char.h */          \
    X(void, qemu_plugin_register_atexit_cb, (plugin_id, void (*)(plugin_id, void *), void *))

typedef struct {
#define FIELD(result, name, arguments) result(*name) arguments;
    QEMU_SYMBOLS(FIELD)
#undef FIELD
    bool (*holds_lock)(void);       /* `bql_locked`, qemu/main-loop.h */
    int *use_icount;                /* sysemu/cpu-timers.h, exec/icount.h */
    bool *qtest_allowed;            /* sysemu/qtest.h */
    CondWait **qemu_cond_wait_func; /* qemu/thread.h */
    int64_t major, minor, micro;
} Qemu;

extern Qemu qemu;

/* Fills `qemu`; false, after saying why, if this QEMU cannot be worked with. */
bool qemu_find(const plugin_info *info);

/* A timer on the virtual clock. It is run by the vCPU's thread, between two instructions, holding QEMU's lock: with
 * `-icount` the main loop leaves this clock alone (qemu_clock_run_all_timers, util/qemu-timer.c). */
QEMUTimer *qemu_timer(void (*fire)(void *), void *opaque);

/* Has a hub port hand what its NIC sends to `receive`; false, after saying why, if its structures are not as expected. */
bool qemu_hook_hubport(NetClientState *port, const char *id, NetReceive *receive);

#endif
