/* SPDX-License-Identifier: MIT */
#include "broker/interests.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "broker/peers.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 256

/* A name that at least one gateway has. */
typedef struct {
    hashed_t hashed;
    list_t gateways; /* interest.of_name */
    uint32_t len;
    uint8_t type; /* name_type_t */
    uint8_t bytes[];
} name_t;

struct interest {
    list_t of_name, of_gateway;
    name_t *name;
    gateway_t *gateway;
    uint32_t joining; /* JOINs on their way */
    bool is_told;     /* the gateway says so itself */
};

/* --- names --------------------------------------------------------------- */

int name_type_of(wire_bytes_t word)
{
    return wire_is(word, "user")     ? (int)NAME_USER
           : wire_is(word, "tenant") ? (int)NAME_TENANT
           : wire_is(word, "group")  ? (int)NAME_GROUP
                                     : -EPROTO;
}

bool name_fits(name_type_t type, wire_bytes_t name)
{
    size_t max = type == NAME_USER     ? USER_MAX
                 : type == NAME_TENANT ? TENANT_MAX
                                       : GROUP_MAX;

    return name.len > 0 && name.len <= max;
}

static uint64_t hash_of(const core_t *core, name_type_t type, wire_bytes_t name)
{
    return hash_keyed(&core->names.key, name.data, name.len) + type;
}

static name_t *find(const core_t *core, name_type_t type, wire_bytes_t name)
{
    const table_t *table = &core->names.table;
    uint64_t hash = hash_of(core, type, name);

    for (hashed_t *at = table_first(table, hash); at != NULL;
         at = table_next(table, at)) {
        name_t *found = list_entry(at, name_t, hashed);
        if (found->type == type &&
            wire_equal((wire_bytes_t){found->bytes, found->len}, name)) {
            return found;
        }
    }
    return NULL;
}

static name_t *add(core_t *core, name_type_t type, wire_bytes_t text)
{
    name_t *name = malloc(sizeof *name + text.len);

    if (name == NULL) {
        return NULL;
    }
    name->type = (uint8_t)type;
    name->len = (uint32_t)text.len;
    memcpy(name->bytes, text.data, text.len);
    list_init(&name->gateways);
    table_add(&core->names.table, &name->hashed, hash_of(core, type, text));
    return name;
}

static void remove_if_unused(core_t *core, name_t *name)
{
    if (list_is_empty(&name->gateways)) {
        table_remove(&core->names.table, &name->hashed);
        free(name);
    }
}

/* --- a gateway's interest in one ----------------------------------------- */

static interest_t *find_of(const name_t *name, const gateway_t *gateway)
{
    list_foreach(node, &name->gateways) {
        interest_t *interest = list_entry(node, interest_t, of_name);
        if (interest->gateway == gateway) {
            return interest;
        }
    }
    return NULL;
}

static void make_keen(core_t *core, gateway_t *gateway)
{
    if (list_is_empty(&gateway->keen)) {
        list_append(&core->keen, &gateway->keen);
    }
}

/* Returns NULL when there are too many, or no memory: it is keen then. */
static interest_t *note(core_t *core, gateway_t *gateway, name_type_t type,
                        wire_bytes_t text)
{
    name_t *name = find(core, type, text);
    interest_t *interest = name != NULL ? find_of(name, gateway) : NULL;

    if (interest != NULL) {
        return interest;
    }
    if (gateway->interest_count < INTERESTS_MAX &&
        (name != NULL || (name = add(core, type, text)) != NULL)) {
        interest = calloc(1, sizeof *interest);
    }
    if (interest == NULL) {
        gateway->has_too_many = true;
        make_keen(core, gateway);
        if (name != NULL) {
            remove_if_unused(core, name);
        }
        return NULL;
    }
    interest->name = name;
    interest->gateway = gateway;
    list_append(&name->gateways, &interest->of_name);
    list_append(&gateway->interests, &interest->of_gateway);
    gateway->interest_count++;
    core->stats.names++;
    return interest;
}

static void drop_if_over(core_t *core, interest_t *interest)
{
    if (interest->is_told || interest->joining > 0) {
        return;
    }
    list_remove(&interest->of_name);
    list_remove(&interest->of_gateway);
    interest->gateway->interest_count--;
    core->stats.names--;
    remove_if_unused(core, interest->name);
    free(interest);
}

interest_t *interests_joining(core_t *core, gateway_t *gateway,
                              wire_bytes_t group)
{
    interest_t *interest = note(core, gateway, NAME_GROUP, group);

    if (interest != NULL) {
        interest->joining++;
    }
    return interest;
}

void interests_joined(core_t *core, interest_t *interest)
{
    interest->joining--;
    drop_if_over(core, interest);
}

/* --- what a gateway tells ------------------------------------------------ */

static void forget_told(core_t *core, gateway_t *gateway)
{
    list_foreach_safe(node, &gateway->interests) {
        interest_t *interest = list_entry(node, interest_t, of_gateway);
        interest->is_told = false;
        drop_if_over(core, interest);
    }
}

static void came(core_t *core, gateway_t *gateway, name_type_t type,
                 wire_bytes_t name)
{
    interest_t *interest = note(core, gateway, type, name);

    if (interest != NULL) {
        interest->is_told = true;
    }
}

static void left(core_t *core, gateway_t *gateway, name_type_t type,
                 wire_bytes_t text)
{
    name_t *name = find(core, type, text);
    interest_t *interest = name != NULL ? find_of(name, gateway) : NULL;

    if (interest != NULL) {
        interest->is_told = false;
        drop_if_over(core, interest);
    }
}

/* [type, name] */
static int take_one(core_t *core, gateway_t *gateway, uint64_t change,
                    wire_cursor_t *in)
{
    wire_bytes_t word, name;
    uint32_t count;

    if (wire_get_array(in, &count) < 0 || count < 2 ||
        wire_get_str(in, &word) < 0 || wire_get_str(in, &name) < 0) {
        return -EPROTO;
    }
    int type = name_type_of(word);
    if (type < 0 || !name_fits((name_type_t)type, name)) {
        return -EPROTO;
    }
    if (change == INTEREST_LEFT) {
        left(core, gateway, (name_type_t)type, name);
    } else {
        came(core, gateway, (name_type_t)type, name);
    }
    return 0;
}

/* The first part of a list takes back all that was told before. */
static void begin_part(core_t *core, gateway_t *gateway)
{
    if (!gateway->is_naming) {
        forget_told(core, gateway);
        gateway->has_too_many = false;
        make_keen(core, gateway);
    }
}

static void end_part(gateway_t *gateway, bool more)
{
    gateway->is_naming = more;
    if (!more && !gateway->has_too_many) {
        list_remove(&gateway->keen);
    }
}

void interests_take(core_t *core, gateway_t *gateway,
                    const message_interest_t *interest)
{
    wire_cursor_t in = wire_cursor(interest->names);
    bool is_list = interest->change == INTEREST_LIST;
    uint32_t count = 0;
    int bad = 0;

    if (interest->session != 0 && interest->session != gateway->session) {
        return; /* made before it heard that it had been given up */
    }
    if (interest->change > INTEREST_LEFT) {
        peer_fault(core, gateway->peer, "malformed",
                   "the change of the INTEREST");
        return;
    }
    if (is_list) {
        begin_part(core, gateway);
    }
    (void)wire_get_array(&in, &count);
    for (uint32_t i = 0; i < count; i++) {
        wire_bytes_t raw; /* one name, so that a wrong one shifts no other */
        must(wire_get_raw(&in, &raw) == 0); /* the codec has read the array */
        wire_cursor_t line = wire_cursor(raw);
        bad += take_one(core, gateway, interest->change, &line) < 0;
    }
    if (bad > 0) {
        peer_fault(core, gateway->peer, "malformed", "a name of the INTEREST");
    }
    if (is_list) {
        end_part(gateway, interest->more);
    }
}

/* --- whom a push is for -------------------------------------------------- */

static void target(gateway_t *gateway, list_t *targeted)
{
    if (gateway->peer != NULL && list_is_empty(&gateway->targeted)) {
        list_append(targeted, &gateway->targeted);
    }
}

void interests_target(core_t *core, name_type_t type, wire_bytes_t name,
                      list_t *targeted)
{
    const name_t *found = find(core, type, name);

    if (found != NULL) {
        list_foreach(node, &found->gateways) {
            target(list_entry(node, interest_t, of_name)->gateway, targeted);
        }
    }
    list_foreach(node, &core->keen) {
        target(list_entry(node, gateway_t, keen), targeted);
    }
}

static gateway_t *lower(gateway_t *best, gateway_t *other, uint32_t loop)
{
    bool is_fit = other->peer != NULL && other->loop >= loop;

    return is_fit && (best == NULL || other->loop < best->loop) ? other : best;
}

gateway_t *interests_next(const core_t *core, name_type_t type,
                          wire_bytes_t name, uint32_t loop)
{
    const name_t *found = find(core, type, name);
    gateway_t *best = NULL;

    if (found != NULL) {
        list_foreach(node, &found->gateways) {
            best = lower(best, list_entry(node, interest_t, of_name)->gateway,
                         loop);
        }
    }
    list_foreach(node, &core->keen) {
        best = lower(best, list_entry(node, gateway_t, keen), loop);
    }
    return best;
}

/* --- life ---------------------------------------------------------------- */

void interests_start(core_t *core, gateway_t *gateway)
{
    list_init(&gateway->interests);
    list_init(&gateway->keen);
    make_keen(core, gateway);
}

void interests_end(core_t *core, gateway_t *gateway)
{
    list_remove(&gateway->keen);
    forget_told(core, gateway);
    must(list_is_empty(&gateway->interests)); /* no JOIN is on its way */
}

void interests_doubt(core_t *core, gateway_t *gateway)
{
    gateway->is_naming = false;
    make_keen(core, gateway);
}

void interests_init(core_t *core)
{
    names_t *names = &core->names;

    list_init(&core->keen);
    rand_bytes(&names->key, sizeof names->key);
    must(table_init(&names->table, FIRST_BUCKETS) == 0);
}

void interests_fini(core_t *core)
{
    must(core->names.table.count == 0);
    table_fini(&core->names.table);
}
