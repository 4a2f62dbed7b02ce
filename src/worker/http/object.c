/* The one symbol of the shared object. */
#include "worker/http/object.h"

#include "worker/http/worker.h"

__attribute__((visibility("default"))) extern const struct http_object poppod_http_object;

const struct http_object poppod_http_object = {
        .version = POPPO_VERSION,
        .load = worker_http_load,
        .run = worker_http_run,
};
