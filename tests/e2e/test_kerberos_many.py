# SPDX-License-Identifier: Apache-2.0
"""Many users in one mount, each with the own Kerberos ticket, before a real KDC and acceptor."""
import os
import re
import time

import pytest

from xfse2e import proc
from xfse2e.dav import Dav
from xfse2e.people import ANN, BEN, CAT, Person, many  # noqa: F401 (a fixture)
from xfse2e.realm import Gssapi, Realm

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="several users take root")
NAMES = {ANN: "alice", BEN: "bob"}  # uid: whose ticket it has
MEMORY = 4  # seconds after which a user who failed to come in may try again


class Door(Gssapi):
    """Apache lets each user at the own mailbox alone, and notes which connection a request used."""

    def write(self, rights, denied):
        super().write(rights, denied)
        path = self.directory / "httpd.conf"
        path.write_text(path.read_text().replace(
            "CustomLog {}/who.log who".format(self.directory),
            'CustomLog {0}/who.log who\n  CustomLog {0}/ports.log "%u %{{remote}}p %U"'
            .format(self.directory)))

    def ports(self):
        """{user: the client's ports}, of those who were let in."""
        found = {}
        for line in (self.directory / "ports.log").read_text().splitlines():
            user, port, _ = line.split(" ", 2)
            if user != "-":
                found.setdefault(user.split("@")[0], set()).add(port)
        return found


@pytest.fixture
def realm(monkeypatch):
    made = Realm()
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    yield made
    made.stop()


@pytest.fixture
def door(realm, start_sim, work):
    users = [word for uid in (ANN, BEN, CAT) for word in ("--user", f"{uid}:x")]
    sim = start_sim("e2003", *users, auth="none")
    for uid in (ANN, BEN, CAT):
        Dav(f"{sim.url.rsplit('/', 2)[0]}/{uid}/").put(f"of {uid}.txt", f"of {uid}".encode())
    made = Door(work / "door", realm, sim, {f"/exchange/{uid}": NAMES[uid] for uid in NAMES})
    yield made
    made.stop()


def ticket(realm, uid, *flags, user=None):
    """UID's file of tickets, where ccache= looks for it."""
    cache = realm.directory / f"cc_{uid}"
    realm.kinit(user or NAMES[uid], cache, *flags)
    os.chown(cache, uid, uid)
    return cache


@pytest.fixture
def tickets(many, door, realm):
    """Mounts with each user's tickets."""
    def begin(**options):
        return many(door, **{"sec": None, "ccache": f"FILE:{realm.directory}/cc_%U", **options})
    return begin


def own_file(m, uid):
    return Person(m, uid).errno_of(f"open('{uid}/of {uid}.txt').read()")


def comes_in(m, uid):
    proc.wait_until(lambda: own_file(m, uid) == "OK", MEMORY + 6, f"{uid} comes in")


def test_each_request_goes_out_with_that_users_ticket(door, realm, tickets):
    for uid in NAMES:
        ticket(realm, uid)
    with tickets(attr_ttl=0) as m:
        both = [Person(m, uid).started(
            f'for i in 1 2 3; do ls -lR {uid} >/dev/null && cat "{uid}/of {uid}.txt" && '
            f'cp "{uid}/of {uid}.txt" {uid}/new$i.txt || exit 1; done; rm {uid}/new1.txt')
            for uid in NAMES for _ in range(3)]
        for child in both:
            err = child.communicate(timeout=60 * proc.SLOWNESS)[1]
            assert b"denied" not in err, err
        for uid, user in NAMES.items():
            assert Person(m, uid).sh(f'cat "{uid}/of {uid}.txt"').text == f"of {uid}"
            came = [line for line in door.came() if f"/exchange/{uid}" in line[4]]
            assert len(came) > 10 and {line[0] for line in came if line[3] != 401} == {user}
        ports = door.ports()
        assert set(ports) == {"alice", "bob"} and not ports["alice"] & ports["bob"], ports
        for stranger in (BEN, 0):
            assert Person(m, stranger).errno_of("os.listdir('4001')") == "EACCES"


def test_a_ticket_that_is_not_the_mailboxs_gets_nothing(door, realm, tickets):
    ticket(realm, ANN, user="bob")
    ticket(realm, BEN)
    with tickets() as m:
        assert own_file(m, ANN) == "EACCES"
        assert any("4001 (uid 4001): " in line for line in m.complaints()), m.complaints()
        assert own_file(m, BEN) == "OK"


def test_who_has_no_ticket_is_told_and_comes_in_with_one(door, realm, tickets):
    ticket(realm, BEN)
    with tickets() as m:
        assert own_file(m, ANN) == "EACCES"
        told = [line for line in m.complaints() if "4001 (uid 4001): " in line]
        assert len(told) == 1 and re.search("ticket|kinit", told[0]), m.complaints()
        assert own_file(m, BEN) == "OK"
        assert not [line for line in door.came() if "/exchange/4001" in line[4]]
        ticket(realm, ANN)
        comes_in(m, ANN)


def test_a_file_of_tickets_must_be_its_users(door, realm, tickets):
    """Nobody is led to another's tickets: not by the owner of the file, not by a link."""
    mine = ticket(realm, BEN)
    theirs = realm.directory / "cc_4001"
    with tickets() as m:
        for trick in ("owner", "link"):
            if trick == "owner":
                theirs.write_bytes(mine.read_bytes())
                os.chown(theirs, BEN, BEN)
            else:
                theirs.unlink()
                theirs.symlink_to(mine)
            time.sleep(MEMORY)
            assert own_file(m, ANN) == "EACCES", trick
        assert any("4001 (uid 4001): " in line for line in m.complaints()), m.complaints()
        assert not [line for line in door.came() if "/exchange/4001" in line[4]]


def test_tickets_that_end_and_are_renewed_need_no_remount(door, realm, tickets):
    ticket(realm, ANN, "-l", "6s")
    ticket(realm, BEN)
    with tickets(attr_ttl=0, offline="no") as m:
        assert own_file(m, ANN) == "OK" and own_file(m, BEN) == "OK"
        names = "os.listdir('4001')"
        proc.wait_until(lambda: Person(m, ANN).errno_of(names) == "EACCES", 30, "the ticket ends")
        assert any("expired" in line for line in m.complaints()), m.complaints()
        assert own_file(m, BEN) == "OK"
        ticket(realm, ANN)
        proc.wait_until(lambda: Person(m, ANN).errno_of(names) == "OK", 30, "a new ticket is found")
        assert {line[0] for line in door.came() if line[3] < 400 and "/exchange/4001" in line[4]} \
            == {"alice"}


def test_a_service_acts_for_each_user(door, realm, tickets):
    """S4U2Self and S4U2Proxy: a keytab in place of the users' tickets."""
    realm.kadmin(*(f"addprinc -randkey {uid}" for uid in NAMES))
    door.write({f"/exchange/{uid}": str(uid) for uid in NAMES}, 401)
    door.stop()
    door.start()
    with tickets(ccache=None, keytab=realm.keytab("svc/localhost"), principal="svc/localhost") as m:
        for uid in NAMES:
            assert own_file(m, uid) == "OK", m.complaints()
            came = [line for line in door.came() if f"/exchange/{uid}" in line[4]]
            assert came and {line[0] for line in came if line[3] != 401} == {str(uid)}
        assert not set.intersection(*door.ports().values())
        assert own_file(m, CAT) == "EACCES"  # nobody whom the KDC knows
        assert any("4003 (uid 4003): " in line for line in m.complaints())
