/*
 * A supervisor that is started to be looked at: with a socket, a directory and a store of its own, alone as this user on
 * this machine. It is the real one, so what it says of its workers is what another one here would say.
 */
#pragma once

#include "cli/launch.h"

#include <jansson.h>

struct patient {
        struct cli cli; /* its connection */
        struct launch launch;
        char dir[32], socket[64], config[64], log[64], state[64]; /* dir "": there is none */
        bool alive;
};

/* The effective configuration as poppod reads it, cli's --config or where it looks itself. 0, or an exit status after a
 * message. */
int patient_read_config(struct cli *cli, json_t **out);

/* Starts one with this configuration. 0, or an exit status after a message. patient_end() in any case. */
int patient_start(struct patient *p, struct cli *cli, const json_t *config);
void patient_end(struct patient *p);

/* What it says: the reply to an op, parsed. 0, or an exit status after a message. */
int patient_ask(struct patient *p, const char *op, const json_t *args, json_t **out);
