/* One of each in a test program: what a test says of a module is one line. */
#include "modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct library library;
struct rig rig;
struct rig_reply got;

int modules_start(const struct library_file *files, size_t n)
{
        struct wire_spawn_setup setup = rig_setup();

        library_make(&library);
        for (size_t i = 0; i < n; i++)
                library_put(&library, files[i].path, files[i].text);
        library_open(&library);
        rig_start(&rig, &setup);
        rig.library = &library;
        return 0;
}

int modules_stop(void **state)
{
        int status = rig_stop(&rig);

        (void)state;
        status |= library_close(&library);
        library_remove(&library);
        return status;
}

void gives(const char *path, const char *method, struct bytes args, const char *value)
{
        rig_module(&rig, path, method, args, &got);
        if (*got.code || strcmp(got.value, value))
                fail_msg("%s %s gave %s %s %s, not %s", path, method ? method : "", got.code, got.message,
                        got.value, value);
}

void fails_with(const char *path, const char *method, struct bytes args, const char *code, const char *part)
{
        rig_module(&rig, path, method, args, &got);
        if (strcmp(got.code, code) || !strstr(got.message, part))
                fail_msg("%s %s gave %s \"%s\" %s, not %s \"%s\"", path, method ? method : "", got.code,
                        got.message, got.value, code, part);
}
