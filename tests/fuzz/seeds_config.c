/* Food for the reader of configurations. */
#include "fuzz.h"

#include <string.h>

const uint8_t fuzz_telling[] = " \n\t{}[]\",:\\/0123456789.-+eEtrufalsn\x00\x7f\x80\xc3\xff";
const size_t fuzz_n_telling = sizeof(fuzz_telling) - 1;

static const char *const texts[] = {
        "{}",
        "{\"daemon\":{\"worker\":{\"minProcesses\":1,\"maxProcesses\":4,\"autoScale\":true,\"scaleUpThreshold\":0.8,"
        "\"scaleDownThreshold\":0.2,\"maxTasksPerWorker\":100,\"workerIdleTimeout\":60000}}}",
        "{\"daemon\":{\"socketPath\":\"/tmp/x\",\"socketMode\":\"0660\",\"allowUids\":[0,1000],\"shutdownTimeout\":\"30s\"}}",
        "{\"daemon\":{\"worker\":{\"maxMemoryBytes\":\"256MiB\",\"isolation\":\"process\",\"maxCpuTime\":\"1m\"}}}",
        "{\"defaults\":{\"priority\":3,\"timeout\":\"5s\",\"maxAttempts\":3,\"retryBackoff\":2.0,\"retryJitter\":0.2}}",
        "{\"queue\":{\"maxLength\":10,\"onFull\":\"reject\",\"onLimit\":\"queue\",\"resultTtl\":\"1h\"}}",
        "{\"projects\":{\"a\":{\"processLimit\":2,\"rateLimit\":\"90/m\",\"weight\":3,\"env\":{\"A\":\"b\"},\"network\":true}}}",
        "{\"projects\":{\"a/b:c\":{\"paused\":true,\"taskTypes\":[\"execute-code\",\"shell-command\"]}}}",
        "{\"taskTypes\":{\"execute-module\":{\"roots\":[\"/usr/share\"]},\"http-request\":{\"allowHosts\":[\"127.0.0.1:80\"]},"
        "\"shell-command\":{\"paths\":[\"/opt\"],\"maxTreeProcesses\":9}}}",
        "{\"taskTypes\":{\"own\":{\"program\":[\"/usr/bin/own\",\"-x\"],\"profile\":\"shell\",\"processes\":2}}}",
        "{\"taskTypes\":{\"own\":{\"plugin\":\"/usr/lib/own.so\",\"profile\":\"js\"}}}",
        "{\"security\":{\"require\":\"best-effort\",\"seccomp\":\"strict\"}}",
        "{\"logging\":{\"level\":\"debug\",\"format\":\"json\",\"file\":\"/tmp/log\"},\"store\":{\"engine\":\"memory\"}}",
        "{\n  \"daemon\": {\n    \"worker\": {\"maxProcesess\": 4}\n  }\n}\n",
        "{\"a\":[[[[[[[[[[1]]]]]]]]]],\"daemon\":1e999}",
        "{\"daemon\":{},\"daemon\":{}}",
        "[1,2]",
        "\"\\u0000\\ud83d\\ude00\"",
};

size_t fuzz_seed(size_t number, uint8_t *out)
{
        if (number >= sizeof(texts) / sizeof(texts[0]))
                return 0;
        memcpy(out, texts[number], strlen(texts[number]));
        return strlen(texts[number]);
}
