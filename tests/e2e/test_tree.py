# SPDX-License-Identifier: Apache-2.0
"""Moving, removing, making folders, and what POSIX offers that a mailbox does not."""
import pytest
from xfse2e import samples

pytestmark = pytest.mark.core


def test_rename_within_a_folder(server, mounted):
    server.client.put("work/a.txt", b"a\n")
    mounted.sh("mv work/a.txt work/b.txt")
    assert mounted.names("work") == ["b.txt"]
    assert server.client.get("work/b.txt") == b"a\n" and not server.client.exists("work/a.txt")
    assert mounted.read("work/b.txt") == b"a\n"


def test_move_between_folders(server, mounted):
    server.client.mkcol("work/to")
    server.client.put("work/m.eml", samples.message(7))
    body = server.client.get("work/m.eml")
    with server.counting() as c:
        mounted.sh("mv work/m.eml work/to/")
    assert c.methods["MOVE"] == 1 and not c.methods["PUT"]
    assert mounted.names("work/to") == ["m.eml"] and mounted.names("work") == ["to"]
    assert server.client.get("work/to/m.eml") == body == mounted.read("work/to/m.eml")


def test_move_over_an_existing_file(server, mounted):
    server.client.put("work/a.txt", b"new\n")
    server.client.put("work/b.txt", b"old\n")
    mounted.sh("mv -f work/a.txt work/b.txt")
    assert mounted.names("work") == ["b.txt"]
    assert server.client.get("work/b.txt") == b"new\n" == mounted.read("work/b.txt")


def test_rename_noreplace_is_honoured(server, mounted):
    server.client.put("work/a.txt", b"a\n")
    server.client.put("work/b.txt", b"b\n")
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, b'work/a.txt', -100, b'work/b.txt', %d):
    e = ctypes.get_errno(); raise OSError(e, '')"""
    assert mounted.errno_of(code % 1) == "EEXIST"
    assert mounted.errno_of(code % 2) == "EINVAL"
    assert server.client.get("work/b.txt") == b"b\n" and server.client.get("work/a.txt") == b"a\n"
    assert mounted.errno_of((code % 1).replace("b.txt", "c.txt")) == "OK"
    assert server.client.get("work/c.txt") == b"a\n"


def test_rename_noreplace_sees_what_others_made(server, mount):
    """The kernel knows no b.txt, the server does: it is not replaced."""
    server.client.put("work/a.txt", b"a\n")
    with mount(server, attr_ttl=60) as m:
        assert m.names("work") == ["a.txt"]
        server.client.put("work/b.txt", b"theirs\n")
        assert m.errno_of("""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, b'work/a.txt', -100, b'work/b.txt', 1):
    e = ctypes.get_errno(); raise OSError(e, '')""") == "EEXIST"
    assert server.client.get("work/b.txt") == b"theirs\n"
    assert server.client.get("work/a.txt") == b"a\n"


def test_rename_of_an_open_file_keeps_the_handle(server, mounted):
    server.client.put("work/a.txt", b"text\n")
    mounted.python("""
f = open('work/a.txt', 'r+')
os.rename('work/a.txt', 'work/b.txt')
assert f.read() == 'text\\n'
f.write('more\\n'); f.close()""")
    assert server.client.get("work/b.txt") == b"text\nmore\n"
    assert mounted.names("work") == ["b.txt"]


def test_rename_of_a_folder_moves_all_it_holds(server, mounted):
    server.client.mkcol("work/d")
    server.client.mkcol("work/d/sub")
    server.client.put("work/d/sub/f.txt", b"deep\n")
    assert mounted.read("work/d/sub/f.txt") == b"deep\n"
    mounted.sh("mv work/d work/e")
    assert mounted.read("work/e/sub/f.txt") == b"deep\n"
    assert server.client.get("work/e/sub/f.txt") == b"deep\n" and not server.client.exists("work/d/")
    mounted.write("work/e/sub/g.txt", b"new\n")
    assert server.client.get("work/e/sub/g.txt") == b"new\n"


def test_rename_of_a_folder_into_itself(server, mounted):
    server.client.mkcol("work/d")
    assert mounted.errno_of("os.rename('work/d', 'work/d/e')") == "EINVAL"
    assert mounted.names("work") == ["d"]


def test_rename_over_a_folder(server, mounted):
    server.client.mkcol("work/d")
    server.client.mkcol("work/full")
    server.client.put("work/full/x.txt", b"x")
    server.client.put("work/f.txt", b"f")
    assert mounted.errno_of("os.rename('work/f.txt', 'work/d')") == "EISDIR"
    assert mounted.errno_of("os.rename('work/d', 'work/f.txt')") == "ENOTDIR"
    assert mounted.errno_of("os.rename('work/d', 'work/full')") in ("ENOTEMPTY", "EEXIST")
    assert server.client.get("work/full/x.txt") == b"x" and server.client.get("work/f.txt") == b"f"


def test_mkdir_p_and_rm_r(server, mounted):
    mounted.sh("mkdir -p work/a/b/c/d; echo x > work/a/b/c/d/f.txt; echo y > work/a/g.txt; "
               "mkdir -p work/a/b")
    assert server.client.get("work/a/b/c/d/f.txt") == b"x\n"
    mounted.sh("rm -r work/a")
    assert mounted.names("work") == [] and not server.client.exists("work/a/")
    assert mounted.errno_of("os.mkdir('work/x/y')") == "ENOENT"
    mounted.sh("mkdir work/z")
    assert mounted.errno_of("os.mkdir('work/z')") == "EEXIST"


def test_rmdir_deletes_only_an_empty_folder(server, mounted):
    server.client.mkcol("work/d")
    server.client.put("work/d/f.txt", b"x")
    assert mounted.errno_of("os.rmdir('work/d')") == "ENOTEMPTY"
    assert server.client.get("work/d/f.txt") == b"x"
    server.client.delete("work/d/f.txt")
    mounted.sh("rmdir work/d")
    assert not server.client.exists("work/d/")


def test_rmdir_sees_what_arrived_unlisted(server, mount):
    """Another client puts mail in after our listing: the folder is not deleted."""
    server.client.mkcol("work/d")
    with mount(server, attr_ttl=60) as m:
        assert m.names("work/d") == []
        server.client.put("work/d/late.txt", b"late")
        assert m.errno_of("os.rmdir('work/d')") == "ENOTEMPTY"
    assert server.client.get("work/d/late.txt") == b"late"


def test_unlink(server, mounted):
    server.client.put("work/a.txt", b"a")
    server.client.put("work/b.eml", samples.message())
    mounted.sh("rm work/a.txt work/b.eml")
    assert mounted.names("work") == []
    assert not server.client.exists("work/a.txt") and not server.client.exists("work/b.eml")
    assert mounted.errno_of("os.unlink('work/a.txt')") == "ENOENT"


@pytest.mark.parametrize("code", [
    "os.link('work/a.txt', 'work/b.txt')", "os.symlink('a.txt', 'work/l')", "os.mkfifo('work/p')",
    "import socket\nsocket.socket(socket.AF_UNIX).bind('work/s')"],
    ids=["link", "symlink", "fifo", "socket"])
@pytest.mark.servers("e2003", "generic")
def test_links_fifos_and_sockets_are_eperm(server, mounted, code):
    server.client.put("work/a.txt", b"a")
    with server.counting() as c:
        assert mounted.errno_of(code) == "EPERM"
    assert not c.changing
    assert mounted.names("work") == ["a.txt"]


def test_mknod_makes_a_file(server, mounted):
    mounted.python("import stat\nos.mknod('work/f.txt', stat.S_IFREG | 0o600)")
    assert server.client.get("work/f.txt") == b""


def test_exclusive_create(server, mounted):
    server.client.put("work/f.txt", b"theirs")
    assert mounted.errno_of("os.open('work/f.txt', os.O_CREAT | os.O_EXCL | os.O_WRONLY)") == "EEXIST"
    assert mounted.errno_of("os.open('work/g.txt', os.O_CREAT | os.O_EXCL | os.O_WRONLY)") == "OK"


@pytest.mark.servers("e2003")
def test_a_folder_with_late_mail_goes_to_the_trash_not_away(server, mount):
    """The server's DELETE is recursive: what arrives in between is kept in Deleted Items."""
    server.client.mkcol("work/d")
    with mount(server, attr_ttl=0) as m, server.counting() as c:
        m.sh("rmdir work/d")
    assert [line.method for line in c.lines if line.method in ("MOVE", "DELETE")] == ["MOVE", "DELETE"]
