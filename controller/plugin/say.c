/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print(const char *format, va_list values)
{
    char text[512];
    vsnprintf(text, sizeof text, format, values);
    fprintf(stderr, "lockstep: %s\n", text);
}

void say(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    print(format, values);
    va_end(values);
}

void give_up(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    print(format, values);
    va_end(values);
    _exit(1);
}

void *allocate(void *old, unsigned long size)
{
    void *memory = realloc(old, size);
    if (!memory) {
        give_up("no memory for %lu bytes", size);
    }
    return memory;
}
