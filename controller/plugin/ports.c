/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ports.h"

#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "qemu.h"
#include "say.h"

/* How long a byte waits that the serial line's receiver has no room for, in virtual nanoseconds. */
enum { TRY_AGAIN = 1000000 };

static const char *nic_ids[MOST_NICS], *serial_id;
static NetClientState *nics[MOST_NICS];
static uint32_t nic_count;
static Chardev *serial;

/* What is to be delivered, by time; of equal times in the order in which it came. */
static struct waiting {
    struct waiting *next;
    struct item item;
    uint8_t bytes[];
} *queue;
static uint32_t unread;
static QEMUTimer *delivery;

bool ports_name_nic(const char *id)
{
    return nic_count < MOST_NICS && (nic_ids[nic_count++] = id);
}

bool ports_name_serial(const char *id)
{
    return !serial_id && (serial_id = id);
}

uint32_t ports_nics(void)
{
    return nic_count;
}

uint32_t ports_serials(void)
{
    return serial_id != NULL;
}

/* The NIC behind a hub port sends. */
static ssize_t from_nic(NetClientState *port, const uint8_t *frame, size_t length)
{
    uint32_t line = 0;
    while (nics[line] != port) {
        line++;
    }
    if (length > LONGEST_FRAME) {
        give_up("a frame of %zu bytes", length);
    }
    if (length) {
        channel_add(qemu.qemu_clock_get_ns(CLOCK_VIRTUAL), line, frame, (uint32_t)length);
    }
    return (ssize_t)length;
}

static void put(struct waiting *new)
{
    struct waiting **place = &queue;
    while (*place && (*place)->item.at <= new->item.at) {
        place = &(*place)->next;
    }
    new->next = *place;
    *place = new;
}

/* To the serial line; true if the guest took all. */
static bool type(struct waiting *input)
{
    int room = qemu.qemu_chr_be_can_write(serial);
    uint32_t taken = room < 0 ? 0 : (uint32_t)room < input->item.length ? (uint32_t)room : input->item.length;
    if (taken) {
        qemu.qemu_chr_be_write(serial, input->bytes, (int)taken);
    }
    input->item.length -= taken;
    memmove(input->bytes, input->bytes + taken, input->item.length);
    return !input->item.length;
}

static void deliver(void *unused)
{
    (void)unused;
    int64_t now = qemu.qemu_clock_get_ns(CLOCK_VIRTUAL);
    unread = 0;
    bool stuck = false; /* later input stays behind what waits */
    for (struct waiting **place = &queue; *place && (*place)->item.at <= now;) {
        struct waiting *due = *place;
        if (due->item.line != SERIAL_LINE) {
            qemu.qemu_send_packet(nics[due->item.line], due->bytes, (int)due->item.length);
        } else if (stuck || !type(due)) {
            stuck = true;
            unread += due->item.length;
            place = &due->next;
            continue;
        }
        *place = due->next;
        free(due);
    }
    int64_t next = INT64_MAX;
    for (const struct waiting *later = queue; later; later = later->next) {
        int64_t at = later->item.at > now ? later->item.at : now + TRY_AGAIN;
        next = at < next ? at : next;
    }
    if (queue) {
        qemu.timer_mod_ns(delivery, next);
    }
}

bool ports_find(void)
{
    delivery = qemu_timer(deliver, NULL);
    for (uint32_t line = 0; line < nic_count; line++) {
        nics[line] = qemu.qemu_find_netdev(nic_ids[line]);
        if (!nics[line]) {
            say("there is no netdev '%s'", nic_ids[line]);
            return false;
        }
        if (!qemu_hook_hubport(nics[line], nic_ids[line], from_nic)) {
            return false;
        }
    }
    if (serial_id && !(serial = qemu.qemu_chr_find(serial_id))) {
        say("there is no chardev '%s'", serial_id);
        return false;
    }
    return true;
}

void ports_take(const struct grant *grant, const uint8_t *items, int64_t now)
{
    const uint8_t *end = items + grant->bytes;
    for (uint32_t n = 0; n < grant->items; n++) {
        struct item item;
        if ((size_t)(end - items) < sizeof item) {
            give_up("a grant is cut short in item %u of %u", n + 1, grant->items);
        }
        memcpy(&item, items, sizeof item);
        items += sizeof item;
        bool to_serial = item.line == SERIAL_LINE && serial;
        uint32_t longest = to_serial ? LONGEST_INPUT : item.line < nic_count ? LONGEST_FRAME : 0;
        if (!item.length || item.length > longest || (size_t)(end - items) < item.length || item.at < now) {
            give_up("a granted item is malformed: %u bytes for line %#x at %lld, now %lld", item.length, item.line,
                    (long long)item.at, (long long)now);
        }
        struct waiting *new = allocate(NULL, sizeof *new + item.length);
        new->item = item;
        memcpy(new->bytes, items, item.length);
        items += item.length;
        put(new);
    }
    if (items != end) {
        give_up("a grant has %zu bytes too many", (size_t)(end - items));
    }
    if (grant->items && queue) {
        qemu.timer_mod_ns(delivery, queue->item.at > now ? queue->item.at : now);
    }
}

uint32_t ports_unread(void)
{
    return unread;
}
