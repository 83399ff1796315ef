/* SPDX-License-Identifier: Apache-2.0 */
/* Owns nothing: the program is cli/, so that tests reach all of it. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
  return cli_main(argc, argv);
}
