/* SPDX-License-Identifier: Apache-2.0 */
/* The program: what main() calls. */
#pragma once

/*
 * Runs the command line; answers the exit code: 0 done (or mounted, in the background), 1 it did
 * not work, 2 it was not understood. Each failure is one sentence on stderr.
 */
int cli_main(int argc, char **argv);
