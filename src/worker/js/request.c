/* A name's way through the root, as text. */
#include "worker/js/request.h"

#include "worker/js/text.h"

#include <stdbool.h>
#include <string.h>

void request_push_id(duk_context *ctx, unsigned int root, struct bytes path)
{
        duk_push_sprintf(ctx, "%u:", root);
        text_push(ctx, path);
        duk_concat(ctx, 2);
}

static bool is_relative(struct bytes name)
{
        return name.len && name.data[0] == '.' &&
               (name.len == 1 || name.data[1] == '/' ||
                       (name.data[1] == '.' && (name.len == 2 || name.data[2] == '/')));
}

struct bytes request_directory(struct bytes path)
{
        const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;

        return (struct bytes){path.data, slash ? (size_t)(slash - path.data) : 0};
}

enum { LEAVES = -1 };

/* Goes on from the first n bytes along a relative name, as the loader will; LEAVES the root, or the new
 * length. */
static int walk(char *out, int n, struct bytes name)
{
        size_t at = 0;

        while (at < name.len) {
                const uint8_t *slash = memchr(name.data + at, '/', name.len - at);
                size_t end = slash ? (size_t)(slash - name.data) : name.len, len = end - at;
                const char *part = (const char *)name.data + at;

                at = end + 1;
                if (!len || (len == 1 && *part == '.'))
                        continue;
                if (len == 2 && !memcmp(part, "..", 2)) {
                        if (!n)
                                return LEAVES;
                        while (n && out[--n] != '/')
                                ;
                        continue;
                }
                if (n)
                        out[n++] = '/';
                memcpy(out + n, part, len);
                n += (int)len;
        }
        return n;
}

/* Such a name is a directory's, and another one's than without its end. */
static bool ends_as_directory(struct bytes name)
{
        const uint8_t *slash = memrchr(name.data, '/', name.len);
        size_t last = slash ? name.len - 1 - (size_t)(slash - name.data) : name.len;

        return !last || (last <= 2 && !memcmp(name.data + name.len - last, "..", last));
}

void request_push_key(duk_context *ctx, const struct request *q)
{
        struct bytes dir = request_directory(q->path);
        char out[2 * REQUEST_BYTES + 4];
        int n = LEAVES;

        if (dir.len)
                memcpy(out, dir.data, dir.len);
        if (is_relative(q->name))
                n = walk(out, (int)dir.len, q->name);
        if (n == LEAVES) {
                n = (int)dir.len;
                out[n++] = ':';
                memcpy(out + n, q->name.data, q->name.len);
                n += (int)q->name.len;
        } else if (ends_as_directory(q->name)) {
                out[n++] = '/';
        }
        request_push_id(ctx, (unsigned int)q->root, (struct bytes){(const uint8_t *)out, (size_t)n});
}
