/* A stand-in for QEMU that loads the lockstep plugin and exports what it needs; what is wrong with it is chosen when it is
 * compiled: -DMAJOR=6 is another version, -Dvm_thing=gone leaves `vm_thing` out, -DLAYOUT=... lays NetClientInfo out.
 * Arguments: the plugin, then the plugin's own. It loads the plugin and lets its boundary timer fire once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef MAJOR
#define MAJOR 7
#endif
#ifndef MINOR
#define MINOR 2
#endif
#ifndef TARGET
#define TARGET "x86_64"
#endif
#ifndef LAYOUT
#define LAYOUT 3, 400, F, 0, F, F, 0, 0, 0, F, 0
#endif

static long function(void)
{
    return 0;
}
#define F (uintptr_t) function
uintptr_t info[32], client[40];

static void (*fire)(void *);
static struct {
    int64_t major, minor, micro;
} triple = { MAJOR, MINOR, 5 };
static struct {
    void *qemu;
    char *package;
} version = { &triple, "" };

int use_icount = 1;
bool qtest_allowed;

static void sleep_until_woken(void *condition, void *mutex, const char *file, int line)
{
    (void)condition, (void)mutex, (void)file, (void)line;
}
void (*qemu_cond_wait_func)(void *, void *, const char *, int) = sleep_until_woken;

void *qmp_query_version(void *error) { return error ? NULL : &version; }
void qmp_stop(void *error) { (void)error; }
void *qemu_add_vm_change_state_handler(void (*handler)(void *, bool, int), void *opaque) { return handler ? opaque : NULL; }
int qemu_shutdown_requested_get(void) { return 0; }
bool runstate_is_running(void) { return true; }
bool qemu_in_vcpu_thread(void) { return true; }
bool qemu_mutex_iothread_locked(void) { return true; }
bool all_cpu_threads_idle(void) { return true; }
void *qemu_get_cpu(int number) { return number ? NULL : client; }
bool cpu_is_stopped(void *cpu) { return !cpu; }
void icount_start_warp_timer(void) {}
void qemu_clock_run_timers(int clock) { (void)clock; }
int64_t qemu_clock_get_ns(int clock) { return clock - 1; }
int64_t qemu_clock_deadline_ns_all(int clock, int attributes) { return clock + attributes - 1; }
void timer_init_full(void *timer, void *list, int clock, int scale, int attributes, void (*callback)(void *), void *opaque)
{
    (void)timer, (void)list, (void)clock, (void)scale, (void)attributes, (void)opaque;
    fire = fire ? fire : callback; /* the boundary is the first */
}
void timer_mod_ns(void *timer, int64_t at) { (void)timer, (void)at; }
void *qemu_find_netdev(const char *id) { return id[0] == 'l' ? client : NULL; }
void qemu_send_packet(void *from, const uint8_t *frame, int size) { (void)from, (void)frame, (void)size; }
void *qemu_chr_find(const char *id) { return id[0] == 'c' ? client : NULL; }
int qemu_chr_be_can_write(void *chardev) { return chardev != NULL; }
void qemu_chr_be_write(void *chardev, const uint8_t *bytes, int size) { (void)chardev, (void)bytes, (void)size; }
void qemu_plugin_register_atexit_cb(uint64_t id, void (*callback)(uint64_t, void *), void *opaque)
{
    (void)id, (void)callback, (void)opaque;
}

int main(int count, char **arguments)
{
    static const uintptr_t layout[32] = { LAYOUT };
    for (int word = 0; word < 32; word++) {
        info[word] = layout[word];
    }
    client[0] = (uintptr_t)info;
    struct {
        const char *target;
        int min, cur;
        bool system;
    } about = { TARGET, 0, 4, true };
    void *plugin = count > 1 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int *wanted = plugin ? dlsym(plugin, "qemu_plugin_version") : NULL;
    int (*install)(uint64_t, const void *, int, char **) = plugin ? dlsym(plugin, "qemu_plugin_install") : NULL;
    if (!wanted || !install) {
        fprintf(stderr, "no plugin: %s\n", dlerror());
        return 2;
    }
    fprintf(stderr, "interface %d\n", *wanted);
    if (install(7, &about, count - 2, arguments + 2)) {
        return 1;
    }
    fire(NULL);
    return 0;
}
