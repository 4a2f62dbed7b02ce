/*
 * What the loader keeps of its rights once its roots are open: to read files beneath them, its channel and
 * its log. Nothing of what a worker, a module's name or a file's contents make it do goes beyond that.
 */
#pragma once

#include "loader/roots.h"

/* Applies each layer and appends the encoded map {layer: enforced|partial|absent}. Negative: it must end. */
int confine(const struct roots *r, pid_t parent, struct buf *layers);
