/* The log: formats an event once into a bounded line and writes it whole. A line that does not fit is cut and says so. */
#include "base/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[LOG_LEVELS] = {"error", "warn", "info", "debug"};

static struct {
        const char *role;
        int fd;
        enum log_level level;
        enum log_format format;
} sink = {.role = "poppo", .fd = STDERR_FILENO, .level = LOG_INFO};

void log_open(const char *role)
{
        sink.role = role;
}

void log_set_level(enum log_level level)
{
        sink.level = level;
}

enum log_level log_get_level(void)
{
        return sink.level;
}

void log_set_format(enum log_format format)
{
        sink.format = format;
}

int log_set_fd(int fd)
{
        int before = sink.fd;

        sink.fd = fd;
        return before;
}

int log_level_parse(const char *word)
{
        for (int i = 0; i < LOG_LEVELS; i++)
                if (!strcmp(word, level_names[i]))
                        return i;
        return -1;
}

static void append(char *line, size_t *len, const char *text)
{
        size_t room = LINE_MAX_BYTES - *len, n = strlen(text);

        if (n > room)
                n = room;
        memcpy(line + *len, text, n);
        *len += n;
}

/* Control bytes and broken characters never reach the terminal or the line structure: a task's text may be in the
 * sentence. */
static void append_escaped(char *line, size_t *len, const char *text, bool json)
{
        while (*text) {
                unsigned char c = (unsigned char)*text;
                size_t n = utf8_character(text);
                char esc[8];

                snprintf(esc, sizeof(esc), "%.*s", (int)n, text);
                if (!n)
                        snprintf(esc, sizeof(esc), json ? "\\ufffd" : "\\x%02x", c);
                else if (c < 0x20 || c == 0x7f)
                        snprintf(esc, sizeof(esc), json ? "\\u%04x" : "\\x%02x", c);
                else if (json && (c == '"' || c == '\\'))
                        snprintf(esc, sizeof(esc), "\\%c", c);
                if (*len + strlen(esc) > LINE_MAX_BYTES - 16)
                        return append(line, len, "[cut]");
                append(line, len, esc);
                text += n ? n : 1;
        }
}

static void stamp(char *out, size_t size)
{
        struct timespec ts;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000);
}

static size_t format_line(char *line, bool json, enum log_level level, const char *event, const char *text)
{
        char head[160], when[64];
        size_t len = 0;

        stamp(when, sizeof(when));
        snprintf(head, sizeof(head),
                json ? "{\"time\":\"%s\",\"level\":\"%s\",\"role\":\"%s\",\"event\":\"%s\",\"message\":\"" :
                       "%s %-5s %s: %s: ",
                when, level_names[level], sink.role, event);
        append(line, &len, head);
        append_escaped(line, &len, text, json);
        append(line, &len, json ? "\"}\n" : "\n");
        return len;
}

__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t size, const char *format, va_list ap)
{
        static const char cut[] = "[cut]";
        int n = vsnprintf(text, size, format, ap);

        if (n >= 0 && (size_t)n >= size)
                memcpy(text + size - sizeof(cut), cut, sizeof(cut));
}

void log_emit(enum log_level level, const char *event, const char *format, ...)
{
        char text[LINE_MAX_BYTES - 256], line[LINE_MAX_BYTES + 8];
        bool json = sink.format == LOG_FORMAT_JSON || (sink.format == LOG_FORMAT_AUTO && !isatty(sink.fd));
        int saved = errno;
        va_list ap;
        size_t len;

        va_start(ap, format);
        format_text(text, sizeof(text), format, ap);
        va_end(ap);
        len = format_line(line, json, level, event, text);
        /* A log that cannot be written must not stop the work that it describes. */
        if (write(sink.fd, line, len) < 0)
                errno = saved;
        errno = saved;
}
