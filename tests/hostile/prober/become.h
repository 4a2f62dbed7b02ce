/* Who runs the supervisor in this test: what a sandbox is made of differs. */
#pragma once

#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* root or ordinary. False, and says so, where this test cannot be that user. */
static inline bool become(const char *who)
{
        enum { NOBODY = 65534 };

        if (!strcmp(who, "root")) {
                if (geteuid())
                        puts("1..0 # SKIP run by an ordinary user: its own case shows the rest");
                return !geteuid();
        }
        if (!geteuid() && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                                  setresuid(NOBODY, NOBODY, NOBODY) < 0)) {
                puts("Bail out! cannot become an ordinary user");
                exit(1);
        }
        return true;
}
