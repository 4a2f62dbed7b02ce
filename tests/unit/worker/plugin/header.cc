// The header as C++ sees it: a whole plugin.
#include <poppo/plugin.h>

static const poppo_metric metrics[] = {{POPPO_COUNTER, "calls", "Calls."}, {}};

static int run(poppo_run *r)
{
        r->host->metric(r->host, 0, 1);
        return r->host->result(r, "\x01", 1);
}

const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "plus 1.0", .metrics = metrics, .run = run};
