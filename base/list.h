/* SPDX-License-Identifier: MIT
 *
 * An intrusive doubly linked ring.  A node is a list of its own when it is
 * in none, so removal needs no owner and is harmless twice.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list {
    struct list *prev, *next; /* borrowed: neighbours, or itself */
} list_t;

/* The struct of type `type` whose member `member` is *node. */
#define list_entry(node, type, member)                                         \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

#define list_foreach(node, head)                                               \
    for (list_t *node = (head)->next; node != (head); node = node->next)

/* As list_foreach, but *node may be removed or freed inside the loop. */
#define list_foreach_safe(node, head)                                          \
    for (list_t *node = (head)->next, *after_ = node->next; node != (head);    \
         node = after_, after_ = node->next)

/* The same, from the last node to the first. */
#define list_foreach_back_safe(node, head)                                     \
    for (list_t *node = (head)->prev, *before_ = node->prev; node != (head);   \
         node = before_, before_ = node->prev)

static inline void list_init(list_t *self)
{
    self->prev = self->next = self;
}

static inline bool list_is_empty(const list_t *self)
{
    return self->next == self;
}

/* Put node at the end of the list; node must be in none. */
static inline void list_append(list_t *self, list_t *node)
{
    node->prev = self->prev;
    node->next = self;
    self->prev->next = node;
    self->prev = node;
}

static inline void list_prepend(list_t *self, list_t *node)
{
    list_append(self->next, node);
}

static inline void list_remove(list_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, still linked, or NULL when empty. */
static inline list_t *list_peek(const list_t *self)
{
    return list_is_empty(self) ? NULL : self->next;
}

/* The first node, unlinked, or NULL when empty. */
static inline list_t *list_take(list_t *self)
{
    list_t *node = list_peek(self);
    if (node != NULL) {
        list_remove(node);
    }
    return node;
}

#endif
