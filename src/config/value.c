/* The types that hold one value. What was read is checked: a loaded member never holds what its row does not allow. */
#include "config/value.h"

#include "base/nearest.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct config_fault *fault, json_t *value, const char *known)
{
        *fault = (struct config_fault){.value = value, .index = CONFIG_WHOLE, .known = known};
        return CONFIG_REFUSED;
}

/* ---- integers, durations and sizes ---- */

static int store_integer(int64_t *member, const struct config_option *o, int64_t number)
{
        *member = number;
        return (double)number < o->min || (double)number > o->max;
}

static int read_int(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        if (!json_is_integer(value) || store_integer(member, o, json_integer_value(value)))
                return refuse(fault, value, NULL);
        return 0;
}

static int read_unit(void *member, const struct config_option *o, json_t *value, struct config_fault *fault,
        int (*parse)(const char *, int64_t *))
{
        int64_t number;

        if (!json_is_string(value))
                return read_int(member, o, value, fault);
        if (parse(json_string_value(value), &number) || store_integer(member, o, number))
                return refuse(fault, value, NULL);
        return 0;
}

static int read_ms(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        return read_unit(member, o, value, fault, units_parse_ms);
}

static int read_size(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        return read_unit(member, o, value, fault, units_parse_bytes);
}

static void write_int(FILE *out, const struct config_option *o, const void *member)
{
        (void)o;
        fprintf(out, "%" PRId64, *(const int64_t *)member);
}

static void expects_int(FILE *out, const struct config_option *o)
{
        fprintf(out, "an integer from %.0f to %.0f", o->min, o->max);
}

static void expects_ms(FILE *out, const struct config_option *o)
{
        char min[UNITS_TEXT], max[UNITS_TEXT];

        units_format_ms((int64_t)o->min, min);
        units_format_ms((int64_t)o->max, max);
        fprintf(out, "a duration from %s to %s, in milliseconds or with a unit as in \"60s\"", min, max);
}

static void expects_size(FILE *out, const struct config_option *o)
{
        char min[UNITS_TEXT], max[UNITS_TEXT];

        units_format_bytes((int64_t)o->min, min);
        units_format_bytes((int64_t)o->max, max);
        fprintf(out, "a size from %s to %s, in bytes or with a unit as in \"64MiB\"", min, max);
}

const struct config_type config_type_INT = {read_int, write_int, expects_int, NULL, NULL};
const struct config_type config_type_MS = {read_ms, write_int, expects_ms, NULL, NULL};
const struct config_type config_type_SIZE = {read_size, write_int, expects_size, NULL, NULL};

/* ---- file modes ---- */

static int read_mode(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        const char *text = json_string_value(value);

        /* A bare 660 would be a decimal number in JSON and mean another mode than it seems to. */
        if (!text || !*text || strlen(text) > 4 || text[strspn(text, "01234567")] ||
                store_integer(member, o, strtol(text, NULL, 8)))
                return refuse(fault, value, NULL);
        return 0;
}

static void write_mode(FILE *out, const struct config_option *o, const void *member)
{
        (void)o;
        fprintf(out, "\"%04" PRIo64 "\"", *(const uint64_t *)member);
}

static void expects_mode(FILE *out, const struct config_option *o)
{
        fprintf(out, "octal digits in quotes as in \"0660\", at most \"%04o\"", (unsigned int)o->max);
}

const struct config_type config_type_MODE = {read_mode, write_mode, expects_mode, NULL, NULL};

/* ---- numbers with a fraction ---- */

static int read_real(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        double number = json_number_value(value);

        if (!json_is_number(value) || number < o->min || number > o->max)
                return refuse(fault, value, NULL);
        *(double *)member = number;
        return 0;
}

/* The fewest digits that read back as the same number. */
static void write_double(FILE *out, double number)
{
        char text[40];

        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof(text), "%.*g", digits, number);
                if (strtod(text, NULL) == number)
                        break;
        }
        fputs(text, out);
}

static void write_real(FILE *out, const struct config_option *o, const void *member)
{
        (void)o;
        write_double(out, *(const double *)member);
}

static void expects_real(FILE *out, const struct config_option *o)
{
        fprintf(out, "a number from %g to %g", o->min, o->max);
}

const struct config_type config_type_REAL = {read_real, write_real, expects_real, NULL, NULL};

/* ---- rates: "10/s", "30/m", "100/h", kept per second ---- */

static const struct {
        const char *name;
        double seconds;
} rate_units[] = {{"/s", 1}, {"/m", 60}, {"/h", 3600}};

enum { RATE_UNITS = sizeof(rate_units) / sizeof(rate_units[0]) };

double config_parse_rate(const char *text)
{
        size_t n = strspn(text, "0123456789.eE+-");
        char *end;
        double number = strtod(text, &end);

        if (*text < '0' || *text > '9' || end != text + n)
                return -1;
        for (size_t i = 0; i < RATE_UNITS; i++)
                if (!strcmp(end, rate_units[i].name))
                        return number / rate_units[i].seconds;
        return -1;
}

static int read_rate(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        double rate;

        if (!json_is_string(value))
                return read_real(member, o, value, fault);
        rate = config_parse_rate(json_string_value(value));
        if (rate < o->min || rate > o->max)
                return refuse(fault, value, NULL);
        *(double *)member = rate;
        return 0;
}

static void write_rate(FILE *out, const struct config_option *o, const void *member)
{
        double rate = *(const double *)member;

        (void)o;
        for (size_t i = 0; i < RATE_UNITS; i++) {
                double count = round(rate * rate_units[i].seconds);

                if (rate > 0 && count / rate_units[i].seconds == rate) {
                        fprintf(out, "\"%.0f%s\"", count, rate_units[i].name);
                        return;
                }
        }
        write_double(out, rate);
}

static void expects_rate(FILE *out, const struct config_option *o)
{
        fprintf(out, "a rate as in \"10/s\", \"30/m\" or \"100/h\", at most %.0f/s", o->max);
}

const struct config_type config_type_RATE = {read_rate, write_rate, expects_rate, NULL, NULL};

/* ---- booleans ---- */

static int read_bool(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        (void)o;
        if (!json_is_boolean(value))
                return refuse(fault, value, NULL);
        *(bool *)member = json_is_true(value);
        return 0;
}

static void write_bool(FILE *out, const struct config_option *o, const void *member)
{
        (void)o;
        fputs(*(const bool *)member ? "true" : "false", out);
}

static void expects_bool(FILE *out, const struct config_option *o)
{
        (void)o;
        fputs("true or false", out);
}

const struct config_type config_type_BOOL = {read_bool, write_bool, expects_bool, NULL, NULL};

/* ---- strings ---- */

static int read_string(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        size_t len = json_string_length(value);

        if (!json_is_string(value) || (double)len < o->min || (double)len > o->max)
                return refuse(fault, value, NULL);
        *(char **)member = strdup(json_string_value(value));
        return *(char **)member ? 0 : -ENOMEM;
}

void config_write_text(FILE *out, const struct config_option *o, const void *member)
{
        (void)o;
        config_write_string(out, *(char *const *)member);
}

static void expects_string(FILE *out, const struct config_option *o)
{
        fprintf(out, "a string of %.0f to %.0f bytes", o->min, o->max);
}

void config_reset_text(void *member)
{
        free(*(char **)member);
        *(char **)member = NULL;
}

bool config_absent_text(const void *member)
{
        return !*(char *const *)member;
}

const struct config_type config_type_STRING = {read_string, config_write_text, expects_string, config_reset_text,
        config_absent_text};

/* ---- one of some words ---- */

static int read_choice(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        const char *known = NULL;
        int index = -1;

        if (json_is_string(value))
                index = config_word_find(o->words, json_string_value(value), &known);
        if (index < 0)
                return refuse(fault, value, known);
        *(int *)member = index;
        return 0;
}

static void write_choice(FILE *out, const struct config_option *o, const void *member)
{
        config_write_string(out, o->words[*(const int *)member]);
}

static void expects_choice(FILE *out, const struct config_option *o)
{
        config_write_words(out, o->words);
}

static void reset_choice(void *member)
{
        *(int *)member = CONFIG_ABSENT;
}

static bool absent_choice(const void *member)
{
        return *(const int *)member == CONFIG_ABSENT;
}

const struct config_type config_type_CHOICE = {read_choice, write_choice, expects_choice, reset_choice, absent_choice};

/* ---- any type ---- */

bool config_value_absent(const struct config_option *o, const void *member)
{
        return o->type->absent && o->type->absent(member);
}

bool config_value_secret(const struct config_option *o, const void *member)
{
        return o->type->secret && o->type->secret(member);
}

void config_value_reset(const struct config_option *o, void *member)
{
        if (o->type->reset)
                o->type->reset(member);
}

int config_value_read_text(const struct config_option *o, void *member, const char *text)
{
        struct config_fault fault;
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
        int r;

        /* The rows say 60s, not "60s": what is no JSON is a string. */
        if (!value)
                value = json_string(text);
        if (!value)
                return -ENOMEM;
        r = o->type->read(member, o, value, &fault);
        json_decref(value);
        assert(r <= 0);
        return r;
}
