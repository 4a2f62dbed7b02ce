/* The hash map: power-of-two buckets, doubled when there are as many nodes as buckets, and filled from the old ones bit by
 * bit. */
#include "base/map.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_BUCKETS = 16, MOVED_AT_ONCE = 4 };

void map_init(struct map *m)
{
        *m = (struct map){0};
}

void map_fini(struct map *m)
{
        free(m->old);
        free(m->buckets);
        map_init(m);
}

/* While a map grows, the old buckets from `moved` on are still the valid ones for their hashes. */
static struct map_node **bucket_of(const struct map *m, uint64_t hash)
{
        size_t old = hash & (m->n_old - 1);

        return m->n_old && old >= m->moved ? &m->old[old] : &m->buckets[hash & (m->n_buckets - 1)];
}

static void move_bucket(struct map *m)
{
        struct map_node *node = m->old[m->moved], *next;

        m->old[m->moved++] = NULL;
        for (; node; node = next) {
                struct map_node **at = bucket_of(m, node->hash);

                next = node->next;
                node->next = *at;
                *at = node;
        }
}

/* A few at each insertion, so that none of them has to wait for a million: done long before the next growth. */
static void go_on_moving(struct map *m)
{
        for (int i = 0; i < MOVED_AT_ONCE && m->n_old; i++) {
                move_bucket(m);
                if (m->moved < m->n_old)
                        continue;
                free(m->old);
                m->old = NULL;
                m->n_old = 0;
        }
}

static int grow(struct map *m)
{
        size_t n_buckets = m->n_buckets ? m->n_buckets * 2 : FIRST_BUCKETS;
        struct map_node **fresh = calloc(n_buckets, sizeof(*fresh));

        if (!fresh)
                return error_origin(-ENOMEM);
        m->old = m->buckets;
        m->n_old = m->n_buckets;
        m->moved = 0;
        m->buckets = fresh;
        m->n_buckets = n_buckets;
        return 0;
}

int map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
        struct map_node **at;

        if (m->n_nodes >= m->n_buckets) {
                int r = grow(m);

                if (r < 0)
                        return r;
        }
        go_on_moving(m);
        at = bucket_of(m, hash);
        node->hash = hash;
        node->next = *at;
        *at = node;
        m->n_nodes++;
        return 0;
}

void map_remove(struct map *m, struct map_node *node)
{
        for (struct map_node **at = bucket_of(m, node->hash); *at; at = &(*at)->next)
                if (*at == node) {
                        *at = node->next;
                        m->n_nodes--;
                        return;
                }
}

static struct map_node *same_hash(struct map_node *node, uint64_t hash)
{
        while (node && node->hash != hash)
                node = node->next;
        return node;
}

struct map_node *map_first(const struct map *m, uint64_t hash)
{
        return m->n_buckets ? same_hash(*bucket_of(m, hash), hash) : NULL;
}

struct map_node *map_next(const struct map_node *node)
{
        return same_hash(node->next, node->hash);
}

void map_prefetch_bucket(const struct map *m, uint64_t hash)
{
        if (m->n_buckets)
                __builtin_prefetch(bucket_of(m, hash));
}

void map_prefetch_chain(const struct map *m, uint64_t hash)
{
        if (m->n_buckets)
                __builtin_prefetch(*bucket_of(m, hash));
}

/* Places: the old buckets, then the others. */
static size_t place_of(const struct map *m, const struct map_node *node)
{
        size_t old = node->hash & (m->n_old - 1);

        return m->n_old && old >= m->moved ? old : m->n_old + (node->hash & (m->n_buckets - 1));
}

struct map_node *map_iterate(const struct map *m, struct map_node *after)
{
        size_t i = 0;

        if (after && after->next)
                return after->next;
        if (after)
                i = place_of(m, after) + 1;
        for (; i < m->n_old + m->n_buckets; i++) {
                struct map_node *first = i < m->n_old ? m->old[i] : m->buckets[i - m->n_old];

                if (first)
                        return first;
        }
        return NULL;
}

static uint64_t secret(void)
{
        static uint64_t value;

        /* Without entropy at hand the map still works; it is only easier to aim at. */
        if (!value && getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
                value = 0x9e3779b97f4a7c15;
        return value;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
        __uint128_t r = (__uint128_t)a * b;

        return (uint64_t)r ^ (uint64_t)(r >> 64);
}

uint64_t map_hash(const void *data, size_t len)
{
        const uint8_t *p = data;
        uint64_t h = secret() ^ len, word;

        for (; len >= 8; p += 8, len -= 8) {
                memcpy(&word, p, 8);
                h = mix(h ^ word, 0xa0761d6478bd642f);
        }
        word = 0;
        if (len)
                memcpy(&word, p, len);
        return mix(h ^ word, 0xe7037ed1a0b428db);
}
