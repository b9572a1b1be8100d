/* SPDX-License-Identifier: MIT */
#include "broker/requests.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void requests_init(requests_t *self, uint64_t seed)
{
    *self = (requests_t){.first_generation = (uint32_t)(seed % GENERATIONS)};
    list_init(&self->unused);
}

void requests_fini(requests_t *self)
{
    for (uint32_t i = 0; i < self->used; i++) {
        request_t *request =
            &self->pages[i / REQUESTS_A_PAGE][i % REQUESTS_A_PAGE];
        free(request->held);
        free(request->traced);
    }
    for (uint32_t i = 0; i < self->page_count; i++) {
        free(self->pages[i]);
    }
    free(self->pages);
}

static int add_page(requests_t *self)
{
    request_t **pages =
        realloc(self->pages, (self->page_count + 1) * sizeof *pages);
    if (pages == NULL) {
        return -ENOMEM;
    }
    self->pages = pages;
    pages[self->page_count] = calloc(REQUESTS_A_PAGE, sizeof **pages);
    if (pages[self->page_count] == NULL) {
        return -ENOMEM;
    }
    self->page_count++;
    return 0;
}

static request_t *take_fresh(requests_t *self)
{
    if (self->used == REQUESTS_MAX) {
        return NULL;
    }
    if (self->used == self->page_count * REQUESTS_A_PAGE &&
        add_page(self) < 0) {
        return NULL;
    }
    uint32_t index = self->used++;
    request_t *request =
        &self->pages[index / REQUESTS_A_PAGE][index % REQUESTS_A_PAGE];
    request->index = index;
    request->generation = self->first_generation;
    list_init(&request->link);
    wheel_node_init(&request->deadline);
    return request;
}

request_t *requests_take(requests_t *self)
{
    list_t *link = list_take(&self->unused);
    request_t *request =
        link != NULL ? list_entry(link, request_t, link) : take_fresh(self);

    if (request != NULL) {
        request->conn = NULL;
        request->worker = NULL;
        request->attempt = 0;
        request->letter = 0;
        request->is_again = false;
        request->is_answered = false;
    }
    return request;
}

void requests_give(requests_t *self, request_t *request)
{
    must(list_is_empty(&request->link));
    must(!wheel_is_armed(&request->deadline));
    must(request->traced == NULL);
    request_release_parts(request);
    request_renew(request);
    request->worker = NULL;
    request->conn = NULL;
    list_prepend(&self->unused, &request->link); /* the warm one first */
}

request_t *requests_find(const requests_t *self, uint64_t id)
{
    uint32_t index = (uint32_t)(id & (REQUESTS_MAX - 1));

    if (index >= self->used) {
        return NULL;
    }
    request_t *request =
        &self->pages[index / REQUESTS_A_PAGE][index % REQUESTS_A_PAGE];
    return request->generation == id >> 24 ? request : NULL;
}

void requests_each(requests_t *self, const gateway_t *gateway,
                   void (*fn)(void *user, request_t *request), void *user)
{
    for (uint32_t i = 0; i < self->used; i++) {
        request_t *request =
            &self->pages[i / REQUESTS_A_PAGE][i % REQUESTS_A_PAGE];
        if (request->conn != NULL && request->conn->gateway == gateway) {
            fn(user, request);
        }
    }
}

static uint8_t *put(uint8_t *to, wire_bytes_t bytes)
{
    if (bytes.len != 0) {
        memcpy(to, bytes.data, bytes.len);
    }
    return to + bytes.len;
}

int request_hold(request_t *self, const parts_t *parts)
{
    if (self->held != NULL) {
        return 0;
    }
    held_t *held = malloc(sizeof *held + parts->route.len +
                          parts->body.bytes.len + parts->details.len);
    if (held == NULL) {
        return -ENOMEM;
    }
    held->route_len = (uint32_t)parts->route.len;
    held->body_len = (uint32_t)parts->body.bytes.len;
    held->details_len = (uint32_t)parts->details.len;
    held->body_type = parts->body.type;
    uint8_t *to = put(held->bytes, parts->route);
    to = put(to, parts->body.bytes);
    (void)put(to, parts->details);
    self->held = held;
    return 0;
}

parts_t request_parts(const request_t *self)
{
    const held_t *held = self->held;
    const uint8_t *body = held->bytes + held->route_len;

    return (parts_t){
        .route = {held->bytes, held->route_len},
        .body = {held->body_type, {body, held->body_len}},
        .details = {body + held->body_len, held->details_len},
    };
}
