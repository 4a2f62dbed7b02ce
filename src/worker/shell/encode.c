/* A text that is to be changed is made in a buffer of its own, with the same bound as what it goes into. */
#include "worker/shell/encode.h"

#include "base/cleanup.h"
#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* How many bytes from the start are whole characters. */
static size_t run_length(struct bytes b)
{
        size_t run = 0;

        for (size_t n; run < b.len && (n = utf8_length(b.data + run, b.len - run));)
                run += n;
        return run;
}

static int repair(struct buf *out, struct bytes b)
{
        for (;;) {
                size_t run = run_length(b);
                int r = buf_append(out, b.data, run);

                if (r || run == b.len)
                        return r;
                r = buf_append(out, replacement, sizeof(replacement) - 1);
                if (r)
                        return r;
                b.data += run + 1;
                b.len -= run + 1;
        }
}

static int base64(struct buf *out, struct bytes b)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        int r = 0;

        for (size_t i = 0; !r && i < b.len; i += 3) {
                size_t n = b.len - i < 3 ? b.len - i : 3;
                uint32_t v = (uint32_t)b.data[i] << 16 | (n > 1 ? (uint32_t)b.data[i + 1] << 8 : 0) |
                             (n > 2 ? b.data[i + 2] : 0);
                const char quad[4] = {digits[v >> 18], digits[v >> 12 & 63],
                        n > 1 ? digits[v >> 6 & 63] : '=', n > 2 ? digits[v & 63] : '='};

                r = buf_append(out, quad, sizeof(quad));
        }
        return r;
}

static void put_changed(struct pack *p, int (*change)(struct buf *, struct bytes), struct bytes b)
{
        CLEANUP(buf_fini) struct buf text;
        int r;

        buf_init(&text, p->out->limit);
        r = change(&text, b);
        if (r && !p->error)
                p->error = r;
        if (!p->error)
                pack_str(p, buf_bytes(&text));
}

void encode_value(struct pack *p, enum encoding encoding, struct bytes b)
{
        if (encoding == ENCODING_BYTES)
                pack_bin(p, b);
        else if (encoding == ENCODING_BASE64)
                put_changed(p, base64, b);
        else if (run_length(b) == b.len)
                pack_str(p, b);
        else
                put_changed(p, repair, b);
}

void encode_key(struct pack *p, const char *text)
{
        encode_value(p, ENCODING_UTF8, (struct bytes){(const uint8_t *)text, strlen(text)});
}
