/*
 * The messages as C: one struct a row of messages.def, and the descriptors that decoder and encoder walk.
 *
 *   struct wire_submit s;                       members as declared; s.has says which of the optional ones are there
 *   WIRE_HAS(&s, submit, options)               asks          WIRE_SET(&s, submit, wait, true)   sets value and bit
 *
 * Strings and raw values are borrowed from the frame: they are good as long as the frame is.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_code {
        WIRE_OK = 0,
#define ERROR(code, retry, exit, http, doc) WIRE_##code,
#include "wire/errors.def"
        WIRE_CODES,
};

struct wire_code_info {
        const char *name, *doc;
        bool retry;
        int exit_status, http_status;
};

extern const struct wire_code_info wire_codes[WIRE_CODES];

/* The code with this name; WIRE_OK if there is none. */
enum wire_code wire_code_find(struct bytes name);

enum wire_type {
        WIRE_BOOL,
        WIRE_UINT,
        WIRE_INT,
        WIRE_NUM,
        WIRE_STR,
        WIRE_BIN,
        WIRE_MAP,
        WIRE_ARRAY,
        WIRE_ANY,
        WIRE_WORD,
        WIRE_NEST,
};
enum wire_kind { WIRE_CALL, WIRE_REPLY, WIRE_NOTE, WIRE_EVENT, WIRE_RECORD, WIRE_TASK };
enum wire_peer { WIRE_CLIENT = 1, WIRE_MASTER = 2, WIRE_WORKER = 4, WIRE_SPAWNER = 8, WIRE_LOADER = 16, WIRE_STORE = 32 };
enum wire_when { WIRE_GREETING = 1, WIRE_OPEN = 2, WIRE_ANY_TIME = 3 };
enum wire_need { WIRE_MAY, WIRE_MUST };

struct wire_field {
        const char *name, *doc;
        const char *words; /* WIRE_WORD: "a|b|c" */
        const struct wire_message *nested;
        int64_t min, max;
        uint16_t offset;
        uint8_t type, need, name_len;
};

struct wire_message {
        const char *name, *doc;
        const struct wire_field *fields;
        uint16_t n_fields, size;
        uint8_t kind, from, when;
        uint8_t fault; /* enum wire_code */
        uint8_t name_len;
};

/* C types of the members. */
#define WIRE_C_BOOL bool
#define WIRE_C_UINT uint64_t
#define WIRE_C_INT int64_t
#define WIRE_C_NUM double
#define WIRE_C_STR struct bytes
#define WIRE_C_BIN struct bytes
#define WIRE_C_MAP struct bytes
#define WIRE_C_ARRAY struct bytes
#define WIRE_C_ANY struct bytes

/* Index of each message, and of each field within its message. */
enum wire_id {
#define BEGIN(id, ...) WIRE_ID_##id,
#define FIELD(...)
#define CHOICE(...)
#define NEST(...)
#define END(id)
#include "wire/messages.def"
        WIRE_IDS,
};

#define BEGIN(id, ...) enum wire_##id##_fields {
#define FIELD(id, member, ...) WIRE_AT_##id##_##member,
#define CHOICE(id, member, ...) WIRE_AT_##id##_##member,
#define NEST(id, member, ...) WIRE_AT_##id##_##member,
#define END(id)                                                                                              \
        WIRE_FIELDS_##id                                                                                     \
        }                                                                                                    \
        ;
#include "wire/messages.def"

#define BEGIN(id, ...)                                                                                       \
        struct wire_##id {                                                                                   \
                uint32_t has;
#define FIELD(id, member, name, type, ...) WIRE_C_##type member;
#define CHOICE(id, member, ...) uint64_t member;
#define NEST(id, member, name, record, ...) struct wire_##record member;
#define END(id)                                                                                              \
        }                                                                                                    \
        ;
#include "wire/messages.def"

/* Room for any message, for tables of handlers. */
union wire_body {
        uint32_t has;
#define BEGIN(id, ...) struct wire_##id id;
#define FIELD(...)
#define CHOICE(...)
#define NEST(...)
#define END(id)
#include "wire/messages.def"
};

extern const struct wire_message wire_messages[WIRE_IDS];

#define WIRE_HAS(body, id, member) (((body)->has >> WIRE_AT_##id##_##member) & 1u)
#define WIRE_SET(body, id, field, ...)                                                                       \
        do {                                                                                                 \
                (body)->field = (__VA_ARGS__);                                                               \
                (body)->has |= 1u << WIRE_AT_##id##_##field;                                                 \
        } while (0)

/* A string constant or C string as borrowed bytes. */
struct bytes wire_str(const char *text);
bool wire_str_is(struct bytes s, const char *text);

/* The message of this kind and name that the peer may send; NULL if there is none. `when` is the caller's to check. */
const struct wire_message *wire_message_find(enum wire_kind kind, enum wire_peer from, struct bytes name);
/* The task type's payload descriptor; NULL for a type that is no built-in. */
const struct wire_message *wire_task_find(struct bytes type);
enum wire_id wire_message_id(const struct wire_message *m);

/* The word with this index in "a|b|c"; and the index of a word, -1 if it is none of them. */
struct bytes wire_word(const char *words, uint64_t index);
int wire_word_index(const char *words, struct bytes word);
