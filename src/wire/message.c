/* The tables behind message.h, spelled out of messages.def and errors.def. */
#include "wire/message.h"

#include <string.h>

#define NO false
#define YES true
const struct wire_code_info wire_codes[WIRE_CODES] = {
        [WIRE_OK] = {.name = "OK", .doc = "No error.", .http_status = 200},
#define ERROR(code, may_retry, exit, http, text)                                                             \
        [WIRE_##code] = {.name = #code, .doc = text, .retry = may_retry, .exit_status = exit, .http_status = http},
#include "wire/errors.def"
};
#undef NO
#undef YES

/* The short words of the table's columns, valid only inside it. */
enum { MAY = WIRE_MAY, MUST = WIRE_MUST };
enum { GREETING = WIRE_GREETING, OPEN = WIRE_OPEN, ANY = WIRE_ANY_TIME };
enum {
        CLIENT = WIRE_CLIENT,
        MASTER = WIRE_MASTER,
        WORKER = WIRE_WORKER,
        SPAWNER = WIRE_SPAWNER,
        LOADER = WIRE_LOADER,
        STORE = WIRE_STORE,
};

#define BEGIN(id, ...) static const struct wire_field fields_##id[] = {
#define FIELD(id, member, text, kind, needed, lo, hi, about)                                                 \
        {.name = text, .name_len = sizeof(text) - 1, .doc = about, .min = lo, .max = hi,                     \
                .offset = offsetof(struct wire_##id, member), .type = WIRE_##kind, .need = needed},
#define CHOICE(id, member, text, list, needed, about)                                                        \
        {.name = text, .name_len = sizeof(text) - 1, .doc = about, .words = list,                            \
                .offset = offsetof(struct wire_##id, member), .type = WIRE_WORD, .need = needed},
#define NEST(id, member, text, record, needed, about)                                                        \
        {.name = text, .name_len = sizeof(text) - 1, .doc = about, .nested = &wire_messages[WIRE_ID_##record], \
                .offset = offsetof(struct wire_##id, member), .type = WIRE_NEST, .need = needed},
#define END(id)                                                                                              \
        {                                                                                                    \
                .name = NULL                                                                                 \
        }                                                                                                    \
        }                                                                                                    \
        ;                                                                                                    \
        _Static_assert((int)WIRE_FIELDS_##id <= 32, "a message's fields have 32 bits in `has`");
#include "wire/messages.def"

const struct wire_message wire_messages[WIRE_IDS] = {
#define BEGIN(id, text, category, sender, state, code, about)                                                \
        [WIRE_ID_##id] = {.name = text, .name_len = sizeof(text) - 1, .doc = about,                         \
                .fields = fields_##id, .n_fields = WIRE_FIELDS_##id, .size = sizeof(struct wire_##id),        \
                .kind = WIRE_##category, .from = sender, .when = state,                                       \
                .fault = WIRE_##code},
#define FIELD(...)
#define CHOICE(...)
#define NEST(...)
#define END(id)
#include "wire/messages.def"
};

struct bytes wire_str(const char *text)
{
        return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool wire_str_is(struct bytes s, const char *text)
{
        size_t n = strlen(text);

        return s.len == n && !memcmp(s.data, text, n);
}

enum wire_code wire_code_find(struct bytes name)
{
        for (int i = WIRE_OK + 1; i < WIRE_CODES; i++)
                if (wire_str_is(name, wire_codes[i].name))
                        return (enum wire_code)i;
        return WIRE_OK;
}

const struct wire_message *wire_message_find(enum wire_kind kind, enum wire_peer from, struct bytes name)
{
        for (int i = 0; i < WIRE_IDS; i++) {
                const struct wire_message *m = &wire_messages[i];

                if (m->name_len == name.len && m->kind == kind && (m->from & from) && !memcmp(name.data, m->name, name.len))
                        return m;
        }
        return NULL;
}

const struct wire_message *wire_task_find(struct bytes type)
{
        return wire_message_find(WIRE_TASK, WIRE_CLIENT, type);
}

enum wire_id wire_message_id(const struct wire_message *m)
{
        return (enum wire_id)(m - wire_messages);
}

struct bytes wire_word(const char *words, uint64_t index)
{
        const char *end;

        for (; index; index--) {
                words = strchr(words, '|');
                if (!words)
                        return (struct bytes){0};
                words++;
        }
        end = strchrnul(words, '|');
        return (struct bytes){(const uint8_t *)words, (size_t)(end - words)};
}

int wire_word_index(const char *words, struct bytes word)
{
        for (int i = 0;; i++) {
                struct bytes w = wire_word(words, (uint64_t)i);

                if (!w.len)
                        return -1;
                if (w.len == word.len && !memcmp(w.data, word.data, w.len))
                        return i;
        }
}
