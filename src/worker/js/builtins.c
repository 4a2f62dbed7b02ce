/* Two short tables. The sources' own is generated from modules/ (tools/gen/embed_modules.py). */
#include "worker/js/builtins.h"

#include "wire/message.h"

#include <string.h>

static const struct builtin builtins[] = {
#include "worker/js/modules.inc"
};

static const char *const withheld[] = {"async_hooks", "child_process", "cluster", "console", "constants",
        "crypto", "dgram", "diagnostics_channel", "dns", "domain", "fs", "http", "http2", "https",
        "inspector", "module", "net", "os", "perf_hooks", "readline", "repl", "stream", "sys", "timers",
        "tls", "trace_events", "tty", "v8", "vm", "wasi", "worker_threads", "zlib"};

static const char prefix[] = "node:";

static struct bytes without_prefix(struct bytes name)
{
        const size_t n = sizeof(prefix) - 1;

        if (name.len > n && !memcmp(name.data, prefix, n))
                return (struct bytes){name.data + n, name.len - n};
        return name;
}

const struct builtin *builtin_find(struct bytes name)
{
        name = without_prefix(name);
        for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
                if (wire_str_is(name, builtins[i].name))
                        return &builtins[i];
        return NULL;
}

/* "fs/promises" is fs's. */
bool builtin_is_withheld(struct bytes name)
{
        struct bytes bare = without_prefix(name), part = bare;
        const uint8_t *slash = memchr(bare.data, '/', bare.len);

        if (bare.len != name.len)
                return !builtin_find(name);
        if (slash)
                part.len = (size_t)(slash - bare.data);
        for (size_t i = 0; i < sizeof(withheld) / sizeof(withheld[0]); i++)
                if (wire_str_is(part, withheld[i]))
                        return !slash || wire_str_is(bare, "fs/promises") ||
                               wire_str_is(bare, "dns/promises");
        return false;
}
