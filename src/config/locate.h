/*
 * Where in the file a key or value stands. Walks over text that jansson has accepted already, in step with the parsed
 * objects (whose members keep the file's order), and so checks nothing; it never leaves the text either.
 */
#pragma once

#include <stddef.h>

struct locator {
        const char *text;
        size_t len, at;
};

/* Passes over what stands between tokens. The offset of the next key or value. */
size_t locate_next(struct locator *l);

/* Passes over the bracket or brace that comes next, opening or closing. */
void locate_bracket(struct locator *l);

/* Passes over one whole value, or over a key. */
void locate_skip(struct locator *l);

/* From the place of an array to that of its element, or of an object to that of a name or value: both count. */
size_t locate_element(struct locator l, size_t place, size_t index);

/* Line and column of an offset, both from 1; columns count characters, not bytes. */
void locate_place(const char *text, size_t offset, int *line, int *column);
