/* The keys are those of the configuration; config/options.def has their ranges, and the supervisor keeps to
 * them. */
#include "worker/shell/settings.h"

#include "wire/cursor.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

void settings_init(struct settings *s)
{
        *s = (struct settings){.max_output_bytes = 256 << 10,
                .max_disk_bytes = 64 << 20,
                .max_files = 4096,
                .max_tree_processes = 64,
                .max_tree_memory_bytes = 512 << 20};
}

void settings_fini(struct settings *s)
{
        free((void *)s->allow.data);
        free((void *)s->env.data);
        strings_fini(&s->paths);
        settings_init(s);
}

static int keep_bytes(struct bytes *to, struct bytes from)
{
        struct bytes copy = bytes_dup(from);

        if (from.len && !copy.len)
                return -ENOMEM;
        free((void *)to->data);
        *to = copy;
        return 0;
}

static int read_numbers(struct settings *s, struct bytes map)
{
        const struct {
                const char *key;
                uint64_t *to;
        } rows[] = {{"maxOutputBytes", &s->max_output_bytes}, {"maxDiskBytes", &s->max_disk_bytes},
                {"maxFiles", &s->max_files}, {"maxTreeProcesses", &s->max_tree_processes},
                {"maxTreeMemoryBytes", &s->max_tree_memory_bytes}};

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct wire_value v;
                struct bytes raw;
                struct cursor c;

                if (!wire_lookup(map, rows[i].key, &raw))
                        continue;
                c = cursor_over(raw);
                if (!cursor_read(&c, &v) && v.tag == TAG_UINT)
                        *rows[i].to = v.uint;
        }
        return 0;
}

static int read_paths(struct settings *s, struct bytes array)
{
        struct strings paths;
        struct wire_refusal why;

        if (strings_from_array(&paths, array, "paths", WIRE_INVALID_OPTION, &why))
                return -ENOMEM;
        strings_fini(&s->paths);
        s->paths = paths;
        return 0;
}

int settings_read(struct settings *s, struct bytes map)
{
        struct bytes raw;
        int r = read_numbers(s, map);

        if (!r && wire_lookup(map, "allow", &raw))
                r = keep_bytes(&s->allow, raw);
        if (!r && wire_lookup(map, "env", &raw))
                r = keep_bytes(&s->env, raw);
        if (!r && wire_lookup(map, "paths", &raw))
                r = read_paths(s, raw);
        if (!r && wire_lookup(map, "network", &raw))
                s->network = raw.len == 1 && raw.data[0] == 0xc3;
        return r;
}
