/* The engines by name, and what they share. */
#include "store/engine.h"

#include <stdarg.h>
#include <stdio.h>

const struct store_ops *store_engine(struct bytes name)
{
        static const struct store_ops *const engines[] = {&store_sqlite, &store_memory};

        for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
                if (wire_str_is(name, engines[i]->name))
                        return engines[i];
        return NULL;
}

const char *store_condition_name(int condition)
{
        static const char *const names[] = {"done", "stale", "unavailable", "broken", "corrupt", "newer", "locked"};

        return condition < 0 ? "failed" : names[condition];
}

int store_say(struct store *s, int condition, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(s->why, sizeof(s->why), format, ap);
        va_end(ap);
        return condition;
}
