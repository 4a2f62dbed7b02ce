/* Samples are written in the table's order and with the shortest heads, which is what wire_encode does as well. */
#include "sample.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A container's length on the wire is steered by one binary inside it: head bytes before that binary's payload. */
static void container(struct pack *p, const char *head, size_t head_len, int64_t n)
{
        size_t payload = (size_t)n - head_len - 4;
        uint8_t count[4] = {(uint8_t)(payload >> 24), (uint8_t)(payload >> 16), (uint8_t)(payload >> 8), (uint8_t)payload};
        uint8_t *zeros = calloc(1, payload + 1);

        assert(zeros);
        pack_raw(p, (struct bytes){(const uint8_t *)head, head_len});
        pack_raw(p, (struct bytes){count, sizeof(count)});
        pack_raw(p, (struct bytes){zeros, payload});
        free(zeros);
}

static void repeated_nil(struct pack *p, uint8_t head, int64_t n)
{
        pack_raw(p, (struct bytes){&head, 1});
        for (int64_t i = 1; i < n; i++)
                pack_nil(p);
}

/* A map, array or any value that takes exactly n bytes; a map of 2 bytes does not exist. */
static bool sized_value(struct pack *p, enum wire_type type, int64_t n)
{
        if (n < 1 || (n < 16 && type == WIRE_MAP && n % 2 == 0))
                return false;
        if (n < 16)
                repeated_nil(p, (uint8_t)(type == WIRE_MAP ? 0x80 + n / 2 : 0x90 + n - 1), n);
        else if (type == WIRE_MAP)
                container(p, "\x81\xa0\xc6", 3, n);
        else
                container(p, "\x91\xc6", 2, n);
        return true;
}

static bool text_value(struct pack *p, enum wire_type type, int64_t n)
{
        char *text;
        struct bytes s;

        if (n < 0)
                return false;
        text = malloc((size_t)n + 1);
        assert(text);
        memset(text, 'a', (size_t)n);
        s = (struct bytes){(uint8_t *)text, (size_t)n};
        type == WIRE_STR ? pack_str(p, s) : pack_bin(p, s);
        free(text);
        return true;
}

bool sample_value_of(struct pack *p, const struct wire_field *f, int64_t n)
{
        switch ((enum wire_type)f->type) {
        case WIRE_UINT:
        case WIRE_INT:
                pack_int(p, n);
                return true;
        case WIRE_STR:
        case WIRE_BIN:
                return text_value(p, f->type, n);
        case WIRE_MAP:
        case WIRE_ARRAY:
        case WIRE_ANY:
                return sized_value(p, f->type, n);
        default:
                return false;
        }
}

void sample_value(struct pack *p, const struct wire_field *f)
{
        struct sample nested = {.m = f->nested, .extent = SAMPLE_ALL, .field = -1};

        if (f->type == WIRE_BOOL)
                pack_bool(p, true);
        else if (f->type == WIRE_NUM)
                pack_double(p, 0.5);
        else if (f->type == WIRE_WORD)
                pack_str(p, wire_word(f->words, 1));
        else if (f->type == WIRE_NEST)
                sample_map(p, &nested);
        else
                sample_value_of(p, f, f->min > 1 ? f->min : 1);
}

static bool carries(const struct sample *s, int i)
{
        if (i == s->field)
                return s->twist != SAMPLE_OMIT;
        return s->extent == SAMPLE_ALL || s->m->fields[i].need == WIRE_MUST;
}

static size_t count_entries(const struct sample *s)
{
        size_t n = 0;

        for (int i = 0; i < s->m->n_fields; i++)
                n += carries(s, i);
        return n + (s->field >= 0 && s->twist == SAMPLE_TWICE);
}

void sample_map(struct pack *p, const struct sample *s)
{
        pack_map(p, count_entries(s));
        for (int i = 0; i < s->m->n_fields; i++) {
                int times = carries(s, i) + (i == s->field && s->twist == SAMPLE_TWICE);

                for (; times > 0; times--) {
                        pack_text(p, s->m->fields[i].name);
                        if (i == s->field && s->twist == SAMPLE_REPLACE)
                                pack_raw(p, s->bytes);
                        else
                                sample_value(p, &s->m->fields[i]);
                }
        }
}
