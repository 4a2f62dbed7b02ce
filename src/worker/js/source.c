/* The rules of which reading of a text is tried, and whose error is reported when none fits. */
#include "worker/js/source.h"

#include "wire/message.h"
#include "worker/js/text.h"

#include <string.h>

static bool compiling;

bool source_is_compiling(void)
{
        return compiling;
}

void source_begin(void)
{
        compiling = false;
}

/* Replaces the text on top by its function, or by the error. What is put around the code keeps its lines:
 * nothing ends a line before it, and the line that ends after it lets a comment at its end close. */
static bool try_compile(
        duk_context *ctx, const char *before, struct bytes code, const char *after, duk_uint_t flags)
{
        bool ok;

        duk_push_string(ctx, before);
        text_push(ctx, code);
        duk_push_string(ctx, after);
        duk_concat(ctx, 3);
        duk_push_literal(ctx, "task.js");
        compiling = true;
        ok = duk_pcompile(ctx, flags) == DUK_EXEC_SUCCESS;
        if (ok)
                compiling = false;
        return ok;
}

/* The line of the first brace that closes more than was opened, 0 if there is none; strings and comments
 * count too. */
static int line_of_stray_brace(struct bytes code)
{
        int depth = 0, line = 1;

        for (size_t i = 0; i < code.len; i++) {
                depth += (code.data[i] == '{') - (code.data[i] == '}');
                line += code.data[i] == '\n';
                if (depth < 0)
                        return line;
        }
        return 0;
}

/* The parser stops at the brace that closes the body and would drop what follows it. Where a brace looks too
 * many, the body is read once more with something behind it that cannot be part of it: only if that is never
 * reached, it compiles. */
static void refuse_early_end(duk_context *ctx, struct bytes code)
{
        int line = line_of_stray_brace(code);

        if (!line)
                return;
        if (try_compile(ctx, "function(){", code, "\n@}", DUK_COMPILE_FUNCTION)) {
                compiling = true;
                (void)duk_error(ctx, DUK_ERR_SYNTAX_ERROR, "unexpected } (line %d)", line);
        }
        duk_pop(ctx);
        compiling = false;
}

static bool try_body(duk_context *ctx, struct bytes code)
{
        bool ok = try_compile(ctx, "function(){", code, "\n}", DUK_COMPILE_FUNCTION);

        if (ok)
                refuse_early_end(ctx, code);
        return ok;
}

/* Whether the error on top is the parser's complaint about a top-level return. */
static bool is_about_return(duk_context *ctx)
{
        static const char text[] = "invalid return";
        bool is;

        duk_get_prop_literal(ctx, -1, "message");
        is = duk_is_string(ctx, -1) && !strncmp(duk_get_string(ctx, -1), text, sizeof(text) - 1);
        duk_pop(ctx);
        return is;
}

void source_push_program(duk_context *ctx, struct bytes code)
{
        if (try_compile(ctx, "", code, "", DUK_COMPILE_SHEBANG))
                return;
        if (!is_about_return(ctx))
                (void)duk_throw(ctx);
        duk_pop(ctx);
        if (!try_body(ctx, code))
                (void)duk_throw(ctx);
}

void source_push_body(duk_context *ctx, struct bytes code)
{
        if (!try_body(ctx, code))
                (void)duk_throw(ctx);
}

/* Without the semicolons and blanks at its end, which a declaration may have and an expression may not. */
static struct bytes without_tail(struct bytes code)
{
        while (code.len && memchr("; \t\r\n", code.data[code.len - 1], 5))
                code.len--;
        return code;
}

/* In parentheses a declaration is an expression whose name is known inside of it. What does not parse so,
 * like `var f = ...; f`, is taken as a program, and that one's error is the one that makes sense. */
void source_push_function(duk_context *ctx, struct bytes code)
{
        if (!try_compile(ctx, "(", without_tail(code), "\n)", DUK_COMPILE_EVAL)) {
                duk_pop(ctx);
                if (!try_compile(ctx, "", code, "", DUK_COMPILE_EVAL))
                        (void)duk_throw(ctx);
        }
        duk_call(ctx, 0);
        if (!duk_is_callable(ctx, -1))
                (void)duk_type_error(ctx, "fn is not the source of a function");
}
