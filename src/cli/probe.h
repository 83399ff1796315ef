/* SPDX-License-Identifier: Apache-2.0 */
/* `exchangefs probe`: what a server is, offers and demands, and why a sign-in fails. */
#pragma once

#include "cli/opts.h"
#include "store/survey.h"

/*
 * The exit code of a probe by OPTIONS, whose credentials_check() held; the report goes to stdout, a
 * sentence about options to stderr. 0 reachable, 1 refused or unreachable, 2 not understood, 3 not
 * Exchange nor any WebDAV. Blocks for the server, and for the person at a password prompt.
 */
int probe_run(const Options *options);

/* The report about SOURCE for a person, and as one JSON object. The caller frees it. */
char *probe_text(const char *source, const Survey *survey);
char *probe_json(const char *source, const Survey *survey);

/* Of the words in the report: "reachable", "refused", "unreachable", "not-exchange". */
const char *probe_verdict(const Survey *survey);
int probe_exit_code(const Survey *survey);
