/* The commands' functions, as the table names them. Each returns the exit status. */
#pragma once

struct cli;

int cmd_run(struct cli *cli);
int cmd_call(struct cli *cli);
int cmd_module(struct cli *cli);
int cmd_http(struct cli *cli);
int cmd_sh(struct cli *cli);
int cmd_submit(struct cli *cli);
int cmd_wait(struct cli *cli);
int cmd_result(struct cli *cli);
int cmd_cancel(struct cli *cli);
int cmd_retry(struct cli *cli);
int cmd_logs(struct cli *cli);
int cmd_why(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_project_list(struct cli *cli);
int cmd_project_limit(struct cli *cli);
int cmd_project_set(struct cli *cli);
int cmd_project_pause(struct cli *cli);
int cmd_project_resume(struct cli *cli);
int cmd_project_usage(struct cli *cli);
int cmd_daemon_start(struct cli *cli);
int cmd_daemon_stop(struct cli *cli);
int cmd_daemon_restart(struct cli *cli);
int cmd_daemon_status(struct cli *cli);
int cmd_daemon_reload(struct cli *cli);
int cmd_daemon_drain(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_store_stats(struct cli *cli);
int cmd_store_compact(struct cli *cli);
int cmd_store_check(struct cli *cli);
int cmd_store_export(struct cli *cli);
int cmd_store_recover(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_version(struct cli *cli);
