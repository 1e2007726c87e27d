/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the machine meets the world: its NICs, by way of hub ports, and its serial line.
 *
 * A hub port (`-netdev hubport`) is a backend without any host side: nothing of it runs by itself, or at a time of the host's. What
 * the NIC sends would go to the other ports of its hub, of which there are none; it goes to the coordinator in their place.
 */
#ifndef LOCKSTEP_PORTS_H
#define LOCKSTEP_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

/* Names a NIC's hub port (the next one), or the serial line's chardev; false if there are too many. */
bool ports_name_nic(const char *id);
bool ports_name_serial(const char *id);
uint32_t ports_nics(void);
uint32_t ports_serials(void);

/* Finds all that was named, when QEMU has made it; false, after saying why, if something is missing. */
bool ports_find(void);

/* Puts a grant's items where they are delivered from, each at its time. */
void ports_take(const struct grant *grant, const uint8_t *items, int64_t now);

/* Bytes for the serial line that are due and that the guest did not take yet. */
uint32_t ports_unread(void);

#endif
