#include "recorder.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 8, SECTOR = 512, IMAGE = 8 << 20 };
enum kind { WRITE, TRUNCATE, SYNC, DELETE };

struct event {
        enum kind kind;
        int file;
        int64_t offset; /* TRUNCATE: the size; DELETE: whether the directory was synced */
        size_t len;
        uint8_t *data;
};

static struct event *events;
static size_t n_events, room;
static char names[FILES][256];
static int n_names;
static sqlite3_vfs vfs, *system_vfs;

struct file {
        sqlite3_file base;
        int name;
        sqlite3_file *real;
};

static void record(enum kind kind, int file, int64_t offset, const void *data, size_t len)
{
        if (n_events == room) {
                room = room ? room * 2 : 1024;
                events = realloc(events, room * sizeof(*events));
                assert(events);
        }
        events[n_events] = (struct event){.kind = kind, .file = file, .offset = offset, .len = len};
        if (len) {
                events[n_events].data = malloc(len);
                assert(events[n_events].data);
                memcpy(events[n_events].data, data, len);
        }
        n_events++;
}

static int name_of(const char *path)
{
        const char *slash = strrchr(path, '/');

        for (int i = 0; i < n_names; i++)
                if (!strcmp(names[i], slash + 1))
                        return i;
        assert(n_names < FILES);
        snprintf(names[n_names], sizeof(names[0]), "%s", slash + 1);
        return n_names++;
}

/* ---- the VFS ---- */

#define REAL(f) (((struct file *)(f))->real)

static int do_close(sqlite3_file *f)
{
        return REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
}
static int do_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
        return REAL(f)->pMethods->xRead(REAL(f), data, n, at);
}
static int do_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
        record(WRITE, ((struct file *)f)->name, at, data, (size_t)n);
        return REAL(f)->pMethods->xWrite(REAL(f), data, n, at);
}
static int do_truncate(sqlite3_file *f, sqlite3_int64 size)
{
        record(TRUNCATE, ((struct file *)f)->name, size, NULL, 0);
        return REAL(f)->pMethods->xTruncate(REAL(f), size);
}
/* Nothing is really synced: that is what the test is about, and it would take its time. */
static int do_sync(sqlite3_file *f, int flags)
{
        (void)flags;
        record(SYNC, ((struct file *)f)->name, 0, NULL, 0);
        return SQLITE_OK;
}
static int do_size(sqlite3_file *f, sqlite3_int64 *size)
{
        return REAL(f)->pMethods->xFileSize(REAL(f), size);
}
static int do_lock(sqlite3_file *f, int level)
{
        return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int do_unlock(sqlite3_file *f, int level)
{
        return REAL(f)->pMethods->xUnlock(REAL(f), level);
}
static int do_check(sqlite3_file *f, int *out)
{
        return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}
/* Hints of what size a file will have would be writes past us. */
static int do_control(sqlite3_file *f, int op, void *arg)
{
        if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
                return SQLITE_NOTFOUND;
        return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int do_sector(sqlite3_file *f)
{
        return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int do_device(sqlite3_file *f)
{
        return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

/* Version 1: no shared memory, no mapping. A store that needs either can't be opened here. */
static const sqlite3_io_methods methods = {1, do_close, do_read, do_write, do_truncate, do_sync, do_size, do_lock, do_unlock,
        do_check, do_control, do_sector, do_device};

/* WAL without shared memory is possible only under an exclusive lock; SQLite asks for version 2 all the same. */
static int no_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
        (void)f, (void)page, (void)size, (void)extend, (void)out;
        return SQLITE_IOERR_SHMMAP;
}
static int no_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
        (void)f, (void)offset, (void)n, (void)flags;
        return SQLITE_IOERR_SHMLOCK;
}
static void no_barrier(sqlite3_file *f)
{
        (void)f;
}
static int no_unmap(sqlite3_file *f, int remove)
{
        (void)f, (void)remove;
        return SQLITE_OK;
}

static sqlite3_io_methods methods2;

static int do_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out)
{
        struct file *file = (struct file *)f;
        int rc;

        (void)v;
        file->real = (sqlite3_file *)(file + 1);
        file->base.pMethods = NULL;
        rc = system_vfs->xOpen(system_vfs, path, file->real, flags, out);
        if (rc)
                return rc;
        file->name = name_of(path);
        file->base.pMethods = &methods2;
        return SQLITE_OK;
}

static int do_delete(sqlite3_vfs *v, const char *path, int sync_directory)
{
        (void)v;
        record(DELETE, name_of(path), sync_directory, NULL, 0);
        return system_vfs->xDelete(system_vfs, path, 0);
}

void recorder_start(void)
{
        recorder_stop();
        system_vfs = sqlite3_vfs_find(NULL);
        vfs = *system_vfs;
        vfs.zName = "recorder";
        vfs.szOsFile = (int)sizeof(struct file) + system_vfs->szOsFile;
        vfs.xOpen = do_open;
        vfs.xDelete = do_delete;
        methods2 = methods;
        methods2.iVersion = 2;
        methods2.xShmMap = no_map;
        methods2.xShmLock = no_shm_lock;
        methods2.xShmBarrier = no_barrier;
        methods2.xShmUnmap = no_unmap;
        assert(!sqlite3_vfs_register(&vfs, 0));
}

void recorder_stop(void)
{
        for (size_t i = 0; i < n_events; i++)
                free(events[i].data);
        free(events);
        events = NULL;
        n_events = room = 0;
        n_names = 0;
        if (system_vfs)
                sqlite3_vfs_unregister(&vfs);
        system_vfs = NULL;
}

size_t recorder_events(void)
{
        return n_events;
}

/* ---- what a disk may hold ---- */

struct image {
        uint8_t *data;
        size_t len;
        bool there;
};

static unsigned int chance(unsigned int *seed, unsigned int of)
{
        *seed = *seed * 1103515245u + 12345u;
        return (*seed >> 12) % of;
}

static void put(struct image *i, size_t at, const uint8_t *data, size_t n)
{
        assert(at + n <= IMAGE);
        if (at > i->len)
                memset(i->data + i->len, 0, at - i->len);
        memcpy(i->data + at, data, n);
        if (at + n > i->len)
                i->len = at + n;
        i->there = true;
}

static void apply(struct image *i, const struct event *e)
{
        if (e->kind == WRITE)
                put(i, (size_t)e->offset, e->data, e->len);
        else if (e->kind == TRUNCATE && (size_t)e->offset < i->len)
                i->len = (size_t)e->offset;
        else if (e->kind == DELETE)
                i->len = i->there = 0;
}

/* Any sector of a write that was not synced may have reached the disk or not. */
static void apply_by_chance(struct image *i, const struct event *e, unsigned int *seed)
{
        unsigned int mood = chance(seed, 4); /* 0: all of it, 1: nothing, else sector by sector */

        if (e->kind != WRITE) {
                if (mood % 2 == 0)
                        apply(i, e);
                return;
        }
        for (size_t at = 0; at < e->len; at += SECTOR)
                if (mood == 0 || (mood > 1 && chance(seed, 2)))
                        put(i, (size_t)e->offset + at, e->data + at, e->len - at < SECTOR ? e->len - at : SECTOR);
}

static bool is_durable(const struct event *e)
{
        return e->kind == SYNC || (e->kind == DELETE && e->offset);
}

static void write_image(const struct image *i, const char *directory, const char *name)
{
        char path[512];
        FILE *f;

        if (!i->there)
                return;
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "w");
        assert(f && fwrite(i->data, 1, i->len, f) == i->len);
        fclose(f);
}

void recorder_cut(size_t cut, unsigned int seed, const char *directory)
{
        for (int name = 0; name < n_names; name++) {
                struct image image = {.data = malloc(IMAGE)};
                size_t synced = 0;

                assert(image.data && cut <= n_events);
                for (size_t i = 0; i < cut; i++)
                        if (events[i].file == name && is_durable(&events[i]))
                                synced = i + 1;
                for (size_t i = 0; i < synced; i++)
                        if (events[i].file == name)
                                apply(&image, &events[i]);
                for (size_t i = synced; i < cut; i++)
                        if (events[i].file == name)
                                apply_by_chance(&image, &events[i], &seed);
                write_image(&image, directory, names[name]);
                free(image.data);
        }
}
