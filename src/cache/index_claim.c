/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns claims: rows that one of our calls is changing on the server, and questions about single
 * rows that are on their way. What the server says of a row while it is being changed may be from
 * before or after, so it is not believed. Leaves the change itself to index_change.c.
 */
#include "cache/index_private.h"

#include "base/rule.h"

gboolean is_claimed(const Index *index, gint64 ino)
{
  return g_hash_table_contains(index->claims, &ino) && RULE("index-claims");
}

/* Listings leave the row as it is from now to their end, however early the claim ends. */
static void tell_listings(Index *index, gint64 ino)
{
  g_auto(Node) node;
  node_init(&node);
  if (index->listings->len > 0 && RULE("index-claims") &&
      row_get(index, ino, &node, NULL) == ROW_FOUND)
    listing_note_written(index, node.parent, ino, NULL);
}

void index_claim(Index *index, gint64 ino)
{
  g_mutex_lock(&index->lock);
  g_hash_table_add(index->claims, g_memdup2(&ino, sizeof ino));
  for (guint i = 0; i < index->questions->len; i++) {
    IndexQuestion *question = g_ptr_array_index(index->questions, i);
    question->overtaken |= question->ino == ino && RULE("index-claims");
  }
  tell_listings(index, ino);
  g_mutex_unlock(&index->lock);
}

void index_unclaim(Index *index, gint64 ino)
{
  g_mutex_lock(&index->lock);
  g_hash_table_remove(index->claims, &ino);
  g_mutex_unlock(&index->lock);
}

void claims_join_listing(Index *index)
{
  GHashTableIter iter;
  gpointer ino;
  g_hash_table_iter_init(&iter, index->claims);
  while (g_hash_table_iter_next(&iter, &ino, NULL))
    tell_listings(index, *(const gint64 *)ino);
}

void index_ask(Index *index, gint64 ino, IndexQuestion *question)
{
  g_mutex_lock(&index->lock);
  *question = (IndexQuestion){.ino = ino, .overtaken = is_claimed(index, ino)};
  g_ptr_array_add(index->questions, question);
  g_mutex_unlock(&index->lock);
}

void index_unask(Index *index, IndexQuestion *question)
{
  g_mutex_lock(&index->lock);
  g_ptr_array_remove_fast(index->questions, question);
  g_mutex_unlock(&index->lock);
}
