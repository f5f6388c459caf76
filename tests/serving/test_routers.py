"""Routers before engines: who keeps a request's kind on one replica, which do which half, who owes whom a turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving.balancing import balancing
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.fairness import fairness
from kernelscope.serving.remote_objects import remote_objects
from kernelscope.serving.roles import roles
from kernelscope.serving.trees import trees

from .test_system_documents import answers_of

Source = Callable[[str], PythonSource]

RING = """
class Router:
    def route(self, desks, letter):
        who = letter.owner
        if who is None or self.is_off:
            url = self.usual(desks)
        elif self.pinned:
            url = self.hash_ring.get_node(who)
        return url
"""
PREFIX = """
class Router:
    async def route(self, servers, text):
        length, matched = await self.tree.longest_prefix_match(text, servers)
        if length < self.least_length:
            chosen = self.by_load(servers)
            return chosen
        return random.choice(list(matched))
"""
RATE = """
def route(servers, rates):
    lowest, chosen = float("inf"), None
    for server in servers:
        rate = rates[server.url]
        if rate.per_second < lowest:
            lowest = rate.per_second
            chosen = server.url
    return chosen
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (RING, "by consistent hashing: who leads to a node of self.hash_ring (self.hash_ring.get_node(who)) if "
               "not (who is None or self.is_off) and self.pinned"),
        (PREFIX, "by prefix: who knows the longest beginning of text (self.tree.longest_prefix_match(text, servers)); "
                 "if length < self.least_length instead self.by_load(servers)"),
        (RATE, "the one of servers with the smallest rate.per_second"),
    ],
)  # fmt: skip
def test_the_way_of_choosing(source: Source, text: str, told: str) -> None:
    (claim,) = balancing(source(text))
    assert told in claim.value


@pytest.mark.parametrize(
    "text",
    [
        RING.replace("hash_ring", "table"),
        RING.replace("route", "layer").replace("Router", "Layer"),
        PREFIX.replace("longest_prefix_match", "strip_prefix").replace("random.choice(list(matched))", "matched"),
        RATE.replace("lowest = rate.per_second", "lowest = rate.per_minute"),
    ],
)
def test_near_misses(source: Source, text: str) -> None:
    assert list(balancing(source(text))) == []


ROLES = """
def route(engines, job):
    prefillers = [e for e in engines if e.label in job.first_labels]
    decoders = [e for e in engines if e.label in job.second_labels]
    if job.is_first:
        return prefillers[0]
    else:
        return decoders[0]
"""


def test_instances_by_their_role(source: Source, tmp_path: Path) -> None:
    (claim,) = roles(source(ROLES))
    assert "decoders: [e for e in engines if e.label in job.second_labels]" in claim.value
    assert claim.value.endswith("it gives back prefillers[0] if job.is_first, decoders[0] if not job.is_first")
    assert list(roles(source(ROLES.replace("decoders = [e for e in engines", "decoders = [e for e in others")))) == []
    assert list(roles(source(ROLES.replace("engines", "layers").replace("prefillers", "prefill_layers")))) == []
    (tmp_path / "desk.py").write_text(ROLES, encoding="utf-8")
    assert "instances of their own" in answers_of(tmp_path)["scalability.disaggregation.1"]


TRIE = """
class Shelf:
    def put(self, text, owner):
        at = self.root
        for part in self.parts(text):
            with at.lock:
                if part not in at.below:
                    at.below[part] = Board()
                at = at.below[part]

    def match(self, text):
        at, count = self.root, 0
        for part in self.parts(text):
            at = at.below.get(part)
            if not at:
                break
            count += 1
        return count
"""


def test_a_trie_whose_nodes_know_no_parent(source: Source) -> None:
    (claim,) = trees(source(TRIE))
    assert "nodes hold their children in `below`, a level for each of self.parts(text)" in claim.value
    assert "Shelf.match goes down (at = at.below.get(part)) as long as there is a child" in claim.value
    assert list(trees(source(TRIE.replace("def match", "def spell")))) == []
    assert list(trees(source(TRIE.replace("                break\n", "                at = self.root\n")))) == []


OWNERS = """
class Desk:
    def next(self):
        owner = min(self.served, key=self.served.get)
        letter = self.waiting[owner].popleft()
        self.served[owner] += letter.pages * self.price
        return letter
"""


def test_who_got_least_is_served_next(source: Source) -> None:
    (claim,) = fairness(source(OWNERS))
    assert claim.value.startswith(
        "fairness: of the queues in self.waiting that of the one with the smallest self.served is served next"
    )
    assert "it costs letter.pages * self.price (self.served[owner])" in claim.value
    assert list(fairness(source(OWNERS.replace("key=self.served.get", "key=self.rank.get")))) == []
    assert list(fairness(source(OWNERS.replace("self.waiting[owner].popleft()", "self.names[owner]")))) == []


REMOTE = """
import rpyc
from rpyc.utils.server import ThreadedServer

class Desk(rpyc.Service):
    def exposed_sort(self, letters): ...
    def exposed_stamp(self, letters): ...
    def weigh(self, letters): ...

def serve(port):
    server = ThreadedServer(Desk(), port=port)
    server.start()

def reach(host, port, alone):
    if not alone:
        line = rpyc.connect(host, port)
    return line.root
"""


def test_objects_of_other_processes(source: Source) -> None:
    offered, served, reached = (claim.value for claim in remote_objects(source(REMOTE)))
    assert offered == "remote object (RPyC): Desk may be called by other processes: sort, stamp"
    assert served.startswith("RPC server (RPyC): serve serves Desk at port")
    assert reached == "RPC connection (RPyC): reach connects to rpyc.connect(host, port) if not alone"
    assert list(remote_objects(source(REMOTE.replace("rpyc", "dice")))) == []
