/* Plugins that must not be loaded, one for each value of ODD; and one in the end that is short and old, but good. */
#include <poppo/plugin.h>
#include <stdio.h>
#include <stdlib.h>

static int run(struct poppo_run *r)
{
        return r->host->result(r, "\x01", 1);
}

#if ODD == 0 /* another ABI */
const struct poppo_plugin poppo_plugin = {.abi = 7, .size = sizeof(struct poppo_plugin), .name = "odd", .run = run};
#elif ODD == 1 /* nothing exported */
int (*poppo_no_plugin)(struct poppo_run *) = run;
#elif ODD == 2 /* no function */
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd"};
static __attribute__((used)) int (*unused)(struct poppo_run *) = run;
#elif ODD == 3 /* no name */
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .run = run};
#elif ODD == 4 /* a symbol that nobody has */
int nobody_has_this(void);
static int run_it(struct poppo_run *r)
{
        return run(r) + nobody_has_this();
}
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd", .run = run_it};
#elif ODD == 5 /* a metric without a proper name */
static const struct poppo_metric metrics[] = {{POPPO_COUNTER, "not good", NULL}, {0}};
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd", .metrics = metrics, .run = run};
#elif ODD == 6 /* says no at its start */
static int init(const struct poppo_host *host, char *why, size_t size)
{
        snprintf(why, size, "the moon is full for %s", host->type);
        return 5;
}
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd", .init = init, .run = run};
#elif ODD == 7 /* dies at its start */
static int init(const struct poppo_host *host, char *why, size_t size)
{
        (void)host;
        (void)why;
        (void)size;
        exit(3);
}
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd", .init = init, .run = run};
#elif ODD == 8 /* will not be configured */
static int configure(const struct poppo_host *host, struct poppo_bytes settings)
{
        (void)host;
        (void)settings;
        return 9;
}
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd", .configure = configure, .run = run};
#elif ODD == 9 /* built when run() was the last member */
const struct poppo_plugin poppo_plugin = {.abi = POPPO_PLUGIN_ABI, .size = offsetof(struct poppo_plugin, fini),
        .name = "old", .run = run, .fini = (void (*)(const struct poppo_host *))(uintptr_t)1};
#elif ODD == 10 /* a metric that says what nobody can read */
static const struct poppo_metric metrics[] = {{POPPO_COUNTER, "good", "bytes\xff of old"}, {0}};
const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "odd", .metrics = metrics, .run = run};
#endif
