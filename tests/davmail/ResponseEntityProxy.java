/* SPDX-License-Identifier: Apache-2.0 */
/* DavMail 6 closes the answer to a WebDAV GET and reads its body afterwards. What did not fit into
 * the socket buffer is lost then, and the message with it. HttpClient hands each answer through the
 * class of this name; put before the library on the class path, this one reads the body whole while
 * the connection is open, and gives DavMail the copy. Nothing else changes.
 */
package org.apache.http.impl.execchain;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.http.HttpEntity;
import org.apache.http.HttpResponse;
import org.apache.http.entity.BufferedHttpEntity;

final class ResponseEntityProxy
{
  /* The spelling is HttpClient's. */
  static void enchance(HttpResponse answer, ConnectionHolder connection)
  {
    HttpEntity body = answer.getEntity();

    if (connection == null || body == null || !body.isStreaming())
      return;
    try {
      answer.setEntity(new BufferedHttpEntity(body));
    } catch (IOException failure) {
      connection.abortConnection();
      throw new UncheckedIOException(failure);
    }
    connection.releaseConnection();
  }
}
