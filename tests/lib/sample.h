/*
 * Makes well-formed and deliberately wrong maps of any message from its descriptor, so that one test covers every row
 * of messages.def, those of tomorrow included.
 */
#pragma once

#include "base/buf.h"
#include "wire/message.h"
#include "wire/pack.h"

/* Which optional fields a sample carries. */
enum sample_extent { SAMPLE_NEEDED, SAMPLE_ALL };

enum sample_twist {
        SAMPLE_AS_IS,
        SAMPLE_OMIT,    /* leave the field out */
        SAMPLE_TWICE,   /* write it two times */
        SAMPLE_REPLACE, /* write `bytes` as its value */
};

/* One field of the sample treated differently. field < 0: none. */
struct sample {
        const struct wire_message *m;
        enum sample_extent extent;
        int field;
        enum sample_twist twist;
        struct bytes bytes;
};

void sample_map(struct pack *p, const struct sample *s);

/* A valid value of the field, small. */
void sample_value(struct pack *p, const struct wire_field *f);

/* A value of the field's type with this number, or of this length. False: the type has no such value. */
bool sample_value_of(struct pack *p, const struct wire_field *f, int64_t n);
