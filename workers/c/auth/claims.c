/* SPDX-License-Identifier: MIT */
#include "workers/c/auth/claims.h"

#include "workers/c/auth/json_text.h"
#include "workers/c/words.h"

#include <stdlib.h>

/* --- one claim ------------------------------------------------------------ */

const json_t *claims_find(const json_t *claims, hoist_text name)
{
    if (name.len == 0 || name.data[0] != '/') {
        return json_object_getn(claims, name.data, name.len);
    }
    while (claims != NULL && name.len > 0) {
        const char *step = name.data + 1;
        size_t left = name.len - 1;
        const char *slash = memchr(step, '/', left);
        size_t len = slash != NULL ? (size_t)(slash - step) : left;
        claims = json_object_getn(claims, step, len);
        name = hoist_bytes(step + len, left - len);
    }
    return claims;
}

/* --- texts ---------------------------------------------------------------- */

static bool is_word(hoist_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 127) {
            return false;
        }
    }
    return text.len > 0;
}

/* Room for the words of an array with a blank behind each; 0 when one is no
 * text. */
static size_t room_for(const json_t *array)
{
    const json_t *each;
    size_t i, room = 1;

    json_array_foreach(array, i, each)
    {
        if (!json_is_string(each)) {
            return 0;
        }
        room += json_string_length(each) + 1;
    }
    return room;
}

static char *join(const json_t *array, size_t room)
{
    char *text = calloc(1, room);
    const json_t *each;
    size_t i, len = 0;

    json_array_foreach(array, i, each)
    {
        hoist_text word = json_text(each);
        if (text == NULL || word.data == NULL || !is_word(word)) {
            continue;
        }
        if (len > 0) {
            text[len++] = ' ';
        }
        memcpy(text + len, word.data, word.len);
        len += word.len;
    }
    return text;
}

/* text, or nothing where it is too long. */
static char *within_limit(char *text)
{
    if (text != NULL && strlen(text) > CLAIM_TEXT_MAX) {
        free(text);
        return NULL;
    }
    return text;
}

char *claims_words(const json_t *claim)
{
    size_t room = json_is_array(claim) ? room_for(claim) : 0;

    if (json_is_string(claim)) {
        return within_limit(strdup(json_string_value(claim)));
    }
    return room > 0 ? within_limit(join(claim, room)) : NULL;
}

char *claims_text(const json_t *claim)
{
    char *text = claims_words(claim);

    return text != NULL || json_is_string(claim)
               ? text
               : within_limit(
                     json_dumps(claim, JSON_COMPACT | JSON_ENCODE_ANY));
}

/* --- all of them ---------------------------------------------------------- */

/* A time of a claim; false when it is there and is no number. */
static bool read_time(const json_t *claims, const char *name, bool *is_there,
                      double *seconds)
{
    const json_t *claim = json_object_get(claims, name);

    *is_there = claim != NULL;
    *seconds = json_number_value(claim);
    return claim == NULL || json_is_number(claim);
}

static token_verdict_t check_times(const json_t *claims,
                                   const claim_rules_t *rules, int64_t now_s)
{
    double exp, nbf, iat, now = (double)now_s, leeway = (double)rules->leeway_s;
    bool has_exp, has_nbf, has_iat;

    if (!read_time(claims, "exp", &has_exp, &exp) ||
        !read_time(claims, "nbf", &has_nbf, &nbf) ||
        !read_time(claims, "iat", &has_iat, &iat) ||
        (!has_exp && !rules->may_last) || (!has_iat && rules->max_age_s > 0)) {
        return TOKEN_CLAIMS;
    }
    if ((has_exp && now >= exp + leeway) ||
        (rules->max_age_s > 0 &&
         now >= iat + (double)rules->max_age_s + leeway)) {
        return TOKEN_EXPIRED;
    }
    /* One that is still to be made would never be too old. */
    return (has_nbf && now + leeway < nbf) ||
                   (rules->max_age_s > 0 && now + leeway < iat)
               ? TOKEN_EARLY
               : TOKEN_RIGHT;
}

/* A token that says whom it is for is for nobody else. */
static bool is_for_us(const json_t *audience, hoist_text us)
{
    const json_t *each;
    size_t i;

    if (hoist_is(us, "*")) {
        return true;
    }
    if (audience == NULL) {
        return us.len == 0;
    }
    if (json_is_string(audience)) {
        return words_have(us, json_text(audience));
    }
    json_array_foreach(audience, i, each)
    {
        if (words_have(us, json_text(each))) {
            return true;
        }
    }
    return false;
}

static bool has_required(const json_t *claims, hoist_text required)
{
    hoist_text name;

    while ((name = words_take(&required)).data != NULL) {
        const json_t *claim = claims_find(claims, name);
        if (claim == NULL || json_is_null(claim)) {
            return false;
        }
    }
    return true;
}

token_verdict_t claims_check(const json_t *claims, const claim_rules_t *rules,
                             int64_t now_s)
{
    const json_t *issuer = json_object_get(claims, "iss");
    token_verdict_t verdict = check_times(claims, rules, now_s);

    if (verdict != TOKEN_RIGHT) {
        return verdict;
    }
    if (rules->issuer.data != NULL &&
        !(json_is_string(issuer) &&
          hoist_equal(json_text(issuer), rules->issuer))) {
        return TOKEN_ISSUER;
    }
    if (!is_for_us(json_object_get(claims, "aud"), rules->audience)) {
        return TOKEN_AUDIENCE;
    }
    return has_required(claims, rules->required) ? TOKEN_RIGHT : TOKEN_CLAIMS;
}
