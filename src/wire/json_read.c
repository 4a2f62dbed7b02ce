/* JSON text to MessagePack. jansson parses; its tree is walked once. */
#include "wire/json.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string of the text, and what stands there instead. */
struct place {
        const json_t *string;
        struct bytes bytes;
};

void json_seed(void)
{
        json_object_seed(0);
}

struct packing {
        struct pack pack;
        unsigned int depth_max;
        struct place *places;
        size_t n_places;
        bool wide; /* the text has an integer beyond 64 bits: all its integers were read as reals */
        bool too_deep;
};

static void pack_value(struct packing *s, const json_t *v, unsigned int depth);

static void cleanup_json(json_t **v)
{
        json_decref(*v);
}

static struct bytes text_of(const json_t *v)
{
        return (struct bytes){(const uint8_t *)json_string_value(v), json_string_length(v)};
}

static void pack_string(struct packing *s, const json_t *v)
{
        for (size_t i = 0; i < s->n_places; i++)
                if (s->places[i].string == v)
                        return pack_bin(&s->pack, s->places[i].bytes);
        pack_str(&s->pack, text_of(v));
}

static void pack_object(struct packing *s, const json_t *v, unsigned int depth)
{
        const char *key;
        size_t len;
        json_t *member;

        pack_map(&s->pack, json_object_size(v));
        json_object_keylen_foreach((json_t *)v, key, len, member) {
                pack_str(&s->pack, (struct bytes){(const uint8_t *)key, len});
                pack_value(s, member, depth);
        }
}

static void pack_list(struct packing *s, const json_t *v, unsigned int depth)
{
        pack_array(&s->pack, json_array_size(v));
        for (size_t i = 0; i < json_array_size(v); i++)
                pack_value(s, json_array_get(v, i), depth);
}

static void pack_real(struct packing *s, double real)
{
        if (s->wide && real >= -0x1p53 && real <= 0x1p53 && real == (double)(int64_t)real)
                pack_int(&s->pack, (int64_t)real);
        else
                pack_double(&s->pack, real);
}

static void pack_value(struct packing *s, const json_t *v, unsigned int depth)
{
        if (json_is_object(v) || json_is_array(v))
                depth++;
        if (depth > s->depth_max)
                s->too_deep = true;
        else if (json_is_object(v))
                pack_object(s, v, depth);
        else if (json_is_array(v))
                pack_list(s, v, depth);
        else if (json_is_string(v))
                pack_string(s, v);
        else if (json_is_integer(v))
                pack_int(&s->pack, json_integer_value(v));
        else if (json_is_real(v))
                pack_real(s, json_real_value(v));
        else if (json_is_boolean(v))
                pack_bool(&s->pack, json_is_true(v));
        else
                pack_nil(&s->pack);
}

static json_t *parse(struct bytes text, bool *wide, char *why)
{
        size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
        json_error_t error;
        json_t *v;

        /* jansson takes it for the text's end. */
        if (text.len && memchr(text.data, 0, text.len)) {
                snprintf(why, JSON_WHY_MAX, "there is a NUL byte in it");
                return NULL;
        }
        v = json_loadb((const char *)text.data, text.len, flags, &error);

        *wide = !v && json_error_code(&error) == json_error_numeric_overflow;
        if (*wide)
                v = json_loadb((const char *)text.data, text.len, flags | JSON_DECODE_INT_AS_REAL, &error);
        if (!v)
                snprintf(why, JSON_WHY_MAX, "line %d, column %d: %s", error.line, error.column, error.text);
        return v;
}

/* ---- bytes in place of strings ---- */

bool json_token_is(const char *token, struct bytes key)
{
        size_t i = 0;

        while (*token && *token != '/') {
                char c = *token++;

                if (c == '~' && (*token == '0' || *token == '1'))
                        c = *token++ == '0' ? '~' : '/';
                if (i == key.len || key.data[i++] != (uint8_t)c)
                        return false;
        }
        return i == key.len;
}

static const json_t *step_into(const json_t *v, const char *token)
{
        const char *key;
        size_t len;
        json_t *member;

        if (json_is_array(v) && *token >= '0' && *token <= '9')
                return json_array_get(v, strtoul(token, NULL, 10));
        json_object_keylen_foreach((json_t *)v, key, len, member)
                if (json_token_is(token, (struct bytes){(const uint8_t *)key, len}))
                        return member;
        return NULL;
}

static const json_t *find_string(const json_t *v, const char *pointer)
{
        while (v && *pointer == '/') {
                v = step_into(v, ++pointer);
                pointer += strcspn(pointer, "/");
        }
        return json_is_string(v) && !*pointer ? v : NULL;
}

static int find_places(struct packing *s, const json_t *v, const struct json_bytes *bytes, size_t n, char *why)
{
        s->places = calloc(n + 1, sizeof(*s->places));
        if (!s->places) {
                snprintf(why, JSON_WHY_MAX, "%s", error_text(-ENOMEM));
                return -ENOMEM;
        }
        for (size_t i = 0; i < n; i++) {
                const json_t *string = find_string(v, bytes[i].pointer);

                if (!string) {
                        snprintf(why, JSON_WHY_MAX, "there is no string at %s", bytes[i].pointer);
                        return -EINVAL;
                }
                s->places[s->n_places++] = (struct place){string, bytes[i].bytes};
        }
        return 0;
}

static int pack_all(struct packing *s, const json_t *v, struct buf *out, char *why)
{
        pack_init(&s->pack, out);
        pack_value(s, v, 0);
        if (s->too_deep) {
                snprintf(why, JSON_WHY_MAX, "values nest deeper than %u", s->depth_max);
                return -E2BIG;
        }
        if (s->pack.error)
                snprintf(why, JSON_WHY_MAX, "%s", error_text(s->pack.error));
        return s->pack.error;
}

int json_to_msgpack_with(struct bytes text, unsigned int depth_max, const struct json_bytes *bytes, size_t n, struct buf *out,
        char why[static JSON_WHY_MAX])
{
        struct packing s = {.depth_max = depth_max};
        CLEANUP(cleanup_json) json_t *v = parse(text, &s.wide, why);
        int r;

        if (!v)
                return -EINVAL;
        r = find_places(&s, v, bytes, n, why);
        if (!r)
                r = pack_all(&s, v, out, why);
        free(s.places);
        return r;
}

int json_to_msgpack(struct bytes text, unsigned int depth_max, struct buf *out, char why[static JSON_WHY_MAX])
{
        return json_to_msgpack_with(text, depth_max, NULL, 0, out, why);
}
