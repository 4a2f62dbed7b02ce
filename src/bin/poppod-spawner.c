/* The fork server's program: which classes of workers there are. poppod starts it, with its channel on descriptor 3. */
#include "spawner/learner.h"
#include "spawner/spawner.h"
#include "worker/http/class.h"
#include "worker/js/worker.h"
#include "worker/plugin/worker.h"
#include "worker/program/worker.h"
#include "worker/shell/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { CHANNEL_FD = 3 };

static const struct spawner_class classes[] = {
        {.name = "js", .prepare = worker_js_prepare, .run = worker_js_run},
        {.name = "http",
                .prepare = class_http_prepare,
                .nonblocking = true,
                .load = class_http_load,
                .run = class_http_run},
        {.name = "plugin", .prepare = worker_plugin_prepare, .handlers = true, .load = worker_plugin_load,
                .run = worker_plugin_run},
        {.name = "program", .prepare = worker_program_prepare, .handlers = true, .jailer = true,
                .offer_groups = worker_program_offer_groups, .load = worker_program_load, .run = worker_program_run},
        {.name = "shell", .nonblocking = true, .jailer = true, .offer_groups = worker_shell_offer_groups,
                .prepare = worker_shell_prepare, .run = worker_shell_run},
};

/* poppod-spawner --learn PATH TYPE: the other side of workers that learn. */
int main(int argc, char **argv)
{
        if (argc == 4 && !strcmp(argv[1], "--learn"))
                return learner_main(argv[2], argv[3]);
        if (fcntl(CHANNEL_FD, F_GETFD) < 0) {
                fputs("poppod-spawner: is started by poppod(8), not by hand\n", stderr);
                return EX_USAGE;
        }
        return spawner_main(CHANNEL_FD, classes, sizeof(classes) / sizeof(classes[0]), worker_js_image_bytes);
}
