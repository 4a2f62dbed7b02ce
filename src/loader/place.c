/* Paths as text. */
#include "loader/place.h"

#include <string.h>

void place_root(struct place *p)
{
        p->text[0] = '\0';
        p->len = 0;
}

static void cut(struct place *p, size_t len)
{
        p->len = len;
        p->text[len] = '\0';
}

void place_up(struct place *p)
{
        const char *slash = memrchr(p->text, '/', p->len);

        cut(p, slash ? (size_t)(slash - p->text) : 0);
}

struct bytes place_name(const struct place *p)
{
        const char *slash = memrchr(p->text, '/', p->len);
        size_t from = slash ? (size_t)(slash - p->text) + 1 : 0;

        return (struct bytes){(const uint8_t *)p->text + from, p->len - from};
}

static int append(struct place *p, const void *data, size_t n)
{
        if (p->len + n >= sizeof(p->text))
                return PLACE_TOO_LONG;
        memcpy(p->text + p->len, data, n);
        cut(p, p->len + n);
        return 0;
}

int place_append(struct place *p, const char *ending)
{
        return append(p, ending, strlen(ending));
}

static int enter(struct place *p, const uint8_t *part, size_t n)
{
        if (!n || (n == 1 && part[0] == '.'))
                return 0;
        if (n == 2 && part[0] == '.' && part[1] == '.') {
                if (!p->len)
                        return PLACE_OUTSIDE;
                place_up(p);
                return 0;
        }
        if (p->len && append(p, "/", 1))
                return PLACE_TOO_LONG;
        return append(p, part, n);
}

int place_walk(struct place *p, struct bytes path)
{
        const uint8_t *at = path.data, *end = path.data + path.len;
        int r = 0;

        if (path.len && memchr(path.data, '\0', path.len))
                return PLACE_INVALID;
        while (!r && at < end) {
                const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
                const uint8_t *stop = slash ? slash : end;

                r = enter(p, at, (size_t)(stop - at));
                at = slash ? slash + 1 : end;
        }
        return r;
}
