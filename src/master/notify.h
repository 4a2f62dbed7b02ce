/* Tells the service manager how we are, where there is one ($NOTIFY_SOCKET, sd_notify(3)). */
#pragma once

/* Connects while that still can be done. 0 and *fd, -1 without a service manager; negative: it cannot be told. */
int notify_open(int *fd);

/* state: "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...". With fd -1: nothing, 0. */
int notify_service(int fd, const char *state);
