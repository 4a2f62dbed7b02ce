/*
 * A plugin that computes: {type, below} gives {count, largest} of the primes below a number. It shows how a task is read and
 * a result is written with msgpack-c, what is checked before a run, how a long loop asks whether to stop, how settings come,
 * and metrics.
 */
#include <msgpack.h>
#include <poppo/plugin.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000 };

enum { FOUND, LARGEST, DURATION };

static const struct poppo_metric metrics[] = {
        [FOUND] = {POPPO_COUNTER, "primes_found", "Primes that were found."},
        [LARGEST] = {POPPO_GAUGE, "largest_prime", "The largest prime of the last task."},
        [DURATION] = {POPPO_HISTOGRAM, "run_seconds", "How long a task took."},
        {0},
};

/* From the project's environment; 0: no limit. */
static uint64_t most;

/* ---- MessagePack ---- */

static const msgpack_object *find(const msgpack_object *map, const char *key)
{
        for (uint32_t i = 0; map && map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
                const msgpack_object_kv *kv = &map->via.map.ptr[i];

                if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == strlen(key) &&
                        !memcmp(kv->key.via.str.ptr, key, strlen(key)))
                        return &kv->val;
        }
        return NULL;
}

/* ---- settings ---- */

static int configure(const struct poppo_host *host, struct poppo_bytes settings)
{
        msgpack_unpacked map;
        const msgpack_object *text;

        (void)host;
        msgpack_unpacked_init(&map);
        if (msgpack_unpack_next(&map, settings.data, settings.size, NULL) != MSGPACK_UNPACK_SUCCESS)
                return 1;
        text = find(find(&map.data, "env"), "PRIMES_MOST");
        most = text && text->type == MSGPACK_OBJECT_STR && text->via.str.size ? strtoull(text->via.str.ptr, NULL, 10) : 0;
        msgpack_unpacked_destroy(&map);
        return 0;
}

/* ---- a task ---- */

static uint64_t read_below(const struct poppo_run *run)
{
        msgpack_unpacked task;
        const msgpack_object *below;
        uint64_t n = 0;

        msgpack_unpacked_init(&task);
        if (msgpack_unpack_next(&task, run->task.data, run->task.size, NULL) == MSGPACK_UNPACK_SUCCESS) {
                below = find(&task.data, "below");
                if (below && below->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
                        n = below->via.u64;
        }
        msgpack_unpacked_destroy(&task);
        return n;
}

static int validate(struct poppo_run *run)
{
        uint64_t below = read_below(run);
        char text[100];

        if (below && (!most || below <= most))
                return 0;
        if (below)
                snprintf(text, sizeof(text), "this project may ask for primes below %llu", (unsigned long long)most);
        else
                strcpy(text, "below must be a positive integer");
        run->host->fail(run, NULL, text, NULL, 0);
        return 1;
}

static bool is_prime(uint64_t n)
{
        if (n < 2)
                return false;
        for (uint64_t d = 2; d * d <= n; d++)
                if (n % d == 0)
                        return false;
        return true;
}

static enum poppo_answer give(struct poppo_run *run, uint64_t count, uint64_t largest)
{
        enum poppo_answer answer;
        msgpack_sbuffer out;
        msgpack_packer p;

        msgpack_sbuffer_init(&out);
        msgpack_packer_init(&p, &out, msgpack_sbuffer_write);
        msgpack_pack_map(&p, 2);
        msgpack_pack_str(&p, 5);
        msgpack_pack_str_body(&p, "count", 5);
        msgpack_pack_uint64(&p, count);
        msgpack_pack_str(&p, 7);
        msgpack_pack_str_body(&p, "largest", 7);
        msgpack_pack_uint64(&p, largest);
        answer = run->host->result(run, out.data, out.size);
        msgpack_sbuffer_destroy(&out);
        return answer;
}

static double seconds_since(int64_t started)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)(now.tv_sec * INT64_C(1000000000) + now.tv_nsec - started) / 1e9;
}

static int count_primes(struct poppo_run *run)
{
        const struct poppo_host *host = run->host;
        uint64_t below = read_below(run), count = 0, largest = 0;
        char text[80];

        for (uint64_t n = 0; n < below; n++) {
                if (n % BATCH == 0 && host->stopped(run)) {
                        snprintf(text, sizeof(text), "stopped at %llu", (unsigned long long)n);
                        host->log(run, POPPO_LEVEL_WARN, text);
                        return 1;
                }
                if (is_prime(n)) {
                        count++;
                        largest = n;
                        host->metric(host, FOUND, 1);
                }
        }
        host->metric(host, LARGEST, (double)largest);
        host->metric(host, DURATION, seconds_since(run->started));
        return give(run, count, largest);
}

const struct poppo_plugin poppo_plugin = {
        POPPO_PLUGIN_HEAD,
        .name = "primes 1.0",
        .metrics = metrics,
        .configure = configure,
        .validate = validate,
        .run = count_primes,
};
