/* What went wrong, kept in the handle as a sentence and a code; and the meaning of codes. */
#include "client/client.h"

#include "base/utf8.h"
#include "wire/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int client_fail(struct poppo *p, int r, const char *format, ...)
{
        va_list ap;

        client_clear(p);
        va_start(ap, format);
        vsnprintf(p->message, sizeof(p->message), format, ap);
        va_end(ap);
        utf8_repair(p->message);
        return r;
}

void client_clear(struct poppo *p)
{
        p->code[0] = p->message[0] = '\0';
        p->retry_after = -1;
}

int client_adopt(struct poppo *p, struct poppo_reply *reply)
{
        client_fail(p, 0, "%s", poppo_reply_message(reply));
        snprintf(p->code, sizeof(p->code), "%s", poppo_reply_code(reply));
        if (poppo_reply_int(reply, "/error/retryAfter", &p->retry_after) < 0)
                p->retry_after = -1;
        return poppo_reply_status(reply);
}

const char *poppo_error_message(const struct poppo *p)
{
        return p->message;
}

const char *poppo_error_code(const struct poppo *p)
{
        return p->code;
}

int64_t poppo_error_retry_after(const struct poppo *p)
{
        return p->retry_after;
}

int poppo_code_exit_status(const char *code)
{
        enum wire_code found = wire_code_find(wire_str(code));

        if (!strcmp(code, CLIENT_LOST))
                return 69;
        return found == WIRE_OK ? 1 : wire_codes[found].exit_status;
}

const char *poppo_code_text(const char *code)
{
        enum wire_code found = wire_code_find(wire_str(code));

        if (!strcmp(code, CLIENT_LOST))
                return "The connection to the supervisor was lost before it answered.";
        return found == WIRE_OK ? NULL : wire_codes[found].doc;
}
