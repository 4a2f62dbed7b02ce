/* The hash map: power-of-two buckets, doubled when there are as many nodes as buckets. */
#include "base/map.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_BUCKETS = 16 };

void map_init(struct map *m)
{
        *m = (struct map){0};
}

void map_fini(struct map *m)
{
        free(m->buckets);
        map_init(m);
}

static struct map_node **bucket_of(const struct map *m, uint64_t hash)
{
        return &m->buckets[hash & (m->n_buckets - 1)];
}

static int rehash(struct map *m, size_t n_buckets)
{
        struct map_node **old = m->buckets, **fresh = calloc(n_buckets, sizeof(*fresh));
        size_t n_old = m->n_buckets;

        if (!fresh)
                return error_origin(-ENOMEM);
        m->buckets = fresh;
        m->n_buckets = n_buckets;
        for (size_t i = 0; i < n_old; i++)
                for (struct map_node *node = old[i], *next; node; node = next) {
                        struct map_node **at = bucket_of(m, node->hash);

                        next = node->next;
                        node->next = *at;
                        *at = node;
                }
        free(old);
        return 0;
}

int map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
        struct map_node **at;

        if (m->n_nodes >= m->n_buckets) {
                int r = rehash(m, m->n_buckets ? m->n_buckets * 2 : FIRST_BUCKETS);

                if (r < 0)
                        return r;
        }
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

struct map_node *map_iterate(const struct map *m, struct map_node *after)
{
        size_t i = 0;

        if (after) {
                if (after->next)
                        return after->next;
                i = (after->hash & (m->n_buckets - 1)) + 1;
        }
        for (; i < m->n_buckets; i++)
                if (m->buckets[i])
                        return m->buckets[i];
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
