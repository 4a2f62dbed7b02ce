/* The layers around a worker's own process and those of the jail that it makes, in one map. */
#pragma once

#include "base/buf.h"
#include "sandbox/jail_probe.h"

/* Appends the encoded map; own is one. */
int layers_join(struct bytes own, const enum layer_state jail[JAIL_N_LAYERS], struct buf *out);
