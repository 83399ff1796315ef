# SPDX-License-Identifier: Apache-2.0
"""The other client: plain DAV requests straight to the server, as somebody else would send them."""
import base64
import http.client
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

# What a message or document is, as far as reading could disturb it.
WATCHED = ("DAV:getetag DAV:getlastmodified DAV:getcontentlength urn:schemas:httpmail:read "
           "http://schemas.microsoft.com/repl/resourcetag "
           "http://schemas.microsoft.com/repl/contenttag").split()


class Answer:
    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.headers = {k.lower(): v for k, v in response.getheaders()}

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:500]!r}>"


def split_name(name):
    """{namespace}local of a property's full name."""
    if name.startswith("DAV:"):
        return "{DAV:}" + name[4:]
    cut = max(name.rfind("/"), name.rfind(":")) + 1
    return "{%s}%s" % (name[:cut], name[cut:])


class Dav:
    """PATH arguments are decoded, below the mailbox; a str starting with '%' + ':' is sent as is."""

    def __init__(self, url, user=None, password=None):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.root = parts.hostname, parts.port, parts.path
        self.origin = f"http://{parts.netloc}"
        self.auth = None
        if user:
            self.auth = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def path(self, name):
        if isinstance(name, bytes):
            return self.root + urllib.parse.quote_from_bytes(name, safe="/:;=@!$'()*,+")
        if name.startswith("/"):
            return name
        return self.root + urllib.parse.quote(name, safe="/:;=@!$'()*,+")

    def request(self, method, name="", body=None, timeout=60, **headers):
        """NAME: below the mailbox and not escaped; with a leading '/' a ready path of the server."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        fields = {"Translate": "f", "Accept-Language": "en"}
        if self.auth:
            fields["Authorization"] = self.auth
        fields.update({k.replace("_", "-"): v for k, v in headers.items()})
        try:
            connection.request(method, self.path(name), body, fields)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def expect(self, statuses, *args, **kw):
        answer = self.request(*args, **kw)
        assert answer.status in statuses, f"{args[:2]}: {answer!r}"
        return answer

    def get(self, name):
        return self.expect((200,), "GET", name).body

    def put(self, name, body, **headers):
        if isinstance(name, str) and name.lower().endswith(".eml"):
            headers.setdefault("Content_Type", "message/rfc822")
        return self.expect((200, 201, 204), "PUT", name, body, **headers)

    def mkcol(self, name):
        return self.expect((200, 201, 207), "MKCOL", name + "/")

    def delete(self, name):
        return self.expect((200, 204), "DELETE", name)

    def move(self, name, to):
        return self.expect((201, 204, 207), "MOVE", name, Destination=self.origin + self.path(to),
                           Overwrite="T")

    def exists(self, name):
        return self.request("PROPFIND", name, Depth="0").status == 207

    def propfind(self, name="", depth="1", props=("DAV:getetag",)):
        """{href: {property: text}} of what has status 200."""
        wanted = "".join('<p:%s xmlns:p="%s"/>' % (n.split("}")[1], n[1:].split("}")[0])
                         for n in map(split_name, props))
        body = f'<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop>{wanted}</d:prop></d:propfind>'
        answer = self.expect((207,), "PROPFIND", name, body, Depth=depth, Content_Type="text/xml")
        text = re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"?", answer.body)
        found = {}
        for response in ElementTree.fromstring(text).iter("{DAV:}response"):
            values = {}
            for propstat in response.iter("{DAV:}propstat"):
                if "200" in (propstat.findtext("{DAV:}status") or "200"):
                    for prop in propstat.iter("{DAV:}prop"):
                        values.update({p.tag: "".join(p.itertext()) for p in prop})
            if "{DAV:}getetag" in values:  # Apache calls a tag weak for a second
                values["{DAV:}getetag"] = values["{DAV:}getetag"].removeprefix("W/")
            href = urllib.parse.urlsplit(response.findtext("{DAV:}href").strip()).path
            found[urllib.parse.unquote(href)] = values
        return found

    def snapshot(self, *folders):
        """What a reader could have disturbed in FOLDERS, to be compared with a later one."""
        return {folder: self.propfind(folder + "/" if folder else "", "1", WATCHED)
                for folder in folders}

    def proppatch(self, name, prop, value):
        tag = split_name(prop)
        body = ('<?xml version="1.0"?><d:propertyupdate xmlns:d="DAV:"><d:set><d:prop>'
                '<p:%s xmlns:p="%s">%s</p:%s></d:prop></d:set></d:propertyupdate>'
                % (tag.split("}")[1], tag[1:].split("}")[0], value, tag.split("}")[1]))
        return self.expect((200, 207), "PROPPATCH", name, body, Content_Type="text/xml")
