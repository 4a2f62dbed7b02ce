/* The effective configuration as JSON: what `poppod -T` prints, and it loads to the same again. */
#include "config/dump.h"

#include "base/error.h"
#include "config/value.h"

#include <errno.h>

static void new_line(FILE *out, int indent)
{
        if (indent >= 0)
                fprintf(out, "\n%*s", indent * 4, "");
}

static int deeper(int indent)
{
        return indent < 0 ? indent : indent + 1;
}

static void write_key(FILE *out, const char *key, bool first, int indent)
{
        fputs(first ? "" : indent < 0 ? ", " : ",", out);
        new_line(out, indent);
        config_write_string(out, key);
        fputs(": ", out);
}

static void write_entries(FILE *out, const struct config_option *o, const void *base, int indent)
{
        size_t n = *config_count(base, o);

        fputc('{', out);
        for (size_t i = 0; i < n; i++) {
                const char *entry = config_entry(base, o, i);

                write_key(out, config_entry_name(entry), !i, deeper(indent));
                config_write_section(out, o->child, entry, deeper(indent));
        }
        if (n)
                new_line(out, indent);
        fputc('}', out);
}

static void write_member(FILE *out, const struct config_option *o, const void *base, int indent)
{
        const void *member = config_member(base, o->offset);

        if (o->kind == CONFIG_EACH)
                write_entries(out, o, base, indent);
        else if (o->kind == CONFIG_NEST)
                config_write_section(out, o->child, member, indent);
        else if (indent < 0 && config_value_secret(o, member))
                fputs(CONFIG_HIDDEN, out);
        else
                o->type->write(out, o, member);
}

static bool left_out(const struct config_option *o, const void *base)
{
        return o->kind == CONFIG_VALUE && config_value_absent(o, config_member(base, o->offset));
}

void config_write_section(FILE *out, const struct config_section *section, const void *base, int indent)
{
        bool first = true;

        fputc('{', out);
        for (size_t i = 0; i < section->n_options; i++) {
                const struct config_option *o = &section->options[i];

                if (left_out(o, base) || !config_option_belongs(section, o, base))
                        continue;
                write_key(out, o->key, first, deeper(indent));
                write_member(out, o, base, deeper(indent));
                first = false;
        }
        new_line(out, indent);
        fputc('}', out);
}

int config_value_text(const struct config_option *o, const void *base, char **text)
{
        size_t len;
        FILE *out;

        *text = NULL;
        if (left_out(o, base))
                return 0;
        out = open_memstream(text, &len);
        if (!out)
                return error_origin(-ENOMEM);
        o->type->write(out, o, config_member(base, o->offset));
        return fclose(out) ? error_origin(-ENOMEM) : 0;
}

int config_dump(FILE *out, const struct config *cfg)
{
        config_write_section(out, config_root_section, cfg, 0);
        fputc('\n', out);
        return fflush(out) || ferror(out) ? error_origin(-EIO) : 0;
}
