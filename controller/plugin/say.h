/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the plugin has to say, it says on standard error, in lines that begin with "lockstep: ".
 */
#ifndef LOCKSTEP_SAY_H
#define LOCKSTEP_SAY_H

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says it and ends QEMU with status 1, at once: its threads may hold any lock. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory, or the end. */
void *allocate(void *old, unsigned long size);

#endif
