/*
 * Handlers of one's own task types, in C or C++: a shared object that poppod(8) loads into worker processes of its own,
 * never into the supervisor.
 *
 *   #include <poppo/plugin.h>
 *
 *   static int run(struct poppo_run *run)
 *   {
 *           return run->host->result(run, "\x2a", 1);
 *   }
 *
 *   const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "answer 1.0", .run = run};
 *
 *   $ cc -shared -fPIC -o answer.so answer.c
 *   "taskTypes": {"answer": {"plugin": "/usr/local/lib/poppo/answer.so", "profile": "js"}}
 *   $ poppo submit --wait - <<< '{"type": "answer"}'
 *
 * The file. It must belong to root or to the supervisor's user, and neither it nor a directory on its path may be writable
 * by its group or by others. It is loaded with all symbols bound. A plugin that is refused, cannot be loaded, has another
 * ABI or whose init() fails starts no worker; the log, `poppo daemon status` and `poppo why` of waiting tasks say why.
 *
 * The life of a worker. The file is loaded, and its constructors run, before the sandbox is closed: leave them empty. Then
 * the sandbox of the configured profile ("js" if there is none) is closed around the process, and from there on:
 *
 *   init()  configure()  { validate()  run() }  { validate()  run() }  configure()  { validate()  run() } ...  fini()
 *
 * One task at a time, all on the main thread. A worker serves one project only, and as many tasks as
 * daemon.worker.maxTasksPerWorker says; what the plugin keeps in memory it keeps for that long. There may be several
 * workers. fini() may never come: a worker can be killed at any time, and so can a task's attempt.
 *
 * The sandbox. The plugin is trusted with what its profile may do, see poppo-sandbox(7), and not protected from itself. In
 * the profile "js" it computes: no files, no sockets, no threads, no executable memory; and no more memory than
 * daemon.worker.maxMemoryBytes, its stack and some slack. In the profile "http" it may have threads, and connect to any
 * address that the machine reaches: what is refused to an http-request is not refused here. A system call that the profile
 * forbids kills the worker, and the task is told which. A crash, exit() and an endless loop cost the worker and its task, and
 * nobody else anything. There are no standard streams: use log().
 *
 * Values are MessagePack, nested no deeper than 28. A task arrives as the map that the client handed in, its type included:
 * whatever else is in it is the plugin's own business, and only the plugin checks it.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. Texts are UTF-8 (what is not is replaced) and end with a NUL. Sizes are bytes.
 *
 * Ownership. What the host hands out is the host's: a run and its bytes are good until run() or validate() returns, settings
 * until configure() returns, the host for good. What the plugin hands to a function is copied before that returns.
 *
 * Threads and signals. Functions of the host may be called on the main thread only, inside of a call from the host. The host
 * uses the signals SIGRTMAX and SIGRTMAX - 1; a system call that blocks may fail with EINTR because of them. SIGSYS is the
 * sandbox's: taking its handler away kills the worker. No exception
 * and no longjmp() may leave a function of the plugin.
 *
 * Versions. POPPO_PLUGIN_ABI changes when something here changes its meaning; a plugin with another one is not loaded. New
 * members are added at the ends of the structs: `size` says which of them the other side knows.
 */
#ifndef POPPO_PLUGIN_H
#define POPPO_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POPPO_PLUGIN_ABI 1

#if defined(__GNUC__)
#define POPPO_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define POPPO_PLUGIN_EXPORT
#endif

/* Borrowed bytes. */
struct poppo_bytes {
        const void *data;
        size_t size;
};

struct poppo_run;

/* Whether a run is to go on. */
enum poppo_stop {
        POPPO_GO_ON = 0,
        POPPO_STOP_CANCELLED = 1, /* the client wants it no more */
        POPPO_STOP_TIMEOUT = 2,   /* its deadline has passed */
        POPPO_STOP_CPU = 3,       /* it has used the CPU time that a task may */
};

/* As the methods of console. */
enum poppo_level {
        POPPO_LEVEL_LOG = 0,
        POPPO_LEVEL_INFO = 1,
        POPPO_LEVEL_DEBUG = 2,
        POPPO_LEVEL_WARN = 3,
        POPPO_LEVEL_ERROR = 4,
};

enum poppo_metric_kind {
        POPPO_COUNTER = 0,   /* values are added up; none is negative */
        POPPO_GAUGE = 1,     /* the last value counts */
        POPPO_HISTOGRAM = 2, /* each value is an observation; see count, sum and quantiles */
};

/* One of the plugin's metrics. They appear in `poppo stats` under the task type, for all of its workers together. */
struct poppo_metric {
        enum poppo_metric_kind kind;
        const char *name; /* letters, digits and _, not a digit first; up to 64 bytes */
        const char *help; /* a sentence for people: one line of UTF-8, up to 256 bytes; may be NULL */
};

/* How a function of the host ends. */
enum poppo_answer {
        POPPO_DONE = 0,
        POPPO_NO_VALUE = 1,  /* the bytes are not exactly one MessagePack value, or nest too deep */
        POPPO_TOO_LARGE = 2, /* over max_result_bytes */
        POPPO_NO_SUCH = 3,   /* no error code, metric or level like that; no run is under way */
};

/* What the worker offers. */
struct poppo_host {
        uint32_t abi, size;        /* POPPO_PLUGIN_ABI, sizeof(struct poppo_host) as the worker knows it */
        const char *version;       /* of poppo, for example "0.1.0" */
        const char *type;          /* the task type that this worker serves */
        const char *profile;       /* "js" or "http" */
        uint64_t max_result_bytes; /* the largest result; queue.maxResultBytes */

        /* Sets the result: one MessagePack value. The last call counts; without one the result is nil. After a call that did
         * not succeed the run fails with RESULT_TOO_LARGE or TASK_ERROR, unless another one succeeds. */
        enum poppo_answer (*result)(struct poppo_run *run, const void *value, size_t size);

        /* Says how the run fails; run() then returns non-zero. code: one of the codes of poppo-protocol(7), NULL for
         * TASK_ERROR; it decides whether the task is tried again. message: for people. data: one MessagePack value that the
         * error carries; NULL: none. */
        enum poppo_answer (*fail)(struct poppo_run *run, const char *code, const char *message, const void *data, size_t size);

        /* A line of the run's log: it is in the task's record, and whoever follows the task sees it at once. Over 256 KiB
         * a run the rest is dropped, and the record says that it was. */
        void (*log)(struct poppo_run *run, enum poppo_level level, const char *text);

        /* A value for the metric with this index in poppo_plugin.metrics. Cheap: what is not a histogram's is sent at most
         * once a second and at the end of the run. Ignored: a value that is not finite, a counter's that is negative. */
        enum poppo_answer (*metric)(const struct poppo_host *host, unsigned int index, double value);

        /* Whether to stop, and why. Cheap enough for an inner loop. A run that is told to stop has until its end that
         * daemon.worker.killGrace allows: it returns non-zero, and has failed with CANCELLED, TIMEOUT or CPU_LIMIT; what it
         * says in fail() does not count then. One that does not return is killed with its worker. */
        enum poppo_stop (*stopped)(struct poppo_run *run);
};

/* One attempt at a task. */
struct poppo_run {
        const struct poppo_host *host;
        uint32_t size;           /* sizeof(struct poppo_run) as the worker knows it */
        struct poppo_bytes task; /* the task's map, encoded */
        int64_t started;         /* when the attempt began */
        int64_t deadline;        /* when it has to be over; INT64_MAX: never */
        const char *traceparent; /* W3C trace context, to be carried on; NULL: none */
        void *data;              /* the plugin's, NULL at the beginning of validate(); run() finds what that left */
};

/* What a plugin exports, by the name poppo_plugin. A function that is NULL is not called; run() must be there. */
struct poppo_plugin {
        uint32_t abi, size; /* POPPO_PLUGIN_HEAD */
        const char *name;   /* of the plugin and its version, for the log; up to 64 bytes */

        const struct poppo_metric *metrics; /* at most 64; the last one's name is NULL. NULL: none */

        /* Once, in the closed sandbox, before the worker counts as ready. Not 0: it does not start, and `why` (NUL-terminated,
         * of this size) is told to the operator. It has daemon.worker.startTimeout. */
        int (*init)(const struct poppo_host *host, char *why, size_t size);

        /* Before the first run and when the configuration has changed: a MessagePack map with what it says of the task type
         * and the project: {env: {NAME: string}}. Not 0: the worker ends, and another one is started. */
        int (*configure)(const struct poppo_host *host, struct poppo_bytes settings);

        /* Before each run: is this a task at all? Not 0: it fails with what fail() said; INVALID_TASK, which is not tried
         * again, unless that named another code. */
        int (*validate)(struct poppo_run *run);

        /* Does the task. 0: it has succeeded, with the last result(). Not 0: it has failed as fail() said, or with
         * TASK_ERROR. */
        int (*run)(struct poppo_run *run);

        /* Before the process ends in good order. */
        void (*fini)(const struct poppo_host *host);
};

/* The first two members. */
#define POPPO_PLUGIN_HEAD .abi = POPPO_PLUGIN_ABI, .size = (uint32_t)sizeof(struct poppo_plugin)

/* The plugin defines it. */
extern POPPO_PLUGIN_EXPORT const struct poppo_plugin poppo_plugin;

#ifdef __cplusplus
}
#endif

#endif
