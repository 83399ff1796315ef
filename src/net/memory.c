/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the wiping of libcurl's memory; leaves where a password comes from to config.c. */
#include "net/memory.h"

#include "base/secret.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* A request's head stands at the beginning of its buffer; the rest of a long one is content. */
#define WIPE_MAX ((gsize)16 * 1024)

static void wiping_free(void *block)
{
  if (block)
    secret_wipe(block, MIN(malloc_usable_size(block), WIPE_MAX));
  free(block);
}

static void *wiping_realloc(void *block, size_t size)
{
  gsize have = block ? malloc_usable_size(block) : 0;
  if (block && size <= have)
    return block;
  void *larger = malloc(size);
  if (!larger)
    return NULL;
  if (block)
    memcpy(larger, block, have);
  wiping_free(block);
  return larger;
}

void memory_init_curl(void)
{
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc);
}
