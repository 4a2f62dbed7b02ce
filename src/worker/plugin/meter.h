/* A plugin's metrics on their way to the master: counters and gauges are kept back and sent now and then. */
#pragma once

#include "worker/plugin/load.h"
#include "worker/port.h"

void meter_open(struct port *port, const struct plugin *plugin);

/* Lets the master know of all counters before anything is counted. */
void meter_announce(void);

/* A value for the metric with this index. False: there is none. Nothing is written to the channel before
 * meter_flush(), except by histograms, which may have many values. */
bool meter_add(unsigned int index, double value);

/* Sends what has changed. */
void meter_flush(void);
/* The same if the last time is a second ago. */
void meter_flush_if_due(int64_t now);
