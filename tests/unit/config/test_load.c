/* Loading: values as documented, and every refusal with its exact sentence and place. */
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void load_ok(struct config *cfg, const char *text)
{
        struct config_error err;

        if (load_string(cfg, text, &err))
                fail_msg("%s", err.text);
}

static void test_documented_file_loads(void **state)
{
        struct config cfg;

        (void)state;
        load_ok(&cfg, DOCUMENTED);
        assert_int_equal(cfg.daemon.worker.min_processes, 1);
        assert_int_equal(cfg.daemon.worker.max_processes, 4);
        assert_true(cfg.daemon.worker.auto_scale);
        assert_true(cfg.daemon.worker.scale_up_threshold == 0.8);
        assert_true(cfg.daemon.worker.scale_down_threshold == 0.2);
        assert_int_equal(cfg.daemon.worker.max_tasks_per_worker, 100);
        assert_int_equal(cfg.daemon.worker.worker_idle_timeout, 60000);
        config_fini(&cfg);
}

static void test_defaults(void **state)
{
        struct config cfg, empty;

        (void)state;
        assert_int_equal(config_defaults(&cfg), 0);
        load_ok(&empty, "{}");
        assert_null(cfg.daemon.socket_path);
        assert_int_equal(cfg.daemon.socket_mode, 0660);
        assert_int_equal(cfg.daemon.shutdown_timeout, 30000);
        assert_int_equal(cfg.daemon.worker.max_memory_bytes, 256 << 20);
        assert_int_equal(cfg.daemon.worker.isolation, CONFIG_ISOLATION_PROJECT);
        assert_int_equal(cfg.defaults.timeout, 300000);
        assert_true(cfg.defaults.retry_backoff == 2.0);
        assert_int_equal(cfg.queue.on_limit, CONFIG_ON_LIMIT_QUEUE);
        assert_int_equal(cfg.queue.result_ttl, 3600000);
        assert_int_equal(cfg.logging.level, CONFIG_LOG_LEVEL_INFO);
        assert_string_equal(cfg.logging.file, "");
        assert_int_equal(empty.queue.max_length, cfg.queue.max_length);
        config_fini(&cfg);
        config_fini(&cfg);
        config_fini(&empty);
}

static void test_everything(void **state)
{
        struct config cfg;
        const struct config_project *p;

        (void)state;
        load_ok(&cfg, EVERYTHING);
        assert_string_equal(cfg.daemon.socket_path, "/tmp/a \"b\" \xc3\xa9.sock");
        assert_int_equal(cfg.daemon.socket_mode, 0600);
        assert_int_equal(cfg.daemon.allow_uids.n, 3);
        assert_int_equal(cfg.daemon.allow_uids.items[2], 4294967294);
        assert_int_equal(cfg.daemon.worker.worker_idle_timeout, 172800000);
        assert_int_equal(cfg.queue.max_result_bytes, 10000000);
        assert_int_equal(cfg.n_projects, 3);
        p = config_project_find(&cfg, "acme", 4);
        assert_string_equal(p->name, "acme");
        assert_true(p->rate_limit == 1.5);
        assert_int_equal(p->isolation, CONFIG_ISOLATION_HEAP);
        assert_int_equal(p->task_types.n, 2);
        assert_string_equal(p->task_types.items[0], "execute-code");
        assert_true(p->paused);
        assert_string_equal(p->env.items[0], "A_1=x=\"y\"");
        assert_string_equal(p->ca_file, "/etc/ca.pem");
        assert_true(p->network);
        assert_false(config_task_type_find(&cfg, "execute-function", 16)->enabled);
        assert_int_equal(config_task_type_find(&cfg, "http-request", 12)->allow_ports.items[0], 8080);
        config_fini(&cfg);
}

static void test_unlisted_names_have_defaults(void **state)
{
        struct config cfg;
        const struct config_project *p;

        (void)state;
        load_ok(&cfg, EVERYTHING);
        p = config_project_find(&cfg, "acm", 3);
        assert_null(p->name);
        assert_int_equal(p->weight, 1);
        assert_int_equal(p->max_priority, 10);
        assert_int_equal(p->isolation, CONFIG_ABSENT);
        assert_ptr_equal(config_project_find(&cfg, "acme2", 5), p);
        assert_true(config_task_type_find(&cfg, "execute-code", 12)->enabled);
        config_fini(&cfg);
}

static void test_handlers_are_found_in_the_order_of_their_names(void **state)
{
        struct config cfg;
        const struct config_task_type *h;

        (void)state;
        load_ok(&cfg, EVERYTHING);
        h = config_handler_next(&cfg, NULL);
        assert_string_equal(h->name, "node");
        assert_string_equal(h->program.items[1], "worker.js");
        assert_int_equal(config_handler_profile(h), CONFIG_PROFILE_SHELL);
        h = config_handler_next(&cfg, h);
        assert_string_equal(h->name, "re_size.2-x");
        assert_int_equal(config_handler_profile(h), CONFIG_PROFILE_HTTP);
        h = config_handler_next(&cfg, h);
        assert_string_equal(h->program.items[0], "/bin/sh");
        assert_true(config_is_handler(h));
        assert_null(config_handler_next(&cfg, h));
        assert_false(config_is_handler(config_task_type_find(&cfg, "shell-command", 13)));
        assert_false(config_is_handler(config_task_type_find(&cfg, "unheard of", 10)));
        config_fini(&cfg);

        load_ok(&cfg, "{\"taskTypes\":{\"own\":{\"plugin\":\"/a.so\"}}}");
        assert_int_equal(config_handler_profile(config_handler_next(&cfg, NULL)), CONFIG_PROFILE_JS);
        config_fini(&cfg);
        load_ok(&cfg, "{}");
        assert_null(config_handler_next(&cfg, NULL));
        config_fini(&cfg);
}

/* 32 handlers, and what comes behind them. */
static int load_handlers(const char *more, struct config_error *err)
{
        char text[4096] = "{\"taskTypes\":{\"execute-code\":{}";
        struct config cfg = {0};
        int r;

        for (int i = 0; i < CONFIG_HANDLERS_MAX; i++)
                sprintf(text + strlen(text), ",\n\"own%d\":{\"program\":\"/p\"}", i);
        strcat(strcat(text, more), "}}");
        r = load_string(&cfg, text, err);
        config_fini(&cfg);
        return r;
}

static void test_handlers_have_a_bound(void **state)
{
        struct config_error err;

        (void)state;
        assert_int_equal(load_handlers("", &err), 0);
        assert_int_equal(load_handlers(",\"shell-command\":{}", &err), 0);
        assert_int_equal(load_handlers(",\n\"own32\":{\"plugin\":\"/p\"}", &err), CONFIG_REFUSED);
        assert_string_equal(err.text, "poppod.json:34:1: taskTypes: more than 32 handlers of one's own");
}

/* {"taskTypes":{"execute-module":{"roots":[...]}}}, n paths of this length. */
static int load_roots(int n, int length, struct config_error *err)
{
        static char text[80000];
        struct config cfg = {0};
        char *at = stpcpy(text, "{\"taskTypes\":{\"execute-module\":{\"roots\":[");
        int r;

        for (int i = 0; i < n; i++)
                at += sprintf(at, "%s\"/%0*d\"", i ? "," : "", length - 1, i);
        strcpy(at, "]}}}");
        r = load_string(&cfg, text, err);
        config_fini(&cfg);
        return r;
}

/* What a worker is told of it must fit into the message: the sum is bounded, not only the number and each string. */
static void test_lists_have_a_bound(void **state)
{
        struct config_error err;

        (void)state;
        assert_int_equal(load_roots(64, 511, &err), 0);
        assert_int_equal(load_roots(64, 512, &err), CONFIG_REFUSED);
        assert_int_equal(load_roots(65, 9, &err), CONFIG_REFUSED);
        assert_string_equal(err.text, "poppod.json:1:41: taskTypes.execute-module.roots must be an array of at most 64 absolute "
                                      "paths, 32768 bytes together, not an array");
}

/* A file with n projects, in an order that is not that of their names. */
static void load_projects(struct config *cfg, int n)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        fputs("{\"projects\":{", out);
        for (int i = 0; i < n; i++)
                fprintf(out, "%s\"p%d\":{\"weight\":%d}", i ? "," : "", i * 7919 % n, 1 + i * 7919 % n % 1000);
        fputs("}}", out);
        fclose(out);
        load_ok(cfg, text);
        free(text);
}

/* The processor time of so many lookups, of names that are there and of names that are not. */
static double time_lookups(const struct config *cfg, int n, int lookups)
{
        clock_t start = clock();

        for (int i = 0; i < lookups; i++) {
                char name[16];
                int len = snprintf(name, sizeof(name), "p%d", i % n);
                const struct config_project *p = config_project_find(cfg, name, (size_t)len);

                assert_string_equal(p->name, name);
                assert_int_equal(p->weight, 1 + i % n % 1000);
                assert_ptr_equal(config_project_find(cfg, "q", 1), &cfg->default_project);
                assert_ptr_equal(config_project_find(cfg, "", 0), &cfg->default_project);
        }
        return (double)(clock() - start);
}

static void test_a_project_is_found_as_fast_among_ten_thousand(void **state)
{
        struct config few, many;

        (void)state;
        load_projects(&few, 100);
        load_projects(&many, 10000);
        assert_int_equal(many.n_projects, 10000);
        time_lookups(&few, 100, 10000); /* warm */
        assert_true(time_lookups(&many, 10000, 10000) < 15 * time_lookups(&few, 100, 10000));
        config_fini(&few);
        config_fini(&many);
}

static const struct {
        const char *text, *error;
} refused[] = {
        /* Keys. */
        {"{\"daemon\":{\"worker\":{\"maxProcesess\":4}}}",
                "1:22: unknown key \"maxProcesess\" in daemon.worker; did you mean \"maxProcesses\"?"},
        {"{\n  \"queue\": {\n\t\"agingintervall\" : 1}}",
                "3:2: unknown key \"agingintervall\" in queue; did you mean \"agingInterval\"?"},
        {"{\"deamon\":{}}", "1:2: unknown key \"deamon\"; did you mean \"daemon\"?"},
        {"{\"daemon\":{\"maxProcesses\":4}}", "1:12: unknown key \"maxProcesses\" in daemon; it belongs to daemon.worker"},
        {"{\"queue\":{\"projects\":{}}}", "1:11: unknown key \"projects\" in queue; it belongs to the top level"},
        {"{\"logging\":{\"elephant\":1}}", "1:13: unknown key \"elephant\" in logging"},
        {"{\"projects\":{\"a\":{\"wieght\":1}}}", "1:19: unknown key \"wieght\" in projects.a; did you mean \"weight\"?"},
        {"{\"\":1}", "1:2: unknown key \"\""},
        {"{\"a\\u001b[31m\":1}", "1:2: unknown key \"a\\u001B[31m\""},
        {"{\"queue\":{\"maxLength\":1, \"\\u00e9\xc3\xa9\xe2\x82\xac\":[{}], \"x\":1}}",
                "1:26: unknown key \"\\u00E9\\u00E9\\u20AC\" in queue"},
        {"{\"queue\":{\"maxLength\":1,\n\"maxLength\":2}}", "2:1: duplicate key \"maxLength\""},
        {"{\"projects\":{\"a\\\"b\":{}, \"a\\\"b\":{}}}", "1:25: duplicate key \"a\\\"b\""},
        /* Types. */
        {"[]", "1:1: the file must hold an object, not an array"},
        {" {\"queue\": 5}", "1:12: queue must be an object, not 5"},
        {"{\"daemon\":{\"worker\":[]}}", "1:21: daemon.worker must be an object, not an array"},
        {"{\"projects\":{\"a\":null}}", "1:18: projects.a must be an object, not null"},
        {"{\"projects\":[]}", "1:13: projects must be an object, not an array"},
        {"{\"daemon\":{\"worker\":{\"autoScale\":\"yes\"}}}", "1:34: daemon.worker.autoScale must be true or false, not \"yes\""},
        {"{\"daemon\":{\"worker\":{\"minProcesses\":\"1\"}}}",
                "1:37: daemon.worker.minProcesses must be an integer from 0 to 1024, not \"1\""},
        {"{\"daemon\":{\"worker\":{\"minProcesses\":1.5}}}",
                "1:37: daemon.worker.minProcesses must be an integer from 0 to 1024, not 1.5"},
        {"{\"daemon\":{\"worker\":{\"maxTasksJitter\":true}}}",
                "1:39: daemon.worker.maxTasksJitter must be a number from 0 to 1, not true"},
        {"{\"daemon\":{\"socketPath\":\"\"}}", "1:25: daemon.socketPath must be a string of 1 to 107 bytes, not \"\""},
        {"{\"daemon\":{\"socketPath\":{}}}", "1:25: daemon.socketPath must be a string of 1 to 107 bytes, not an object"},
        {"{\"daemon\":{\"socketMode\":660}}",
                "1:25: daemon.socketMode must be octal digits in quotes as in \"0660\", at most \"0777\", not 660"},
        {"{\"daemon\":{\"socketMode\":\"0680\"}}",
                "1:25: daemon.socketMode must be octal digits in quotes as in \"0660\", at most \"0777\", not \"0680\""},
        {"{\"daemon\":{\"socketMode\":\"1777\"}}",
                "1:25: daemon.socketMode must be octal digits in quotes as in \"0660\", at most \"0777\", not \"1777\""},
        {"{\"daemon\":{\"allowUids\":5}}", "1:24: daemon.allowUids must be an array of integers from 0 to 4294967294, not 5"},
        {"{\"daemon\":{\"allowUids\":[1, [2, 3], 4]}}",
                "1:28: daemon.allowUids must be an array of integers from 0 to 4294967294, not with an array"},
        {"{\"daemon\":{\"allowUids\":[1, \n \"root\"]}}",
                "2:2: daemon.allowUids must be an array of integers from 0 to 4294967294, not with \"root\""},
        {"{\"projects\":{\"a\":{\"taskTypes\":[\"execute-code\", \"shell\"]}}}",
                "1:48: projects.a.taskTypes: \"shell\" is neither a task type nor a handler in taskTypes"},
        {"{\"projects\":{\"a\":{\"taskTypes\":[5]}}}", "1:32: projects.a.taskTypes must be an array of strings, not with 5"},
        {"{\"projects\":{\"b\":{},\n\"a\":{\"weight\":1, \"taskTypes\":[\"resize\",\n\"resise\"]}},"
         "\"taskTypes\":{\"resize\":{\"program\":\"/p\"}}}",
                "3:1: projects.a.taskTypes: \"resise\" is neither a task type nor a handler in taskTypes; did you mean "
                "\"resize\"?"},
        /* Ranges, durations, sizes, rates, words. */
        {"{\"daemon\":{\"worker\":{\"maxProcesses\":5000}}}",
                "1:37: daemon.worker.maxProcesses must be an integer from 1 to 1024, not 5000"},
        {"{\"daemon\":{\"worker\":{\"scaleUpThreshold\":-0.1}}}",
                "1:41: daemon.worker.scaleUpThreshold must be a number from 0 to 1000, not -0.1"},
        {"{\"daemon\":{\"worker\":{\"killGrace\":\"2 s\"}}}",
                "1:34: daemon.worker.killGrace must be a duration from 0ms to 1h, in milliseconds or with a unit as in "
                "\"60s\", not \"2 s\""},
        {"{\"defaults\":{\"timeout\":\"366d\"}}",
                "1:24: defaults.timeout must be a duration from 0ms to 365d, in milliseconds or with a unit as in "
                "\"60s\", not \"366d\""},
        {"{\"daemon\":{\"worker\":{\"maxMemoryBytes\":\"64k\"}}}",
                "1:39: daemon.worker.maxMemoryBytes must be a size from 1MiB to 1TiB, in bytes or with a unit as in "
                "\"64MiB\", not \"64k\""},
        {"{\"projects\":{\"a\":{\"rateLimit\":\"10/d\"}}}",
                "1:31: projects.a.rateLimit must be a rate as in \"10/s\", \"30/m\" or \"100/h\", at most 1000000000/s, "
                "not \"10/d\""},
        {"{\"projects\":{\"a\":{\"rateLimit\":\"-1/s\"}}}",
                "1:31: projects.a.rateLimit must be a rate as in \"10/s\", \"30/m\" or \"100/h\", at most 1000000000/s, "
                "not \"-1/s\""},
        {"{\"daemon\":{\"worker\":{\"isolation\":\"proces\"}}}",
                "1:34: daemon.worker.isolation must be \"heap\", \"project\" or \"process\", not \"proces\"; did you mean "
                "\"process\"?"},
        {"{\"queue\":{\"onLimit\":1}}", "1:21: queue.onLimit must be \"queue\" or \"reject\", not 1"},
        {"{\"queue\":{\"onFull\":\"drop\"}}", "1:20: queue.onFull must be \"reject\", not \"drop\""},
        {"{\"logging\":{\"file\":12345678901234567}}", "1:20: logging.file must be a string of 0 to 4095 bytes, not 12345678901234567"},
        {"{\"queue\":{\"onLimit\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}",
                "1:21: queue.onLimit must be \"queue\" or \"reject\", not "
                "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."},
        /* Names. */
        {"{\"projects\":{\"a b\":{}}}", "1:14: projects: the name \"a b\" is not 1 to 128 letters, digits and . _ - : /"},
        {"{\"projects\":{\"\":{}}}", "1:14: projects: the name \"\" is not 1 to 128 letters, digits and . _ - : /"},
        {"{\"taskTypes\":{\"execute-cod\":{}}}",
                "1:15: unknown task type \"execute-cod\"; did you mean \"execute-code\"? A handler of one's own needs "
                "\"program\" or \"plugin\""},
        {"{\"taskTypes\":{\"dance\":{\"profile\":\"js\"}}}",
                "1:15: unknown task type \"dance\"; a handler of one's own needs \"program\" or \"plugin\""},
        {"{\"taskTypes\":{\"dance\":5}}",
                "1:15: unknown task type \"dance\"; a handler of one's own needs \"program\" or \"plugin\""},
        {"{\"taskTypes\":{\"a b\":{\"program\":\"/p\"}}}",
                "1:15: taskTypes: the name \"a b\" is not 1 to 64 letters, digits and . _ -"},
        {"{\"taskTypes\":{\"\":{\"program\":\"/p\"}}}",
                "1:15: taskTypes: the name \"\" is not 1 to 64 letters, digits and . _ -"},
        {"{\"taskTypes\":{\"x1234567890123456789012345678901234567890123456789012345678901234\":{\"plugin\":\"/p\"}}}",
                "1:15: taskTypes: the name \"x1234567890123456789012345678901234567890123456789012345678901234\" is not 1 "
                "to 64 letters, digits and . _ -"},
        /* Options of single task types. */
        {"{\"taskTypes\":{\"execute-code\":{\"roots\":[]}}}",
                "1:31: unknown key \"roots\" in taskTypes.execute-code; it belongs to execute-module"},
        {"{\"taskTypes\":{\"own\":{\"program\":\"/p\",\n\"allowHosts\":[]}}}",
                "2:1: unknown key \"allowHosts\" in taskTypes.own; it belongs to http-request"},
        {"{\"taskTypes\":{\"shell-command\":{\"program\":\"/p\"}}}",
                "1:32: unknown key \"program\" in taskTypes.shell-command; it belongs to handlers of one's own"},
        {"{\"taskTypes\":{\"execute-module\":{\"paths\":[]}}}",
                "1:33: unknown key \"paths\" in taskTypes.execute-module; it belongs to shell-command and to handlers of "
                "one's own"},
        {"{\"taskTypes\":{\"own\":{\"program\":\"/p\",\n \"plugin\":\"/p\"}}}",
                "2:2: taskTypes.own has both \"program\" and \"plugin\"; a handler is one of them"},
        {"{\"taskTypes\":{\"own\":{\"plugin\":\"/p\",\n \"program\":[\"/p\"]}}}",
                "2:2: taskTypes.own has both \"program\" and \"plugin\"; a handler is one of them"},
        {"{\"taskTypes\":{\"own\":{\"program\":\"python3\"}}}",
                "1:32: taskTypes.own.program must be an absolute path, or an array of at most 256 strings that begins with "
                "one, 32768 bytes together, not \"python3\""},
        {"{\"taskTypes\":{\"own\":{\"program\":[\"python3\",\"/a.py\"]}}}",
                "1:33: taskTypes.own.program must be an absolute path, or an array of at most 256 strings that begins with "
                "one, 32768 bytes together, not with \"python3\""},
        {"{\"taskTypes\":{\"own\":{\"program\":[]}}}",
                "1:32: taskTypes.own.program must be an absolute path, or an array of at most 256 strings that begins with "
                "one, 32768 bytes together, not an array"},
        {"{\"taskTypes\":{\"own\":{\"plugin\":\"./a.so\"}}}",
                "1:31: taskTypes.own.plugin must be an absolute path of at most 4095 bytes, not \"./a.so\""},
        {"{\"taskTypes\":{\"execute-module\":{\"roots\":[\"/a\", \"b\"]}}}",
                "1:48: taskTypes.execute-module.roots must be an array of at most 64 absolute paths, 32768 bytes together, "
                "not with \"b\""},
        {"{\"taskTypes\":{\"execute-module\":{\"roots\":\"/a\"}}}",
                "1:41: taskTypes.execute-module.roots must be an array of at most 64 absolute paths, 32768 bytes together, "
                "not \"/a\""},
        {"{\"taskTypes\":{\"http-request\":{\"allowPorts\":[80, 0]}}}",
                "1:49: taskTypes.http-request.allowPorts must be an array of integers from 1 to 65535, not with 0"},
        /* Environments. */
        {"{\"projects\":{\"a\":{\"env\":[]}}}",
                "1:25: projects.a.env must be an object of at most 256 strings named by letters, digits and _, 32768 "
                "bytes together, not an array"},
        {"{\"projects\":{\"a\":{\"env\":{\"A\":\"b\",\n\"B\": 5}}}}",
                "2:6: projects.a.env must be an object of at most 256 strings named by letters, digits and _, 32768 "
                "bytes together, not with 5"},
        {"{\"projects\":{\"a\":{\"env\":{\"A\":\"b\",\n \"A=B\": \"\"}}}}",
                "2:2: projects.a.env must be an object of at most 256 strings named by letters, digits and _, 32768 "
                "bytes together, not with \"A=B\""},
        {"{\"projects\":{\"a\":{\"env\":{\"1A\":\"\"}}}}",
                "1:26: projects.a.env must be an object of at most 256 strings named by letters, digits and _, 32768 "
                "bytes together, not with \"1A\""},
        {"{\"projects\":{\"a\":{\"caFile\":\"ca.pem\"}}}",
                "1:28: projects.a.caFile must be an absolute path of at most 4095 bytes, not \"ca.pem\""},
        /* One option against another. */
        {"{\"daemon\":{\"worker\":{\"minProcesses\":8,\n\"maxProcesses\":6}}}",
                "2:1: daemon.worker: minProcesses (8) must not be above maxProcesses (6)"},
        {"{\"daemon\":{\"worker\":{\"minProcesses\":8}}}",
                "1:22: daemon.worker: minProcesses (8) must not be above maxProcesses (4, the default)"},
        {"{\"daemon\":{\"worker\":{\"scaleUpThreshold\":0.15}}}",
                "1:22: daemon.worker: scaleDownThreshold (0.2, the default) must not be above scaleUpThreshold (0.15)"},
        {"{\"daemon\":{\"worker\":{\"respawnBackoff\":\"1m\"}}}",
                "1:22: daemon.worker: respawnBackoff (60000) must not be above respawnBackoffMax (30000, the default)"},
        {"{\"defaults\":{\"retryDelayMax\":500}}",
                "1:14: defaults: retryDelay (1000, the default) must not be above retryDelayMax (500)"},
        /* Not JSON. */
        {"", "1:1: not JSON: '[' or '{' expected near end of file"},
        {"{} x", "1:4: not JSON: end of file expected near 'x'"},
        {"{\"queue\":{}\n,}", "2:2: not JSON: string or '}' expected near '}'"},
        {"{'queue':{}}", "1:2: not JSON: string or '}' expected near '''"},
        {"{\"queue\":{\"maxLength\":1e999}}", "1:27: not JSON: real number overflow near '1e999'"},
        {"{\"queue\":{\"maxLength\":99999999999999999999}}",
                "1:42: not JSON: too big integer near '99999999999999999999'"},
        {"{\"a\xff\":1}", "1:4: not JSON: unable to decode byte 0xff near '\"a'"},
};

/* Hosts have a syntax of their own. */
static void test_hosts(void **state)
{
        static const char *const good[] = {"localhost", "a-b.c_d.example", ".example", "h:1", ".example:65535", "127.0.0.1",
                "127.0.0.1:80", "10.0.0.0/8", "0.0.0.0/0", "::1", "::/0", "fd00::/8", "[::1]", "[::1]:80", "::ffff:1.2.3.4"};
        static const char *const bad[] = {"", ".", "a b", "http://a", "a/8", "a:", "a:0x50", "a:65536", "a:123456", "10.0.0.0/33",
                "10.0.0.0/", "10.0.0/8", "::1/129", "[::1", "[::1]80", "[::1]:", "[1.2.3.4]", "[a]", "::g", "a:b:c", "a@b", "*"};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]) + sizeof(bad) / sizeof(bad[0]); i++) {
                bool is_good = i < sizeof(good) / sizeof(good[0]);
                const char *host = is_good ? good[i] : bad[i - sizeof(good) / sizeof(good[0])];
                struct config cfg = {0};
                struct config_error err;
                char text[128];

                snprintf(text, sizeof(text), "{\"taskTypes\":{\"http-request\":{\"allowHosts\":[\"%s\"]}}}", host);
                if (load_string(&cfg, text, &err) != (is_good ? 0 : CONFIG_REFUSED))
                        fail_msg("\"%s\" is %s", host, is_good ? "a host" : "no host");
                config_fini(&cfg);
        }
}

static void test_refusals(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
                struct config cfg = {.n_projects = 77};
                struct config_error err;
                char expected[640];
                int line = 0, column = 0;

                snprintf(expected, sizeof(expected), "poppod.json:%s", refused[i].error);
                assert_int_equal(load_string(&cfg, refused[i].text, &err), CONFIG_REFUSED);
                assert_string_equal(err.text, expected);
                assert_int_equal(sscanf(refused[i].error, "%d:%d", &line, &column), 2);
                assert_int_equal(err.line, line);
                assert_int_equal(err.column, column);
                assert_int_equal(cfg.n_projects, 77);
        }
}

/* The text ends where its memory ends, so that a sanitizer sees a single byte read too much. */
static int load_exactly(const char *text, size_t len, struct config_error *err)
{
        struct config cfg = {0};
        char *exact = malloc(len ? len : 1);
        int r;

        memcpy(exact, text, len);
        r = config_load_text(&cfg, exact, len, "poppod.json", err);
        free(exact);
        config_fini(&cfg);
        return r;
}

static void test_every_truncation_is_refused(void **state)
{
        struct config_error err;
        size_t len = strlen(EVERYTHING);

        (void)state;
        for (size_t i = 0; i < len - 1; i++) {
                assert_int_equal(load_exactly(EVERYTHING, i, &err), CONFIG_REFUSED);
                assert_memory_equal(err.text, "poppod.json:", 12);
                assert_true(err.line >= 1 && err.column >= 1);
        }
        assert_int_equal(load_exactly(EVERYTHING, len - 1, &err), 0);
        assert_int_equal(load_exactly(EVERYTHING, len, &err), 0);
}

/* One byte changed anywhere: loaded or refused with a place, whatever it becomes. */
static void test_every_single_mutation_is_survived(void **state)
{
        static const char swaps[] = "\"\\{}[],:0-9ex \n\x80\xff";
        struct config_error err;
        size_t len = strlen(EVERYTHING), n_loaded = 0, n_refused = 0;
        char text[sizeof(EVERYTHING)];

        (void)state;
        for (size_t i = 0; i < len; i++)
                for (size_t k = 0; k < sizeof(swaps); k++) {
                        int r;

                        memcpy(text, EVERYTHING, sizeof(text));
                        text[i] = swaps[k];
                        r = load_exactly(text, len, &err);
                        assert_in_range(r, 0, CONFIG_REFUSED);
                        if (r)
                                assert_true(err.line >= 1 && err.column >= 1);
                        n_loaded += !r;
                        n_refused += !!r;
                }
        assert_true(n_loaded > 100 && n_refused > 100);
}

static void test_files(void **state)
{
        char path[] = "/tmp/poppo-test-config-XXXXXX", expected[128];
        struct config_error err;
        struct config cfg;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, DOCUMENTED, strlen(DOCUMENTED)), strlen(DOCUMENTED));
        assert_int_equal(config_load(&cfg, path, &err), 0);
        config_fini(&cfg);
        assert_int_equal(ftruncate(fd, 0), 0);
        snprintf(expected, sizeof(expected), "%s:1:1: not JSON: '[' or '{' expected near end of file", path);
        assert_int_equal(config_load(&cfg, path, &err), CONFIG_REFUSED);
        assert_string_equal(err.text, expected);
        assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
        assert_int_equal(config_load(&cfg, path, &err), -EFBIG);
        snprintf(expected, sizeof(expected), "%s: File too large", path);
        assert_string_equal(err.text, expected);
        close(fd);
        unlink(path);
        assert_int_equal(config_load(&cfg, path, &err), -ENOENT);
        snprintf(expected, sizeof(expected), "%s: No such file or directory", path);
        assert_string_equal(err.text, expected);
        assert_int_equal(err.line, 0);
        assert_int_equal(config_load(&cfg, "/", &err), -EISDIR);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_documented_file_loads),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_everything),
                cmocka_unit_test(test_unlisted_names_have_defaults),
                cmocka_unit_test(test_handlers_are_found_in_the_order_of_their_names),
                cmocka_unit_test(test_handlers_have_a_bound),
                cmocka_unit_test(test_lists_have_a_bound),
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_a_project_is_found_as_fast_among_ten_thousand),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_every_truncation_is_refused),
                cmocka_unit_test(test_every_single_mutation_is_survived),
                cmocka_unit_test(test_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
