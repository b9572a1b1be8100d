/* SPDX-License-Identifier: MIT */
#include "store/redis_reader.h"

#include <errno.h>

/* hiredis allocates what the head of an array announces, before an element has
 * come. */
static int count_elements(const redisReadTask *task, size_t elements)
{
    redis_reader_t *self = task->privdata;

    if (elements > REDIS_ELEMENTS_MAX - self->elements) {
        return -ENOBUFS;
    }
    self->elements += elements;
    return 0;
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t elements)
#else
static void *create_array(const redisReadTask *task, int elements)
#endif
{
    const redis_reader_t *self = task->privdata;

    if (count_elements(task, (size_t)elements) < 0) {
        return NULL; /* hiredis calls it out of memory */
    }
    return self->plain->createArray(task, elements);
}

int redis_reader_init(redis_reader_t *self)
{
    self->elements = self->bytes = 0;
    self->reader = redisReaderCreate();
    if (self->reader == NULL) {
        return -ENOMEM;
    }
    self->plain = self->reader->fn;
    self->bounded = *self->plain;
    self->bounded.createArray = create_array;
    self->reader->fn = &self->bounded;
    self->reader->privdata = self;
    return 0;
}

void redis_reader_fini(redis_reader_t *self)
{
    if (self->reader != NULL) {
        redisReaderFree(self->reader);
        self->reader = NULL;
    }
}

int redis_reader_feed(redis_reader_t *self, const void *bytes, size_t len)
{
    if (self->bytes + len > REDIS_REPLY_MAX) {
        return -EPROTO;
    }
    self->bytes += len;
    return redisReaderFeed(self->reader, bytes, len) == REDIS_OK ? 0 : -ENOMEM;
}

int redis_reader_next(redis_reader_t *self, redisReply **reply)
{
    void *whole = NULL;

    if (redisReaderGetReply(self->reader, &whole) != REDIS_OK) {
        return -EPROTO;
    }
    if (whole == NULL) {
        return 0;
    }
    self->elements = 0;
    self->bytes = 0; /* what is left is less than one feed */
    *reply = whole;
    return 1;
}
