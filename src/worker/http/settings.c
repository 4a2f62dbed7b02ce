/* One function a member, and a table that names them. */
#include "worker/http/settings.h"

#include "base/error.h"
#include "wire/cursor.h"
#include "wire/message.h"
#include "worker/http/trust.h"

#include <errno.h>
#include <stdlib.h>

enum { REDIRECTS = 5, RESPONSE_BYTES = 1024 * 1024, TRANSFERS = 256, ITEMS_MAX = 65536 };

struct settings *settings_new(void)
{
        static const uint16_t usual[] = {80, 443};
        struct settings *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        *s = (struct settings){.max_redirects = REDIRECTS,
                .max_response_bytes = RESPONSE_BYTES,
                .max_transfers = TRANSFERS,
                .ports = malloc(sizeof(usual)),
                .n_ports = sizeof(usual) / sizeof(usual[0]),
                .trust = trust_system(),
                .no_trust = "the system's certificates could not be read"};
        if (!s->ports) {
                settings_free(s);
                return NULL;
        }
        memcpy(s->ports, usual, sizeof(usual));
        return s;
}

void settings_free(struct settings *s)
{
        if (!s)
                return;
        X509_STORE_free(s->trust);
        free(s->hosts);
        free(s->ports);
        free(s);
}

/* ---- members ---- */

static int read_bool(struct cursor *c, bool *out)
{
        struct wire_value v;

        if (cursor_read(c, &v) || v.tag != TAG_BOOL)
                return -EPROTO;
        *out = v.boolean;
        return 0;
}

static int read_uint(struct cursor *c, uint64_t *out)
{
        struct wire_value v;

        if (cursor_read(c, &v) || v.tag != TAG_UINT)
                return -EPROTO;
        *out = v.uint;
        return 0;
}

/* Makes room for as many items as the array announces. */
static int read_array(struct cursor *c, size_t item, void **items, size_t *n)
{
        struct wire_value v;
        void *room;

        if (cursor_read(c, &v) || v.tag != TAG_ARRAY || v.count > ITEMS_MAX)
                return -EPROTO;
        room = calloc(v.count + 1, item);
        if (!room)
                return error_origin(-ENOMEM);
        free(*items);
        *items = room;
        *n = v.count;
        return 0;
}

static int read_private(struct settings *s, struct cursor *c)
{
        return read_bool(c, &s->allow_private);
}

static int read_hosts(struct settings *s, struct cursor *c)
{
        int r = read_array(c, sizeof(*s->hosts), (void **)&s->hosts, &s->n_hosts);

        for (size_t i = 0; !r && i < s->n_hosts; i++) {
                struct bytes text;

                if (cursor_str(c, &text) || !allow_parse(text, &s->hosts[i]))
                        r = -EPROTO;
        }
        return r;
}

static int read_ports(struct settings *s, struct cursor *c)
{
        int r = read_array(c, sizeof(*s->ports), (void **)&s->ports, &s->n_ports);

        for (size_t i = 0; !r && i < s->n_ports; i++) {
                uint64_t port;

                r = read_uint(c, &port);
                if (!r && (!port || port > UINT16_MAX))
                        r = -EPROTO;
                if (!r)
                        s->ports[i] = (uint16_t)port;
        }
        return r;
}

static int read_redirects(struct settings *s, struct cursor *c)
{
        return read_uint(c, &s->max_redirects);
}

static int read_response_bytes(struct settings *s, struct cursor *c)
{
        return read_uint(c, &s->max_response_bytes);
}

static int read_transfers(struct settings *s, struct cursor *c)
{
        return read_uint(c, &s->max_transfers);
}

/* Instead of the system's, as curl's --cacert does: whoever wants both puts both into the file. A file
 * without certificates harms the tasks that need them, not those that use plain http. */
static int read_ca_file(struct settings *s, struct cursor *c)
{
        struct wire_value v;

        if (cursor_read(c, &v) || v.tag != TAG_BIN)
                return -EPROTO;
        X509_STORE_free(s->trust);
        s->trust = trust_of(v.bytes);
        s->no_trust = "the project's caFile holds no certificates in PEM, or a damaged one";
        return 0;
}

static const struct {
        const char *key;
        int (*read)(struct settings *s, struct cursor *c);
} members[] = {
        {"allowPrivate", read_private},
        {"allowHosts", read_hosts},
        {"allowPorts", read_ports},
        {"maxRedirects", read_redirects},
        {"maxResponseBytes", read_response_bytes},
        {"maxTransfers", read_transfers},
        {"caFile", read_ca_file},
};

int settings_read(struct settings *s, struct bytes map)
{
        int r = 0;

        for (size_t i = 0; !r && i < sizeof(members) / sizeof(members[0]); i++) {
                struct cursor c;
                struct bytes value;

                if (!wire_lookup(map, members[i].key, &value))
                        continue;
                c = cursor_over(value);
                r = members[i].read(s, &c);
        }
        return r == -EPROTO ? error_origin(r) : r;
}

bool settings_lists_port(const struct settings *s, uint16_t port)
{
        for (size_t i = 0; i < s->n_ports; i++)
                if (s->ports[i] == port)
                        return true;
        return false;
}
