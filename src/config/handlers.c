/* The entries of taskTypes that are no built-in ones, as those ask who start them. */
#include "config/config.h"

bool config_is_handler(const struct config_task_type *type)
{
        return type->program.n || type->plugin;
}

const struct config_task_type *config_handler_next(
        const struct config *cfg, const struct config_task_type *last)
{
        for (size_t i = last ? (size_t)(last - cfg->task_types) + 1 : 0; i < cfg->n_task_types; i++)
                if (config_is_handler(&cfg->task_types[i]))
                        return &cfg->task_types[i];
        return NULL;
}

int config_handler_profile(const struct config_task_type *handler)
{
        if (handler->profile != CONFIG_ABSENT)
                return handler->profile;
        return handler->plugin ? CONFIG_PROFILE_JS : CONFIG_PROFILE_SHELL;
}
