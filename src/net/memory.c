/* SPDX-License-Identifier: Apache-2.0 */
/* Owns libcurl's memory: wiped when freed, and its strings left out of core dumps. */
#include "net/memory.h"

#include "base/rule.h"
#include "base/secret.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A request's head stands at the beginning of its buffer; the rest of a long one is content. */
#define WIPE_MAX ((gsize)16 * 1024)

/* For strings: a connection that is signed in by NTLM keeps the password as one while it lives. */
#define SLOT ((gsize)512)
#define SLOTS ((gsize)8192)

static struct {
  GMutex lock;
  char *base;   /* SLOTS of SLOT bytes, touched as they are used; constant once set; NULL: none */
  gsize used;   /* lock: slots that were ever taken */
  char *unused; /* lock: one that was given back; the next stands in it */
} pool;

static gboolean is_pooled(const void *block)
{
  return pool.base && (const char *)block >= pool.base &&
         (const char *)block < pool.base + SLOTS * SLOT;
}

static char *pool_take(void)
{
  char *slot = NULL;
  g_mutex_lock(&pool.lock);
  if (pool.unused) {
    slot = pool.unused;
    memcpy(&pool.unused, slot, sizeof pool.unused);
  } else if (pool.base && pool.used < SLOTS) {
    slot = pool.base + pool.used++ * SLOT;
  }
  g_mutex_unlock(&pool.lock);
  return slot;
}

static void pool_give(char *slot)
{
  secret_wipe(slot, SLOT);
  g_mutex_lock(&pool.lock);
  memcpy(slot, &pool.unused, sizeof pool.unused);
  pool.unused = slot;
  g_mutex_unlock(&pool.lock);
}

static gsize block_size(void *block)
{
  return is_pooled(block) ? SLOT : malloc_usable_size(block);
}

static void wiping_free(void *block)
{
  if (is_pooled(block)) {
    pool_give(block);
    return;
  }
  if (block)
    secret_wipe(block, MIN(malloc_usable_size(block), WIPE_MAX));
  free(block);
}

static void *wiping_realloc(void *block, size_t size)
{
  gsize have = block ? block_size(block) : 0;
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

static char *hidden_strdup(const char *text)
{
  gsize size = strlen(text) + 1;
  char *copy = size <= SLOT ? pool_take() : NULL;
  if (!copy)
    copy = malloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

void memory_init_curl(void)
{
  void *base = mmap(NULL, SLOTS * SLOT, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base != MAP_FAILED && RULE("net-hidden-strings")) {
    (void)madvise(base, SLOTS * SLOT, MADV_DONTDUMP);
    pool.base = base;
  }
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, hidden_strdup,
                       calloc);
}
