/* A string or bytes go out as they are, anything else as JSON. */
#include "base/error.h"
#include "wire/cursor.h"
#include "wire/json.h"
#include "worker/http/request_parts.h"

/* JSON may be six times as long as the value: a control character becomes \u001f. */
enum { BODY_MAX = 6 * 16 * 1024 * 1024 };

/* Left to itself libcurl would say that it is a form. */
static int add_type(struct request *r, const char *type)
{
        if (request_has_header(r, "Content-Type"))
                return 0;
        return type ? request_add_header(r, "Content-Type", wire_str(type))
                    : request_leave_out(r, "Content-Type:");
}

int request_read_body(struct request *r, struct bytes data, struct wire_refusal *why)
{
        struct cursor c = cursor_over(data);
        struct wire_value v = {.tag = TAG_NIL};
        const char *type = "application/json";
        int e = data.len ? cursor_read(&c, &v) : 0;

        (void)why;
        if (e || v.tag == TAG_NIL)
                return e ? e : add_type(r, NULL);
        buf_init(&r->body, BODY_MAX);
        r->has_body = true;
        if (v.tag == TAG_STR || v.tag == TAG_BIN) {
                type = v.tag == TAG_STR ? "text/plain; charset=utf-8" : "application/octet-stream";
                e = buf_append(&r->body, v.bytes.data, v.bytes.len);
        } else {
                e = json_from_msgpack(data, &r->body);
        }
        return e ? e : add_type(r, type);
}
