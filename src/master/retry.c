/* Another attempt or the end. */
#include "master/retry.h"

#include <math.h>

/* -1 to 1, evenly, from 53 of the random bits. */
static double spread(uint64_t random)
{
        return (double)(random >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

int64_t retry_wait(int64_t first, unsigned attempts, const struct retry_policy *policy, uint64_t random)
{
        double most = policy->delay_max ? (double)policy->delay_max : (double)(INT64_MAX / 4);
        double wait = first ? (double)first * pow(policy->backoff, attempts ? attempts - 1 : 0) : 0; /* not 0 * infinity */

        wait = fmin(wait, most);
        wait += wait * policy->jitter * spread(random);
        return (int64_t)fmax(0, fmin(wait, most));
}

static struct retry_verdict final(enum task_state state, enum wire_code code)
{
        return (struct retry_verdict){.state = state, .code = code};
}

struct retry_verdict retry_decide(const struct task *t, enum wire_code code, int64_t now,
        const struct retry_policy *policy, uint64_t random)
{
        bool poison = t->kills >= QUARANTINE_KILLS;

        if (t->cancel_asked)
                return final(TASK_CANCELLED, WIRE_CANCELLED);
        if (!wire_codes[code].retry)
                return final(TASK_FAILED, code);
        if (t->quarantined)
                return final(TASK_DEAD, t->attempts[t->n_attempts - 1].killed_worker ? WIRE_QUARANTINED : code);
        if (!poison && t->n_attempts >= t->max_attempts)
                return final(t->max_attempts > 1 ? TASK_DEAD : TASK_FAILED, code);
        return (struct retry_verdict){
                .again = true,
                .quarantine = poison,
                .at = now + retry_wait(t->retry_delay, t->n_attempts, policy, random),
        };
}
