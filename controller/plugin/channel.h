/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The connection with the coordinator, a stream socket that QEMU inherited. If it breaks, QEMU ends.
 */
#ifndef LOCKSTEP_CHANNEL_H
#define LOCKSTEP_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

/* Takes the socket and greets; false, after saying why, if it is none. From then on QEMU ends as soon as the coordinator is gone,
 * even while the machine stands still. */
bool channel_open(int descriptor, const struct hello *hello);

/* Puts something that left the machine into the next report. */
void channel_add(int64_t at, uint32_t line, const uint8_t *bytes, uint32_t length);

/* Reports, with what was added. */
void channel_report(int64_t now, int64_t next, uint32_t unread, bool last);

/* Waits for the grant; its items follow in memory that holds until the next call. */
const struct grant *channel_await(const uint8_t **items);

#endif
