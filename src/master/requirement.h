/*
 * What must hold around a worker before a task is sent to it: the layers that it tells of against what the configuration
 * asks of each. Pure.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"

enum { REQUIREMENT_TEXT = 256 };

/* layers: an encoded {layer: state}, checked. network: it was given the machine's by the operator's word. Positive: a layer
 * that must hold does not; text says which ones, and what decides that. */
int requirement_check(const struct config_security *c, bool network, struct bytes layers, char text[static REQUIREMENT_TEXT]);
