/* SPDX-License-Identifier: MIT */
#include "manage/fault.h"

#define BAD_REQUEST "BadRequestException"
#define FORBIDDEN   "ForbiddenException"
#define LIMIT       "LimitExceededException"
#define SIGNATURE   "InvalidSignatureException"

const fault_t fault_id = {400, BAD_REQUEST, "Invalid connectionId: %s"};
const fault_t fault_name = {400, BAD_REQUEST, "Invalid name: %s"};
const fault_t fault_close = {400, BAD_REQUEST,
                             "Invalid close code or reason: %s"};
const fault_t fault_syntax = {400, BAD_REQUEST, "Invalid escape in the URL"};
const fault_t fault_forbidden = {403, FORBIDDEN, "Forbidden"};
const fault_t fault_length = {411, "LengthRequiredException",
                              "Content-Length is required"};
const fault_t fault_too_large = {413, "PayloadTooLargeException",
                                 "Request Too Long"};
const fault_t fault_gone = {410, "GoneException", "Gone"};
const fault_t fault_slow = {429, LIMIT, "The client's buffer is full"};
const fault_t fault_busy = {429, LIMIT, "Too Many Requests"};
const fault_t fault_down = {503, "ServiceUnavailableException",
                            "Service Unavailable"};
const fault_t fault_late = {504, "GatewayTimeoutException",
                            "Endpoint request timed out"};
const fault_t fault_memory = {500, "InternalServerErrorException",
                              "Internal server error"};

const fault_t fault_no_credentials = {
    403, "MissingAuthenticationTokenException", "Missing Authentication Token"};
const fault_t fault_bad_credentials = {
    403, "IncompleteSignatureException",
    "Authorization needs Credential, Signature and SignedHeaders, of which host "
    "and x-amz-date are two"};
const fault_t fault_skewed = {403, SIGNATURE, "Signature expired"};
const fault_t fault_signature = {
    403, SIGNATURE,
    "The request signature we calculated does not match the signature you "
    "provided"};
const fault_t fault_token = {403, FORBIDDEN, "Forbidden"};
const fault_t fault_replayed = {
    403, SIGNATURE, "This signature was used before: sign the request anew"};
const fault_t fault_too_many_signed = {429, LIMIT, "Too Many Requests"};
