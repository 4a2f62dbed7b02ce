/* dlopen, once a child. Everything is bound at once: a locked-down process looks no symbol up. */
#include "worker/http/class.h"

#include "base/paths.h"
#include "worker/http/object.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>

static struct wire_spawn_setup kept;
static char path[PATH_MAX];
static const struct http_object *object;

/* It stands beside the spawner, in the build directory and in libexec alike. That it is there is seen when it
 * is needed: the other classes do without. */
int class_http_prepare(const struct wire_spawn_setup *setup)
{
        kept = *setup;
        return paths_beside("poppod-http.so", path, sizeof(path));
}

int class_http_load(const struct wire_spawn *ask, struct wire_refusal *why)
{
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        (void)ask;
        object = handle ? dlsym(handle, HTTP_OBJECT_SYMBOL) : NULL;
        if (!object)
                return wire_refuse(why, WIRE_WORKER_CRASHED, "%.180s", dlerror());
        if (strcmp(object->version, POPPO_VERSION))
                return wire_refuse(why, WIRE_WORKER_CRASHED, "poppod-http.so is of version %.32s, not of %s",
                        object->version, POPPO_VERSION);
        return object->load(&kept);
}

_Noreturn void class_http_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers)
{
        (void)ask;
        object->run(channel_fd, layers);
}
