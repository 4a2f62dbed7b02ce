/* The types of options: how each is read from JSON, written back and freed. One table entry a type. */
#pragma once

#include "config/schema.h"

#include <jansson.h>
#include <stdio.h>

/* A value that was refused; what was wanted instead is the type's to say. */
struct config_fault {
        json_t *value;     /* the whole value, or the element of it that is wrong; borrowed */
        size_t index;      /* of the element, names counted too in an object; CONFIG_WHOLE: it is the whole value */
        const char *known; /* the word that may have been meant; NULL: none */
        const char *key;   /* of an object: the name that is wrong, in place of value; borrowed */
};

#define CONFIG_WHOLE ((size_t)-1)

struct config_type {
        /* Fills an absent member. 0; CONFIG_REFUSED, and *fault; -ENOMEM. What it owns then is reset's to free. */
        int (*read)(void *member, const struct config_option *o, json_t *value, struct config_fault *fault);
        /* Appends JSON for a member that is not absent; the stream keeps the error. */
        void (*write)(FILE *out, const struct config_option *o, const void *member);
        /* Appends what stands behind "must be". */
        void (*expects)(FILE *out, const struct config_option *o);
        /* Frees what the member owns and makes it absent. NULL: owns nothing and is never absent. */
        void (*reset)(void *member);
        bool (*absent)(const void *member);
        /* Whether the value is not for logs. NULL: never. */
        bool (*secret)(const void *member);
};

extern const struct config_type config_type_INT, config_type_MS, config_type_SIZE, config_type_REAL, config_type_BOOL,
        config_type_STRING, config_type_MODE, config_type_RATE, config_type_NUMBERS, config_type_CHOICE, config_type_LIST,
        config_type_PATH, config_type_PATHS, config_type_COMMAND, config_type_HOSTS, config_type_ENV;

bool config_value_absent(const struct config_option *o, const void *member);
/* Whether the value is not for logs. */
bool config_value_secret(const struct config_option *o, const void *member);
void config_value_reset(const struct config_option *o, void *member);

/* Fills an absent member from text as it stands in options.def or as write() gave it. 0 or -ENOMEM: it is never
 * refused. */
int config_value_read_text(const struct config_option *o, void *member, const char *text);

/* The index of a word, or -1 and in *known the one that may have been meant. */
int config_word_find(const char *const *words, const char *word, const char **known);

/* What the types that hold a string or a struct config_strings share. */
void config_write_text(FILE *out, const struct config_option *o, const void *member);
void config_reset_text(void *member);
bool config_absent_text(const void *member);
void config_write_strings(FILE *out, const struct config_option *o, const void *member);
void config_reset_strings(void *member);

/* Append a JSON string, and all the words as in: "a", "b" or "c". */
void config_write_string(FILE *out, const char *text);
void config_write_words(FILE *out, const char *const *words);
