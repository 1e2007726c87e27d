/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The messages between plugin and coordinator, as PROTOCOL.md describes them: there is what they mean. Little-endian,
 * as is every host that QEMU's x86-64 emulation is used on here.
 */
#ifndef LOCKSTEP_PROTOCOL_H
#define LOCKSTEP_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_VERSION 2
#define PROTOCOL_MAGIC "deadpeer"

/* Bounds, the same on both sides. */
#define MOST_BYTES (64u << 20) /* of items in one message */
#define LONGEST_FRAME 65550u   /* an Ethernet header and 64 KiB */
#define LONGEST_INPUT 65536u   /* serial bytes in one item */
#define MOST_NICS 3u
#define SERIAL_LINE 0x100u

struct hello {
    char magic[8];
    uint32_t protocol, major, minor, micro, nics, serials;
};

struct report {
    int64_t now, next;
    uint32_t items, bytes, unread, last;
    int64_t stood;
};

enum { GRANT_RUN = 0, GRANT_PAUSE = 1 };

struct grant {
    int64_t until;
    uint32_t what, items, bytes, zero;
};

struct item {
    int64_t at;
    uint32_t line, length;
};

_Static_assert(sizeof(struct hello) == 32 && sizeof(struct report) == 40, "no padding");
_Static_assert(sizeof(struct grant) == 24 && sizeof(struct item) == 16, "no padding");

#endif
