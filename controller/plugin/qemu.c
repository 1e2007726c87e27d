/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "qemu.h"

#include <dlfcn.h>
#include <string.h>

#include "say.h"

Qemu qemu;

/* The versions whose functions were compared with the declarations here. Structures are looked at, whatever the version. */
enum { OLDEST_MAJOR = 7, OLDEST_MINOR = 2, NEWEST_MAJOR = 10, NEWEST_MINOR = 0 };

/* QEMU takes plugins made for its own version of the interface and some before. What is used here never changed, so the plugin
 * names one that this QEMU takes: 1 is taken up to 8.2, 2 from 9.0 on, which brought scoreboards (plugins/plugin.h). */
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

__attribute__((constructor)) static void choose_interface(void)
{
    if (dlsym(RTLD_DEFAULT, "qemu_plugin_scoreboard_new")) {
        qemu_plugin_version = 2;
    }
}

static bool find_symbols(void)
{
    char missing[400] = "";
    void *found;
#define FIND(result, name, arguments)                                          \
    found = dlsym(RTLD_DEFAULT, #name);                                        \
    memcpy(&qemu.name, &found, sizeof found);                                  \
    if (!found && sizeof missing - strlen(missing) > sizeof " " #name) {       \
        strcat(strcat(missing, " "), #name);                                   \
    }
    QEMU_SYMBOLS(FIND)
    FIND(, use_icount, )
    FIND(, qtest_allowed, )
    FIND(, qemu_cond_wait_func, )
#undef FIND
    const char *lock = dlsym(RTLD_DEFAULT, "bql_locked") ? "bql_locked" : "qemu_mutex_iothread_locked"; /* until 8.2 */
    found = dlsym(RTLD_DEFAULT, lock);
    memcpy(&qemu.holds_lock, &found, sizeof found);
    if (!found && sizeof missing - strlen(missing) > sizeof " bql_locked") {
        strcat(missing, " bql_locked");
    }
    if (missing[0]) {
        say("this QEMU does not export what is needed:%s", missing);
    }
    return !missing[0];
}

bool qemu_find(const plugin_info *info)
{
    if (!info->system_emulation || strcmp(info->target_name, "x86_64") != 0) {
        say("made for qemu-system-x86_64, not for the emulation of %s", info->target_name);
        return false;
    }
    if (!find_symbols()) {
        return false;
    }
    const VersionInfo *version = qemu.qmp_query_version(NULL);
    qemu.major = version->qemu->major;
    qemu.minor = version->qemu->minor;
    qemu.micro = version->qemu->micro;
    int64_t number = qemu.major * 1000 + qemu.minor;
    if (number < OLDEST_MAJOR * 1000 + OLDEST_MINOR || number > NEWEST_MAJOR * 1000 + NEWEST_MINOR) {
        say("made for QEMU %d.%d to %d.%d; this is %d.%d.%d", OLDEST_MAJOR, OLDEST_MINOR, NEWEST_MAJOR, NEWEST_MINOR,
            (int)qemu.major, (int)qemu.minor, (int)qemu.micro);
        return false;
    }
    if (*qemu.use_icount != ICOUNT_PRECISE) {
        say("needs a machine that counts its instructions: -icount shift=2,sleep=off");
        return false;
    }
    return true;
}

QEMUTimer *qemu_timer(void (*fire)(void *), void *opaque)
{
    const int nanoseconds = 1, no_attributes = 0;
    /* More than any version's structure takes. */
    QEMUTimer *timer = memset(allocate(NULL, 256), 0, 256);
    qemu.timer_init_full(timer, NULL, CLOCK_VIRTUAL, nanoseconds, no_attributes, fire, opaque);
    return timer;
}

/* Does the address lie in QEMU's own file? */
static bool in_qemu(uintptr_t address)
{
    Dl_info here, there;
    return address && dladdr((void *)address, &there) && dladdr(qemu.use_icount, &here) &&
           here.dli_fbase == there.dli_fbase;
}

/* A net client begins with a pointer to its NetClientInfo (include/net/net.h), which is, in machine words: kind, size of the
 * client, `receive`, up to 8.x `receive_raw`, `receive_iov`, `can_receive`, `start`, `load`, `stop`, `cleanup`, further
 * functions. A hub port's (net/hub.c) has the three that receive, and `cleanup`. That pattern is asked for word by word; so
 * a version that moved a field is refused, not misread. */
enum { KIND, SIZE, RECEIVE, RECEIVE_RAW, WORDS_OF_OURS = 64 };

bool qemu_hook_hubport(NetClientState *port, const char *id, NetReceive *receive)
{
    static const char functions[] = "11000100"; /* from `receive_iov` on */
    enum { CLEANUP = 5 };
    uintptr_t info;
    memcpy(&info, port, sizeof info);
    const uintptr_t *theirs = (const uintptr_t *)info;
    bool fits = in_qemu(info) && theirs[KIND] < 64 && theirs[SIZE] >= 128 && theirs[SIZE] < 65536 &&
                in_qemu(theirs[RECEIVE]);
    int from = fits && theirs[RECEIVE_RAW] ? RECEIVE_RAW : RECEIVE_RAW + 1;
    for (int n = 0; fits && functions[n]; n++) {
        fits = functions[n] == '1' ? in_qemu(theirs[from + n]) : !theirs[from + n];
    }
    if (!fits) {
        say("NetClientInfo of '%s' is not laid out as in QEMU 7.2 to 10.0 (is it a -netdev hubport?)", id);
        return false;
    }
    uintptr_t *ours = memset(allocate(NULL, WORDS_OF_OURS * sizeof *ours), 0, WORDS_OF_OURS * sizeof *ours);
    ours[KIND] = theirs[KIND];
    ours[SIZE] = theirs[SIZE];
    ours[RECEIVE] = (uintptr_t)receive;
    ours[from + CLEANUP] = theirs[from + CLEANUP];
    memcpy(port, &ours, sizeof ours);
    return true;
}
