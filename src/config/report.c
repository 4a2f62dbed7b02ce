/* One place that writes refusals, so that they all look alike. */
#include "config/report.h"

#include "base/cleanup.h"
#include "config/locate.h"

#include <stdarg.h>
#include <string.h>

enum { FILE_NAME_SHOWN = 200 };

/* What users wrote is quoted in errors: it must not steer a terminal. */
static void clean(char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
}

__attribute__((format(printf, 3, 0))) static void finish(struct config_error *err, int n, const char *format,
        va_list ap)
{
        vsnprintf(err->text + n, sizeof(err->text) - (size_t)n, format, ap);
        clean(err->text);
}

int config_refuse(const struct config_report *rep, size_t offset, const char *format, ...)
{
        struct config_error *err = rep->err;
        va_list ap;
        int n;

        locate_place(rep->text, offset, &err->line, &err->column);
        n = snprintf(err->text, sizeof(err->text), "%.*s:%d:%d: ", FILE_NAME_SHOWN, rep->file, err->line, err->column);
        va_start(ap, format);
        finish(err, n, format, ap);
        va_end(ap);
        return CONFIG_REFUSED;
}

int config_fail(const struct config_report *rep, int r, const char *format, ...)
{
        struct config_error *err = rep->err;
        va_list ap;
        int n;

        err->line = err->column = 0;
        n = snprintf(err->text, sizeof(err->text), "%.*s: ", FILE_NAME_SHOWN, rep->file);
        va_start(ap, format);
        finish(err, n, format, ap);
        va_end(ap);
        return r;
}

void config_show(json_t *value, char out[static CONFIG_SHOWN])
{
        static const char cut[] = "...";
        CLEANUP(cleanup_free) char *text = NULL;

        if (json_is_object(value) || json_is_array(value)) {
                strcpy(out, json_is_object(value) ? "an object" : "an array");
                return;
        }
        /* ASCII, so that cutting never splits a character. */
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
        if (snprintf(out, CONFIG_SHOWN, "%s", text ? text : "that") >= CONFIG_SHOWN)
                memcpy(out + CONFIG_SHOWN - sizeof(cut), cut, sizeof(cut));
}
