/* A buffer of text and one of where each begins: a variable that is set again leaves its old text behind. */
#include "worker/shell/environment.h"

#include "wire/cursor.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>

/* Each new variable is compared with all before it. */
enum { VARIABLES_MAX = 1000 };

void environment_init(struct environment *e)
{
        buf_init(&e->text, 0);
        buf_init(&e->items, 0);
}

void environment_fini(struct environment *e)
{
        buf_fini(&e->text);
        buf_fini(&e->items);
}

static size_t count(const struct environment *e)
{
        return buf_size(&e->items) / sizeof(size_t);
}

static size_t *starts(const struct environment *e)
{
        return (size_t *)(void *)buf_head(&e->items);
}

static char *item(const struct environment *e, size_t i)
{
        return (char *)buf_head(&e->text) + starts(e)[i];
}

static bool is_called(const char *entry, const void *name, size_t len)
{
        return !strncmp(entry, name, len) && entry[len] == '=';
}

int environment_set(struct environment *e, struct bytes name, struct bytes value)
{
        size_t start = buf_size(&e->text), i = 0;
        int r = buf_reserve(&e->text, name.len + value.len + 2);

        if (!r)
                r = buf_reserve(&e->items, sizeof(start));
        if (r)
                return r;
        while (i < count(e) && !is_called(item(e, i), name.data, name.len))
                i++;
        buf_append(&e->text, name.data, name.len);
        buf_append(&e->text, "=", 1);
        buf_append(&e->text, value.data, value.len);
        buf_append(&e->text, "", 1);
        if (i == count(e))
                return buf_append(&e->items, &start, sizeof(start));
        starts(e)[i] = start;
        return 0;
}

static bool is_name(struct bytes name)
{
        for (size_t i = 0; i < name.len; i++)
                if (!(isascii(name.data[i]) && isalnum(name.data[i])) && name.data[i] != '_')
                        return false;
        return name.len && !isdigit(name.data[0]);
}

int environment_add(struct environment *e, struct bytes map, struct wire_refusal *why)
{
        struct cursor c = cursor_over(map);
        struct wire_value head = {.tag = TAG_MAP};

        if (map.len && (cursor_read(&c, &head) || head.tag != TAG_MAP))
                return wire_refuse(why, WIRE_INVALID_TASK, "env is no map");
        if (head.count + count(e) > VARIABLES_MAX)
                return wire_refuse(why, WIRE_INVALID_TASK, "env has more than %d variables", VARIABLES_MAX);
        for (uint32_t i = 0; i < head.count; i++) {
                struct wire_value name, value;

                if (cursor_read(&c, &name) || name.tag != TAG_STR || !is_name(name.bytes))
                        return wire_refuse(why, WIRE_INVALID_TASK,
                                "env has a name that is none: letters, digits and _, not a digit first");
                if (cursor_read(&c, &value) || !strings_is_text(&value))
                        return wire_refuse(why, WIRE_INVALID_TASK, "env.%.*s is no string, or has a NUL",
                                name.bytes.len < 64 ? (int)name.bytes.len : 64,
                                (const char *)name.bytes.data);
                if (environment_set(e, name.bytes, value.bytes))
                        return -ENOMEM;
        }
        return 0;
}

const char *environment_get(const struct environment *e, const char *name)
{
        for (size_t i = 0; i < count(e); i++)
                if (is_called(item(e, i), name, strlen(name)))
                        return item(e, i) + strlen(name) + 1;
        return NULL;
}

int environment_list(const struct environment *e, struct strings *out)
{
        if (strings_allocate(out, count(e), 0))
                return -ENOMEM;
        for (size_t i = 0; i < out->n; i++)
                out->items[i] = item(e, i);
        return 0;
}
