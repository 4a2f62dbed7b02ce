/*
 * An example of a plugin: a task type of one's own, in C. {type, args: [text]} gives the text's CRC-32.
 *
 *   "taskTypes": {"crc32": {"plugin": "/usr/local/lib/poppo/crc32.so"}}
 *   $ poppo run --type crc32 --arg '"hello"'
 *   907060870
 */
#include <msgpack.h>
#include <poppo/plugin.h>
#include <string.h>

/* The first of the task's `args`, which is to be a string. */
static const msgpack_object *find_text(const msgpack_object *task)
{
        for (uint32_t i = 0; i < task->via.map.size; i++) {
                const msgpack_object *key = &task->via.map.ptr[i].key, *args = &task->via.map.ptr[i].val;

                if (key->type == MSGPACK_OBJECT_STR && key->via.str.size == 4 && !memcmp(key->via.str.ptr, "args", 4) &&
                        args->type == MSGPACK_OBJECT_ARRAY && args->via.array.size &&
                        args->via.array.ptr[0].type == MSGPACK_OBJECT_STR)
                        return &args->via.array.ptr[0];
        }
        return NULL;
}

/* As in Ethernet, gzip and zlib. */
static uint32_t crc32(const char *data, size_t len)
{
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < len; i++) {
                crc ^= (unsigned char)data[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        return ~crc;
}

static int give(struct poppo_run *run, uint32_t crc)
{
        enum poppo_answer answer;
        msgpack_sbuffer out;
        msgpack_packer p;

        msgpack_sbuffer_init(&out);
        msgpack_packer_init(&p, &out, msgpack_sbuffer_write);
        msgpack_pack_uint32(&p, crc);
        answer = run->host->result(run, out.data, out.size);
        msgpack_sbuffer_destroy(&out);
        return answer;
}

static int run_task(struct poppo_run *run)
{
        const msgpack_object *text;
        msgpack_unpacked task;
        int r = 1;

        msgpack_unpacked_init(&task);
        if (msgpack_unpack_next(&task, run->task.data, run->task.size, NULL) == MSGPACK_UNPACK_SUCCESS) {
                text = find_text(&task.data);
                if (text)
                        r = give(run, crc32(text->via.str.ptr, text->via.str.size));
                else
                        run->host->fail(run, "INVALID_TASK", "args must begin with a string", NULL, 0);
        }
        msgpack_unpacked_destroy(&task);
        return r;
}

const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "crc32 1.0", .run = run_task};
