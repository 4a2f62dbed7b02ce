/* Replies: one allocation each, counted; accessors find values by JSON Pointer in the MessagePack bytes. */
#include "client/client.h"

#include "base/cleanup.h"
#include "wire/cursor.h"
#include "wire/json.h"
#include "wire/pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A text that an accessor made; they live as long as the reply. */
struct reply_text {
        struct reply_text *next;
        char text[];
};

struct poppo_reply {
        unsigned int refs;
        int status;
        struct reply_text *texts;
        struct bytes body;
        uint8_t room[];
};

enum { MAP_HEAD_MAX = 5 };

/* ---- life ---- */

static bool is_envelope(struct bytes key)
{
        struct cursor c = cursor_over(key);
        struct bytes name;

        return !cursor_str(&c, &name) && (wire_str_is(name, "seq") || wire_str_is(name, "ok"));
}

/* Copies the entries of a map behind the room for its head; gives how many. */
static uint32_t copy_entries(struct bytes frame, uint8_t *at, size_t *len)
{
        struct cursor c = cursor_over(frame);
        struct wire_value head;
        struct bytes key, value;
        uint32_t kept = 0;

        *len = 0;
        if (cursor_read(&c, &head) || head.tag != TAG_MAP)
                return 0;
        for (uint32_t i = 0; i < head.count && !cursor_skip(&c, &key) && !cursor_skip(&c, &value); i++) {
                if (is_envelope(key))
                        continue;
                memcpy(at + *len, key.data, key.len + value.len);
                *len += key.len + value.len;
                kept++;
        }
        return kept;
}

struct poppo_reply *reply_new(struct bytes frame, int status)
{
        struct poppo_reply *reply = malloc(sizeof(*reply) + MAP_HEAD_MAX + frame.len);
        uint32_t n;
        size_t len;

        if (!reply)
                return NULL;
        n = copy_entries(frame, reply->room + MAP_HEAD_MAX, &len);
        reply->room[0] = 0xdf;
        for (int i = 0; i < 4; i++)
                reply->room[1 + i] = (uint8_t)(n >> (24 - 8 * i));
        reply->refs = 1;
        reply->status = status;
        reply->texts = NULL;
        reply->body = (struct bytes){reply->room, MAP_HEAD_MAX + len};
        return reply;
}

struct poppo_reply *reply_new_lost(void)
{
        CLEANUP(buf_fini) struct buf body;
        struct pack p;

        buf_init(&body, 0);
        pack_init(&p, &body);
        pack_map(&p, 1);
        pack_text(&p, "error");
        pack_map(&p, 2);
        pack_entry_text(&p, "code", CLIENT_LOST);
        pack_entry_text(&p, "message", "the connection to the supervisor was lost before it answered");
        return p.error ? NULL : reply_new(buf_bytes(&body), -ECONNRESET);
}

struct poppo_reply *poppo_reply_keep(struct poppo_reply *reply)
{
        reply->refs++;
        return reply;
}

void poppo_reply_free(struct poppo_reply *reply)
{
        struct reply_text *t;

        if (!reply || --reply->refs)
                return;
        while ((t = reply->texts)) {
                reply->texts = t->next;
                free(t);
        }
        free(reply);
}

/* ---- JSON Pointer ---- */

static bool find_member(struct cursor *c, uint32_t count, const char *token, struct bytes *out)
{
        for (uint32_t i = 0; i < count; i++) {
                struct bytes key, name;
                struct cursor kc;

                if (cursor_skip(c, &key) || cursor_skip(c, out))
                        return false;
                kc = cursor_over(key);
                if (!cursor_str(&kc, &name) && json_token_is(token, name))
                        return true;
        }
        return false;
}

static bool find_element(struct cursor *c, uint32_t count, const char *token, struct bytes *out)
{
        char *end;
        unsigned long index = strtoul(token, &end, 10);

        if (*token < '0' || *token > '9' || (*token == '0' && end != token + 1) || (*end && *end != '/') || index >= count)
                return false;
        for (unsigned long i = 0; i <= index; i++)
                if (cursor_skip(c, out))
                        return false;
        return true;
}

static int find_value(const struct poppo_reply *reply, const char *pointer, struct bytes *out)
{
        *out = reply->body;
        while (*pointer == '/') {
                struct cursor c = cursor_over(*out);
                struct wire_value v;

                pointer++;
                if (cursor_read(&c, &v))
                        return -ENOENT;
                if (!(v.tag == TAG_MAP && find_member(&c, v.count, pointer, out)) &&
                        !(v.tag == TAG_ARRAY && find_element(&c, v.count, pointer, out)))
                        return -ENOENT;
                pointer += strcspn(pointer, "/");
        }
        return *pointer ? -ENOENT : 0;
}

/* ---- accessors ---- */

static char *add_text(struct poppo_reply *reply, struct bytes b)
{
        struct reply_text *t = malloc(sizeof(*t) + b.len + 1);

        if (!t) {
                errno = ENOMEM;
                return NULL;
        }
        if (b.len)
                memcpy(t->text, b.data, b.len);
        t->text[b.len] = '\0';
        t->next = reply->texts;
        reply->texts = t;
        return t->text;
}

int poppo_reply_status(const struct poppo_reply *reply)
{
        return reply->status;
}

const char *poppo_reply_code(struct poppo_reply *reply)
{
        const char *code = reply->status ? poppo_reply_string(reply, "/error/code", NULL) : NULL;

        return code ? code : "";
}

const char *poppo_reply_message(struct poppo_reply *reply)
{
        const char *message = reply->status ? poppo_reply_string(reply, "/error/message", NULL) : NULL;

        return message ? message : "";
}

const char *poppo_reply_json(struct poppo_reply *reply, const char *pointer)
{
        CLEANUP(buf_fini) struct buf text;
        struct bytes value;
        int r = find_value(reply, pointer, &value);

        buf_init(&text, 0);
        if (!r)
                r = json_from_msgpack(value, &text);
        if (!r)
                return add_text(reply, buf_bytes(&text));
        errno = -r;
        return NULL;
}

const char *poppo_reply_string(struct poppo_reply *reply, const char *pointer, size_t *len)
{
        struct bytes value, text;
        struct cursor c;
        int r = find_value(reply, pointer, &value);

        if (r < 0) {
                errno = -r;
                return NULL;
        }
        c = cursor_over(value);
        if (cursor_str(&c, &text)) {
                errno = EINVAL;
                return NULL;
        }
        if (len)
                *len = text.len;
        return add_text(reply, text);
}

int poppo_reply_bytes(const struct poppo_reply *reply, const char *pointer, const void **data, size_t *len)
{
        struct bytes value;
        struct wire_value v;
        struct cursor c;
        int r = find_value(reply, pointer, &value);

        if (r < 0)
                return r;
        c = cursor_over(value);
        if (cursor_read(&c, &v) || (v.tag != TAG_STR && v.tag != TAG_BIN))
                return -EINVAL;
        *data = v.bytes.data;
        *len = v.bytes.len;
        return 0;
}

int poppo_reply_int(const struct poppo_reply *reply, const char *pointer, int64_t *out)
{
        struct bytes value;
        struct wire_value v;
        struct cursor c;

        if (find_value(reply, pointer, &value) < 0)
                return -ENOENT;
        c = cursor_over(value);
        if (cursor_read(&c, &v) || (v.tag != TAG_UINT && v.tag != TAG_INT))
                return -EINVAL;
        if (v.tag == TAG_UINT && v.uint > INT64_MAX)
                return -ERANGE;
        *out = v.sint;
        return 0;
}

int poppo_reply_msgpack(const struct poppo_reply *reply, const char *pointer, const void **data, size_t *len)
{
        struct bytes value;
        int r = find_value(reply, pointer, &value);

        if (r < 0)
                return r;
        *data = value.data;
        *len = value.len;
        return 0;
}
