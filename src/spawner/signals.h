/* Signals of the spawner and of the workers that it makes. */
#pragma once

/* In the spawner, before anything else: what the parent left is forgotten, and the terminal's signals are ignored. */
void signals_of_spawner(void);

/* In a forked worker: as a fresh program finds them. The reverse of the few that the spawner ignores, since resetting
 * all 64 would be a tenth of the time that a worker takes. */
void signals_of_worker(void);
