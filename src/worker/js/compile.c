/* Texts of modules on their way into the engine. */
#include "worker/js/compile.h"

#include "worker/js/require_error.h"
#include "worker/js/text.h"

#include <stdlib.h>
#include <string.h>

/* Of the module that is being compiled; outside of the arena, since a text of the engine's would leave a hole
 * of its size in the image. */
static struct buf source;

void compile_forget(void)
{
        if (source.len)
                memset(source.data, 0, source.len);
        source.len = 0;
        buf_shrink(&source, 1024 * 1024);
}

/* The lines stay as they are: what is put around the text ends none before its first. */
static void fill_source(duk_context *ctx, const char *before, struct bytes text)
{
        static const char after[] = "\n})", bom[] = "\xef\xbb\xbf", script[] = "#!";
        size_t head;
        int r;

        if (text.len >= 3 && !memcmp(text.data, bom, 3))
                text = (struct bytes){text.data + 3, text.len - 3};
        compile_forget();
        r = buf_append(&source, before, strlen(before));
        head = source.len;
        if (!r)
                r = text_append_engine(&source, text);
        if (!r)
                r = buf_append(&source, after, sizeof(after) - 1);
        if (r)
                (void)duk_error(ctx, DUK_ERR_RANGE_ERROR, "there is no memory for the module's text");
        if (text.len >= 2 && !memcmp(text.data, script, 2))
                memcpy(source.data + head, "//", 2);
}

/* The parser says "... (line 3)", the one who reads it wants "... (lib/sum.js:3)". */
static void name_file_in_message(duk_context *ctx, struct bytes path)
{
        static const char mark[] = " (line ";
        const char *message, *at;
        duk_idx_t error = duk_get_top_index(ctx);
        size_t n;

        duk_get_prop_literal(ctx, error, "message");
        message = duk_get_lstring(ctx, -1, &n);
        at = message ? strstr(message, mark) : NULL;
        if (at) {
                duk_push_lstring(ctx, message, (size_t)(at - message));
                duk_push_literal(ctx, " (");
                text_push(ctx, path);
                duk_push_literal(ctx, ":");
                duk_push_string(ctx, at + sizeof(mark) - 1);
                duk_concat(ctx, 5);
                duk_put_prop_literal(ctx, error, "message");
        }
        duk_set_top(ctx, error + 1);
}

static void throw_syntax_error(duk_context *ctx, struct bytes path)
{
        /* For want of memory the error is one without a place in the text. */
        if (duk_get_error_code(ctx, -1) == DUK_ERR_SYNTAX_ERROR) {
                name_file_in_message(ctx, path);
                require_mark(ctx, WIRE_SYNTAX_ERROR);
        }
        (void)duk_throw(ctx);
}

void compile_push_function(duk_context *ctx, const char *before, struct bytes file_name, struct bytes text)
{
        int r;

        fill_source(ctx, before, text);
        text_push(ctx, file_name);
        r = duk_pcompile_lstring_filename(ctx, DUK_COMPILE_EVAL, (const char *)source.data, source.len);
        compile_forget();
        if (r != DUK_EXEC_SUCCESS)
                throw_syntax_error(ctx, file_name);
        duk_call(ctx, 0);
}

static duk_ret_t decode_json(duk_context *ctx, void *udata)
{
        (void)udata;
        duk_json_decode(ctx, -1);
        return 1;
}

static int line_at(struct bytes text, size_t offset)
{
        int line = 1;

        for (size_t i = 0; i < offset && i < text.len; i++)
                line += text.data[i] == '\n';
        return line;
}

/* "... (at offset 12)" is not how people find a place in a file. */
static _Noreturn void throw_json_error(duk_context *ctx, struct bytes path, struct bytes text)
{
        const char *message = duk_safe_to_string(ctx, -1), *at = strstr(message, "(at offset ");
        unsigned long offset = at ? strtoul(at + 11, NULL, 10) : 0;

        duk_push_error_object(ctx, DUK_ERR_SYNTAX_ERROR, "invalid JSON (%.*s:%d)", (int)path.len,
                (const char *)path.data, line_at(text, offset));
        require_throw_marked(ctx, WIRE_SYNTAX_ERROR);
}

void compile_push_json(duk_context *ctx, struct bytes path, struct bytes text)
{
        if (text.len >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3))
                text = (struct bytes){text.data + 3, text.len - 3};
        text_push(ctx, text);
        if (duk_safe_call(ctx, decode_json, NULL, 1, 1) != DUK_EXEC_SUCCESS)
                throw_json_error(ctx, path, text);
}
