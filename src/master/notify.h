/* Tells the service manager how we are, where there is one ($NOTIFY_SOCKET, sd_notify(3)). */
#pragma once

/* state: "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...". Without a service manager: nothing, 0. */
int notify_service(const char *state);
