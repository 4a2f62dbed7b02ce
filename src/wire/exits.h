/* The exit statuses of workers, shared by those who end and those who wonder why. */
#pragma once

enum worker_exit {
#define EXIT(name, status, code, doc) WORKER_EXIT_##name = status,
#include "wire/exits.def"
};
