/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which build is which Exchange (protocol note WebDAV, section 1.1). Pure. */
#include "store/webdav/private.h"

/* In order; a build is the last row of its major and minor that is not above it. */
static const struct {
  guint major, minor, build;
  const char *name;
} releases[] = {
    {5, 5, 0, "Exchange 5.5"},         {6, 0, 0, "Exchange 2000"},
    {6, 0, 4712, "Exchange 2000 SP1"}, {6, 0, 5762, "Exchange 2000 SP2"},
    {6, 0, 6249, "Exchange 2000 SP3"}, {6, 5, 0, "Exchange 2003"},
    {6, 5, 7226, "Exchange 2003 SP1"}, {6, 5, 7638, "Exchange 2003 SP2"},
    {8, 0, 0, "Exchange 2007"},        {8, 1, 0, "Exchange 2007 SP1"},
    {8, 2, 0, "Exchange 2007 SP2"},    {8, 3, 0, "Exchange 2007 SP3"},
    {14, 0, 0, "Exchange 2010"},       {14, 1, 0, "Exchange 2010 SP1"},
    {14, 2, 0, "Exchange 2010 SP2"},   {14, 3, 0, "Exchange 2010 SP3"},
    {15, 0, 0, "Exchange 2013"},       {15, 1, 0, "Exchange 2016"},
    {15, 2, 0, "Exchange 2019"},
};

const char *dav_release(const char *build)
{
  guint64 numbers[3] = {0};
  char *at = (char *)build;
  for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
    if (i > 0 && *at == '.')
      at++;
    if (!g_ascii_isdigit(*at) && i < 2)
      return NULL;
    numbers[i] = g_ascii_strtoull(at, &at, 10); /* 2007 writes 08.01.10240 */
  }
  const char *name = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(releases); i++)
    if (releases[i].major == numbers[0] && releases[i].minor == numbers[1] &&
        releases[i].build <= numbers[2])
      name = releases[i].name;
  return name;
}
