/* SPDX-License-Identifier: MIT
 *
 * redis://… and rediss://… as docs/stores.md describes them.  Pure.
 */
#ifndef STORE_REDIS_URL_H
#define STORE_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDIS_HOSTS_MAX    16
#define REDIS_HOST_TEXT    254 /* with its NUL, as the texts below */
#define REDIS_USER_TEXT    256
#define REDIS_SECRET_TEXT  1024
#define REDIS_PREFIX_TEXT  65
#define REDIS_MASTER_TEXT  128
#define REDIS_PATH_TEXT    1024
#define REDIS_ADDRESS_TEXT (REDIS_HOST_TEXT + 8) /* [host]:port */

typedef struct {
    char host[REDIS_HOST_TEXT]; /* a name or an address, without brackets */
    uint16_t port;
} redis_host_t;

typedef enum {
    REDIS_AUTO,     /* ask whether it is a cluster */
    REDIS_PLAIN,    /* the hosts are one server and its replicas */
    REDIS_CLUSTER,  /* they are some nodes of a cluster */
    REDIS_SENTINEL, /* they are sentinels that watch `master` */
} redis_mode_t;

typedef struct {
    redis_mode_t mode;
    redis_host_t hosts[REDIS_HOSTS_MAX];
    size_t host_count;
    char user[REDIS_USER_TEXT];          /* "": the default user */
    char password[REDIS_SECRET_TEXT];    /* "": none */
    char password_file[REDIS_PATH_TEXT]; /* "": none */
    uint32_t db;
    char prefix[REDIS_PREFIX_TEXT]; /* of every key */
    char master[REDIS_MASTER_TEXT];
    bool has_tls;
    char ca[REDIS_PATH_TEXT]; /* "": those that the system trusts */
    char certificate[REDIS_PATH_TEXT], key[REDIS_PATH_TEXT];
} redis_url_t;

/*
 * Returns 0, or -EINVAL with one line in `error`, which never holds what stands
 * before an @.
 */
int redis_url_parse(const char *text, redis_url_t *url, char *error,
                    size_t error_size);

/* host:port, or [host]:port where the host has colons. */
void redis_host_format(const redis_host_t *host, char text[REDIS_ADDRESS_TEXT]);

/* For the log: scheme and hosts. */
void redis_url_name(const redis_url_t *url, char *text, size_t size);

/*
 * The password: the first line of password_file, or what stands in the URL.
 * Returns 0, or -errno when the file cannot be read.
 */
int redis_url_secret(const redis_url_t *url, char secret[REDIS_SECRET_TEXT]);

#endif
