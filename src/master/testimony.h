/* What a worker says and clients are handed: its shape is the contract's, whatever became of the worker. */
#pragma once

#include "wire/codec.h"

/* {layer: enforced|partial|absent}. Positive: refused. */
int testimony_check_layers(struct bytes layers, struct wire_refusal *why);

/* [{level, text, at}]. Positive: refused. */
int testimony_check_logs(struct bytes logs, struct wire_refusal *why);

/* Whether both, which were checked, tell of the same layers in the same order, and the same but of this one. */
bool testimony_same_layers_but(struct bytes a, struct bytes b, const char *but);

/* Layers that were checked, for the log: "user enforced, seccomp absent". */
void testimony_layers_text(struct bytes layers, char *out, size_t size);
