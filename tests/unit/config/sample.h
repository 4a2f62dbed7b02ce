/* What the configuration's tests share: the documented file, one that sets everything, and loading from a
 * string. */
#pragma once

#include "config/config.h"

#include <string.h>

/* As users find it in the documentation. */
#define DOCUMENTED                                                                                           \
        "{\"daemon\":{\"worker\":{\"minProcesses\":1,\"maxProcesses\":4,\"autoScale\":true,"                 \
        "\"scaleUpThreshold\":0.8,\"scaleDownThreshold\":0.2,\"maxTasksPerWorker\":100,"                     \
        "\"workerIdleTimeout\":60000}}}"

/* Every option, none at its default, every type's special forms. */
#define EVERYTHING                                                                                           \
        "{\n"                                                                                                \
        "  \"daemon\": {\"socketPath\": \"/tmp/a \\\"b\\\" \\u00e9.sock\", \"socketMode\": \"600\",\n"       \
        "    \"user\": \"nobody\",\n"                                                                        \
        "    \"allowUids\": [0, 1000, 4294967294], \"allowGids\": [5], \"shutdownTimeout\": \"1m\",\n"       \
        "    \"worker\": {\"minProcesses\": 2, \"maxProcesses\": 8, \"autoScale\": false,\n"                 \
        "      \"scaleUpThreshold\": 1.3, \"scaleDownThreshold\": 0.1, \"scaleCheckInterval\": \"500ms\",\n" \
        "      \"scaleDownCooldown\": 0, \"maxTasksPerWorker\": 7, \"maxTasksJitter\": "                     \
        "0.3333333333333333,\n"                                                                              \
        "      \"workerIdleTimeout\": \"2d\", \"startTimeout\": \"3s\", \"heartbeatInterval\": \"1s\",\n"    \
        "      \"missedHeartbeats\": 5, \"killGrace\": 0, \"respawnBackoff\": 50, \"respawnBackoffMax\": "   \
        "51,\n"                                                                                              \
        "      \"maxMemoryBytes\": \"16MiB\", \"maxCpuTime\": \"10s\", \"isolation\": \"process\"}},\n"      \
        "  \"defaults\": {\"priority\": 3, \"timeout\": 0, \"maxAttempts\": 1, \"retryDelay\": 2000,\n"      \
        "    \"retryBackoff\": 1, \"retryDelayMax\": 0, \"retryJitter\": 1},\n"                              \
        "  \"queue\": {\"maxLength\": 5, \"onLimit\": \"reject\", \"onFull\": \"reject\",\n"                 \
        "    \"agingInterval\": \"5m\", \"resultTtl\": \"1d\", \"maxResultBytes\": \"10MB\",\n"              \
        "    \"maxTaskBytes\": 4096, \"maxKeptBytes\": \"1GB\", \"maxBytes\": \"2GiB\",\n"                   \
        "    \"maxClientBytes\": \"1MiB\"},\n"                                                               \
        "  \"projects\": {\n"                                                                                \
        "    \"acme\": {\"processLimit\": 2, \"rateLimit\": \"90/m\", \"maxQueued\": 50, \"weight\": 3,\n"   \
        "      \"maxPriority\": 5, \"isolation\": \"heap\", \"taskTypes\": [\"execute-code\", "              \
        "\"re_size.2-x\"],\n"                                                                                \
        "      \"paused\": true, \"env\": {\"A_1\": \"x=\\\"y\\\"\", \"_b\": \"\"}, \"caFile\": "            \
        "\"/etc/ca.pem\",\n"                                                                                 \
        "      \"network\": true},\n"                                                                        \
        "    \"a.b_c-d:e/F9\": {\"rateLimit\": 0.7}, \"plain\": {}},\n"                                      \
        "  \"taskTypes\": {\"execute-function\": {\"enabled\": false, \"isolation\": \"process\"},\n"        \
        "    \"execute-module\": {\"roots\": [\"/srv/modules\", \"/opt\"]},\n"                               \
        "    \"http-request\": {\"allowPrivate\": true, \"allowHosts\": [\"localhost\", "                    \
        "\"a.example:8080\",\n"                                                                              \
        "      \".example\", \"10.0.0.0/8\", \"::1\", \"[fd00::1]:443\"], \"allowPorts\": [8080],\n"         \
        "      \"maxRedirects\": 0, \"maxResponseBytes\": \"2MiB\", \"maxTransfers\": 16},\n"                \
        "    \"shell-command\": {\"allow\": [\"ls -*\", \"git\"], \"maxOutputBytes\": 0, \"maxDiskBytes\": " \
        "\"1MiB\",\n"                                                                                        \
        "      \"maxFiles\": 100, \"maxTreeProcesses\": 1, \"maxTreeMemoryBytes\": \"64MiB\", \"paths\": "   \
        "[\"/opt/tools\"]},\n"                                                                               \
        "    \"re_size.2-x\": {\"plugin\": \"/usr/lib/resize.so\", \"profile\": \"http\", \"processes\": "   \
        "2,\n"                                                                                               \
        "      \"paths\": [\"/usr/share/fonts\"]},\n"                                                        \
        "    \"node\": {\"program\": [\"/usr/bin/node\", \"worker.js\"]},\n"                                 \
        "    \"sh\": {\"program\": \"/bin/sh\", \"enabled\": false}},\n"                                     \
        "  \"store\": {\"engine\": \"memory\", \"path\": \"/var/lib/p/q.db\", \"sync\": \"normal\"},\n"      \
        "  \"security\": {"                                                                                  \
        "    \"require\": \"best-effort\", \"session\": \"best-effort\", \"closedFds\": \"best-effort\",\n"  \
        "    \"environment\": \"best-effort\", \"rlimits\": \"best-effort\", \"parentDeath\": "              \
        "\"best-effort\",\n"                                                                                 \
        "    \"notDumpable\": \"best-effort\", \"noNewPrivs\": \"best-effort\", \"seccomp\": "               \
        "\"best-effort\",\n"                                                                                 \
        "    \"scopes\": \"strict\", \"landlock\": \"best-effort\", \"uid\": \"strict\", \"capabilities\": " \
        "\"best-effort\",\n"                                                                                 \
        "    \"privateRoot\": \"best-effort\", \"pidNamespace\": \"best-effort\", \"ipcNamespace\": "        \
        "\"best-effort\",\n"                                                                                 \
        "    \"netNamespace\": \"best-effort\", \"utsNamespace\": \"best-effort\", \"treeMemory\": "         \
        "\"best-effort\", \"treeProcesses\": \"best-effort\", \"treeCpu\": \"strict\"},\n"                   \
        "  \"logging\": {\"level\": \"debug\", \"format\": \"json\", \"file\": \"/var/log/p\"}\n"            \
        "}\n"

static inline int load_string(struct config *out, const char *text, struct config_error *err)
{
        return config_load_text(out, text, strlen(text), "poppod.json", err);
}
