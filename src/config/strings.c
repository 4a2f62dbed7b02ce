/* Strings that name something outside of the file: paths, command lines, hosts, an environment. */
#include "config/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What becomes part of a message to a worker is bounded as a whole, too. */
enum { PATH_LENGTH_MAX = 4095, TOGETHER_MAX = 32768 };

static int refuse(struct config_fault *fault, json_t *value, size_t index)
{
        *fault = (struct config_fault){.value = value, .index = index};
        return CONFIG_REFUSED;
}

static bool is_absolute(const char *path)
{
        return *path == '/' && strlen(path) <= PATH_LENGTH_MAX;
}

/* ---- one path ---- */

static int read_path(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        if (!json_is_string(value) || !is_absolute(json_string_value(value)))
                return refuse(fault, value, CONFIG_WHOLE);
        return config_type_STRING.read(member, o, value, fault);
}

static void expects_path(FILE *out, const struct config_option *o)
{
        fprintf(out, "an absolute path of at most %.0f bytes", o->max);
}

const struct config_type config_type_PATH = {.read = read_path,
        .write = config_write_text,
        .expects = expects_path,
        .reset = config_reset_text,
        .absent = config_absent_text};

/* ---- arrays of strings ---- */

/* Bytes as the kernel counts an argument list: with a zero behind each. */
static size_t bytes_of(const struct config_strings *list)
{
        size_t n = 0;

        for (size_t i = 0; i < list->n; i++)
                n += strlen(list->items[i]) + 1;
        return n;
}

static int add(struct config_strings *list, char *item)
{
        if (!item)
                return -ENOMEM;
        list->items[list->n++] = item;
        return 0;
}

static int reserve(struct config_strings *list, size_t n)
{
        list->items = calloc(n + 1, sizeof(*list->items));
        return list->items ? 0 : -ENOMEM;
}

static bool fits(const struct config_strings *list, const struct config_option *o)
{
        return (double)list->n >= o->min && (double)list->n <= o->max && bytes_of(list) <= TOGETHER_MAX;
}

static int read_items(struct config_strings *list, const struct config_option *o, json_t *value,
        struct config_fault *fault, bool (*allowed)(const char *item, size_t index))
{
        json_t *item;
        size_t i;
        int r = reserve(list, json_array_size(value));

        if (!json_is_array(value))
                return refuse(fault, value, CONFIG_WHOLE);
        json_array_foreach(value, i, item)
        {
                if (!json_is_string(item) || !allowed(json_string_value(item), i))
                        return refuse(fault, item, i);
                r = r ? r : add(list, strdup(json_string_value(item)));
        }
        return r || fits(list, o) ? r : refuse(fault, value, CONFIG_WHOLE);
}

static bool path_allowed(const char *item, size_t index)
{
        (void)index;
        return is_absolute(item);
}

static int read_paths(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        return read_items(member, o, value, fault, path_allowed);
}

static void expects_paths(FILE *out, const struct config_option *o)
{
        fprintf(out, "an array of at most %.0f absolute paths, %d bytes together", o->max, TOGETHER_MAX);
}

const struct config_type config_type_PATHS = {.read = read_paths,
        .write = config_write_strings,
        .expects = expects_paths,
        .reset = config_reset_strings};

/* ---- command lines ---- */

static bool argument_allowed(const char *item, size_t index)
{
        return index || is_absolute(item);
}

static int read_command(
        void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        struct config_strings *list = member;
        int r;

        if (!json_is_string(value))
                return read_items(list, o, value, fault, argument_allowed);
        if (!is_absolute(json_string_value(value)))
                return refuse(fault, value, CONFIG_WHOLE);
        r = reserve(list, 1);
        return r ? r : add(list, strdup(json_string_value(value)));
}

static void expects_command(FILE *out, const struct config_option *o)
{
        fprintf(out,
                "an absolute path, or an array of at most %.0f strings that begins with one, %d bytes "
                "together",
                o->max, TOGETHER_MAX);
}

/* An empty one cannot be read. */
static bool absent_command(const void *member)
{
        return !((const struct config_strings *)member)->n;
}

const struct config_type config_type_COMMAND = {.read = read_command,
        .write = config_write_strings,
        .expects = expects_command,
        .reset = config_reset_strings,
        .absent = absent_command};

/* ---- hosts and networks ---- */

static bool is_number(const char *text, long max)
{
        size_t len = strlen(text);

        return len && len <= 5 && strspn(text, "0123456789") == len && strtol(text, NULL, 10) <= max;
}

static bool is_address(const char *text, size_t len, long *bits)
{
        char copy[INET6_ADDRSTRLEN];
        struct in6_addr address;

        *bits = memchr(text, ':', len) ? 128 : 32;
        if (len >= sizeof(copy))
                return false;
        memcpy(copy, text, len);
        copy[len] = 0;
        return inet_pton(*bits == 128 ? AF_INET6 : AF_INET, copy, &address) == 1;
}

/* "host", ".suffix" or "[address]", each with ":port" or without. */
static bool is_host(const char *text)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        size_t len = strspn(text, letters), shortest = *text == '.' ? 2 : 1;
        const char *end = strchr(text, ']');
        long bits;

        if (*text == '[' && (!end || !is_address(text + 1, (size_t)(end - text - 1), &bits) || bits != 128))
                return false;
        if (*text == '[')
                len = (size_t)(end - text) + 1;
        return len >= shortest && len <= 255 &&
               (!text[len] || (text[len] == ':' && is_number(text + len + 1, 65535)));
}

static bool host_allowed(const char *item, size_t index)
{
        const char *slash = strchr(item, '/');
        long bits;

        (void)index;
        if (slash)
                return is_address(item, (size_t)(slash - item), &bits) && is_number(slash + 1, bits);
        return is_address(item, strlen(item), &bits) || is_host(item);
}

static int read_hosts(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        return read_items(member, o, value, fault, host_allowed);
}

static void expects_hosts(FILE *out, const struct config_option *o)
{
        fprintf(out,
                "an array of at most %.0f of \"host\", \"host:port\", \".suffix\" or \"address/prefix\", %d "
                "bytes together",
                o->max, TOGETHER_MAX);
}

const struct config_type config_type_HOSTS = {.read = read_hosts,
        .write = config_write_strings,
        .expects = expects_hosts,
        .reset = config_reset_strings};

/* ---- environments ---- */

static bool variable_allowed(const char *name)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

        return *name && !strchr("0123456789", *name) && !name[strspn(name, letters)];
}

static char *assignment(const char *name, const char *value)
{
        char *text;

        return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

static int read_env(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        struct config_strings *list = member;
        const char *name;
        json_t *item;
        size_t i = 0;
        int r = reserve(list, json_object_size(value));

        if (!json_is_object(value))
                return refuse(fault, value, CONFIG_WHOLE);
        json_object_foreach(value, name, item)
        {
                if (!variable_allowed(name)) {
                        refuse(fault, NULL, 2 * i);
                        fault->key = name;
                        return CONFIG_REFUSED;
                }
                if (!json_is_string(item))
                        return refuse(fault, item, 2 * i + 1);
                r = r ? r : add(list, assignment(name, json_string_value(item)));
                i++;
        }
        return r || fits(list, o) ? r : refuse(fault, value, CONFIG_WHOLE);
}

static void write_env(FILE *out, const struct config_option *o, const void *member)
{
        const struct config_strings *list = member;

        (void)o;
        fputc('{', out);
        for (size_t i = 0; i < list->n; i++) {
                const char *equals = strchr(list->items[i], '=');

                fprintf(out, "%s\"%.*s\": ", i ? ", " : "", (int)(equals - list->items[i]), list->items[i]);
                config_write_string(out, equals + 1);
        }
        fputc('}', out);
}

static void expects_env(FILE *out, const struct config_option *o)
{
        fprintf(out, "an object of at most %.0f strings named by letters, digits and _, %d bytes together",
                o->max, TOGETHER_MAX);
}

static bool secret_env(const void *member)
{
        return ((const struct config_strings *)member)->n;
}

const struct config_type config_type_ENV = {.read = read_env,
        .write = write_env,
        .expects = expects_env,
        .reset = config_reset_strings,
        .secret = secret_env};
