#!/usr/bin/env python3
"""Explicit-state model checker of the journal's protocol.

    journal_model.py                      every scenario with all rules, then every rule left out once
    journal_model.py --full               the same with larger bounds
    journal_model.py --without RULE       one rule left out; prints the shortest trace to a violation
    journal_model.py --scenario NAME      one scenario only
    journal_model.py --list               the rules and the scenarios

It visits every reachable state of a scenario, breadth first, and checks the invariants in each. RULES lists every rule of
the protocol. With all of them, no state may violate an invariant. Without any one of them, some state must, or else the
model does not test that rule. The exit code is 0 only if both hold. A slot is a version of the log to which an entry can
be put.

Modelled
    The log of one Delta table on storage with put-if-absent. Writers that commit groups of sets, and compactors that
    replace files, each with its own view of the head. A put that is stored although its response is an error; one that
    lands at any later time, or never; one that surely did not land; a read that fails. Crashes: a process that takes no
    further step, whose puts may still land. Retries of one set by two writers, twice in one group, and by one writer after
    `Unknown`. Sets that are refused because another one is committed. Suspension at any point for longer than every time
    limit, while a cleanup deletes the entries behind a checkpoint one at a time in any order, so that their names become
    free again (gaps). Vacuum concurrent with slow writers and readers. The fold of two tables by two processes with
    watermarks, a rebuild, and the cleanup of a table's own log.

Not modelled
    Content and time of rows (`base`, the ids below an entry, represents the hash chain), streams, erase, upgrades, the
    creation of a lake, checkpoints themselves, loss of data that the storage acknowledged, a clock that hides a suspension
    (a suspended process always notices on waking), and liveness: no invariant requires that a commit ends.

Invariants
    chain       each set of the table was written on exactly the sets before it; so `seq` has no gaps and each id is unique
    rows        the live files contain each committed row exactly once
    present     Committed and AlreadyCommitted name a set that stays in the table at that seq
    absent      NotWritten: no attempt of this writer so far adds the set to the table, and it has not seen the set there
    grounds     Refused is based on a set in the table, and no set follows one that excludes it
    files       no file of the table at its head is missing, nor one that an awake reader may read
    fold        a folded table is the journal's prefix up to its watermark
Unknown claims nothing.
"""

import argparse
import sys
import time
from collections import deque
from functools import lru_cache
from typing import NamedTuple

# rule: (the scenario that needs it, the text of the rule)
RULES = {
    "put-if-absent": ("commit", "an entry is put only if its version has none"),
    "ask-after-fault": ("commit", "an error of a put is inconclusive: the slot is read to find out whether the entry was stored"),
    "own-attempt": ("commit", "an entry is ours only if it has this attempt's id; another entry may contain the same set"),
    "validate-again": ("commit", "a writer that loses a slot validates every set again and writes new rows for the next slot"),
    "id-lookup": ("commit", "a set whose id is in the journal is not written again"),
    "same-slot": ("commit", "while the slot is free, the entry is put only there"),
    "occupy": ("commit", "at the deadline an empty commit takes the slot before NotWritten is returned"),
    "occupied-or-unknown": ("commit", "if it is then unknown which entry has the slot, the outcome is Unknown"),
    "decide-together": ("group", "an outcome that depends on a set of the group is returned only when the group's slot is decided"),
    "unknown-together": ("group", "a repeat of a set of the group is Unknown if that set is"),
    "seen-stands": ("commit", "a set that was seen in the journal is AlreadyCommitted, whatever the outcome of the group"),
    "open-stays-open": ("group", "a set that was Unknown stays Unknown until its writer has seen which entry has the slot"),
    "apply-whole-entry": ("apply", "a writer moves past an entry only after it has applied all its rows"),
    "ack-after-sleep": ("sleep", "after a long sleep an entry is acknowledged only if it is found at the head"),
    "occupy-after-sleep": ("sleep", "after a long sleep an empty commit is inconclusive: the sets are validated again"),
    "theirs-after-sleep": ("two-stale", "after a long sleep an entry in the slot may be in a gap: it is not applied"),
    "load-after-sleep": ("sleep", "after a long sleep the head is loaded from the checkpoint instead of by walking the log"),
    "free-slot": ("sleep", "a slot is free only if the entry before it exists and no entry after it is listed"),
    "validate-before-giving-up": ("sleep", "a group whose slot was taken during a sleep is validated again even past the deadline"),
    "fault-after-sleep": ("sleep", "if the head cannot be read after such a sleep, the outcome is Unknown"),
    "removed-live": ("compact", "a compaction that lost its slot continues only if every file it removes is still live"),
    "retention": ("reader", "a file is deleted only after it has been unused for longer than any reader reads it"),
    "fence": ("vacuum", "vacuum deletes only after an empty commit of its own has the slot after the version at which it chose the files"),
    "rewrite-old": ("vacuum", "a compaction that continues in another slot writes a file that is not recent again under a new name"),
    "txn-guard": ("fold", "a fold that lost its version reads the table's txn again and folds only the rest"),
    "watermark-last": ("fold", "the watermark is posted only after every changed table is known to be committed"),
    "rebuild-ahead": ("fold", "a rebuild starts at or after the table's watermark"),
    "fold-after-sleep": ("foldsleep", "after a long sleep a fold trusts its commit only if the head's txn confirms it"),
}

Trace = list[tuple[str, object]]


# ---------------------------------------------------------------------------------------------------------------------
# The journal
# ---------------------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    id: str
    seq: int
    call: str  # the call to `commit` that committed it: the writer and a number


class Entry(NamedTuple):
    """One entry of the log. `sets` are the ids that it commits, `base` the ids it was validated against."""

    attempt: str
    sets: tuple = ()
    base: tuple = ()
    adds: tuple = ()  # (file, rows)
    removes: tuple = ()


class Verdict(NamedTuple):
    id: str
    word: str  # C committed, A already committed, R refused
    seq: int
    rests: bool  # depends on a set of the same group


class Actor(NamedTuple):
    """A writer or a compactor. `known` are the sets in its ledger, `version` the last entry of the log that it knows."""

    pc: str = "idle"
    version: int = 0
    known: tuple = ()
    slept: bool = False  # more than the time limit has passed since it last saw the end of the log
    job: int = 0
    tries: int = 0  # number of attempts
    verdicts: tuple = ()
    entry: Entry | None = None
    ambiguous: bool = False  # a put of `entry` may have landed
    answers: tuple = ()
    open: tuple = ()  # (set, slot) of Unknown outcomes


class Vacuum(NamedTuple):
    pc: str = "list"
    version: int = 0
    slept: bool = False
    doomed: frozenset = frozenset()


class Reader(NamedTuple):
    pc: str = "open"
    slept: bool = False
    files: frozenset = frozenset()


class State(NamedTuple):
    log: tuple  # the entries of the table, whether or not their objects are still stored
    cleaned: frozenset = frozenset()  # versions whose object a cleanup deleted
    gaps: tuple = ()  # (version, entry): puts to a cleaned version since
    old: int = 0  # entries before this one are behind a checkpoint and old enough for cleanup
    flight: frozenset = frozenset()  # (version, entry): puts that may still land
    stored: tuple = ()  # (file, day): Parquet files, and the day since each is unused; only with vacuum
    actors: tuple = ()
    vacuum: Vacuum | None = None
    reader: Reader | None = None
    day: int = 0
    others: int = 0  # commits that other writers will still make
    faults: int = 0
    sleeps: int = 0
    broken: str = ""  # a violation that is not visible in the rest of the state


class Scenario(NamedTuple):
    """`calls` per writer: the groups of ids that it commits, one after the other."""

    calls: tuple = ()
    excludes: tuple = ()  # (set, the set that excludes it)
    compactors: int = 0
    vacuum: bool = False
    reader: bool = False
    others: int = 0
    faults: int = 0
    sleeps: int = 0
    start: tuple = ()  # sets that exist from the beginning, each in its own file


@lru_cache(maxsize=None)
def facts(log):
    """Returns the content of a log: (violation, ids in order, id -> row, live files -> rows)."""
    ids, live = [], {}
    for entry in log:
        if entry.sets:
            if entry.base != tuple(ids):
                return f"chain: {entry.attempt} was written on {entry.base}, the table has {tuple(ids)}", (), {}, {}
            ids.extend(entry.sets)
        for file in entry.removes:
            live.pop(file, None)
        live.update(entry.adds)
    if len(set(ids)) != len(ids):
        return f"chain: a set is in the table twice: {ids}", (), {}, {}
    rows = sorted((row for rows in live.values() for row in rows), key=lambda row: row.seq)
    if [(row.id, row.seq) for row in rows] != [(id, place + 1) for place, id in enumerate(ids)]:
        return f"rows: the live files contain {[tuple(row[:2]) for row in rows]}, committed are {ids}", (), {}, {}
    return "", tuple(ids), {row.id: row for row in rows}, live


def so_far(earlier, call):
    """Returns whether a call is by the same writer as another call, and not after it."""
    (one, first), (other, then) = earlier.rsplit(".", 1), call.rsplit(".", 1)
    return one == other and int(first) <= int(then)


class JournalModel:
    def __init__(self, scenario: Scenario, without: frozenset):
        self.scenario, self.without = scenario, without
        self.excluded_by = dict(scenario.excludes)
        self.names = [f"w{i}" for i in range(len(scenario.calls))] + [f"c{i}" for i in range(scenario.compactors)]

    def on(self, rule):
        return rule not in self.without

    def first(self) -> State:
        log = [Entry("genesis")]
        for place, id in enumerate(self.scenario.start):
            rows = (Row(id, place + 1, "start.0"),)
            log.append(Entry(f"start-{id}", (id,), self.scenario.start[:place], ((f"f-{id}", rows),)))
        known = Actor(version=len(log) - 1, known=self.scenario.start)
        return State(
            log=tuple(log),
            stored=tuple((f"f-{id}", 0) for id in self.scenario.start) if self.scenario.vacuum else (),
            actors=(known,) * len(self.names),
            vacuum=Vacuum() if self.scenario.vacuum else None,
            reader=Reader() if self.scenario.reader else None,
            others=self.scenario.others,
            faults=self.scenario.faults,
            sleeps=self.scenario.sleeps,
        )

    # -- storage ------------------------------------------------------------------------------------------------------

    def visible(self, s: State, version) -> Entry | None:
        """Returns the object of a version, if it can be read."""
        if version in s.cleaned:
            return dict(s.gaps).get(version)
        return s.log[version] if version < len(s.log) else None

    def listed_after(self, s: State, version):
        return any(self.visible(s, later) is not None for later in range(version + 1, len(s.log)))

    def put(self, s: State, version, entry) -> tuple[State, bool]:
        """Puts an entry if its version has no object. An entry below the head is stored but not part of the table."""
        if version > len(s.log):
            return s._replace(broken=f"chain: {entry.attempt} left a gap before {version}"), True
        if version == len(s.log):
            stored = tuple((file, s.day if file in entry.removes else day) for file, day in s.stored)
            return s._replace(log=s.log + (entry,), stored=stored), True
        if self.visible(s, version) is None:
            return s._replace(gaps=tuple(sorted(s.gaps + ((version, entry),)))), True
        if not self.on("put-if-absent"):
            return s._replace(log=s.log[:version] + (entry,) + s.log[version + 1 :]), True
        return s, False

    def with_file(self, s: State, entry: Entry) -> State:
        """Stores the Parquet files that an entry adds."""
        if s.vacuum is None:
            return s
        there = dict(s.stored)
        return s._replace(stored=tuple(sorted((there | {file: s.day for file, _ in entry.adds}).items())))

    # -- steps that are possible at any time ----------------------------------------------------------------------------

    def steps(self, s: State):
        for late in s.flight:
            version, entry = late
            landed, stored = self.put(s._replace(flight=s.flight - {late}), version, entry)
            yield f"the late put of {entry.attempt} at {version} {'lands' if stored else 'fails'}", landed
        if s.sleeps:
            yield "every process with an unfinished operation sleeps for days", s._replace(
                sleeps=s.sleeps - 1,
                day=s.day + 1,
                old=len(s.log) - 1,
                actors=tuple(a._replace(slept=True) for a in s.actors),
                vacuum=s.vacuum and s.vacuum._replace(slept=True),
                reader=s.reader and s.reader._replace(slept=True),
            )
        for version in range(s.old):
            if version not in s.cleaned:
                yield f"cleanup deletes entry {version}", s._replace(cleaned=s.cleaned | {version})
        if s.others:
            id = f"o{s.others}"
            ids = facts(s.log)[1]
            entry = Entry(id, (id,), ids, ((f"f-{id}", (Row(id, len(ids) + 1, "other.0"),)),))
            put, _ = self.put(self.with_file(s, entry), len(s.log), entry)
            yield f"another writer commits {id} at {len(s.log)}", put._replace(others=s.others - 1)
        for i, actor in enumerate(s.actors):
            if actor.job < (len(self.scenario.calls[i]) if i < len(self.scenario.calls) else 1):
                for what, after in getattr(self, f"when_{actor.pc}")(s, i, actor):
                    yield f"{self.names[i]} {what}", after
        if s.vacuum is not None:
            for what, after in self.vacuum_steps(s, s.vacuum):
                yield f"vacuum {what}", after
        if s.reader is not None:
            for what, after in self.reader_steps(s, s.reader):
                yield f"reader {what}", after

    def set(self, s: State, i, actor: Actor, **changes) -> State:
        return s._replace(actors=s.actors[:i] + (actor._replace(**changes),) + s.actors[i + 1 :])

    def fault(self, s: State) -> State:
        return s._replace(faults=s.faults - 1)

    # -- a group, or a compaction, from its validation to its outcome -----------------------------------------------------

    def is_writer(self, i):
        return i < len(self.scenario.calls)

    def load(self, s: State, actor: Actor) -> Actor:
        """Loads the head from the checkpoint and the entries after it. Without the rule, walks the log instead."""
        if self.on("load-after-sleep") or self.visible(s, actor.version) is None:
            return actor._replace(version=len(s.log) - 1, known=facts(s.log)[1], slept=False)
        return self.walk(s, actor)._replace(slept=False)

    def walk(self, s: State, actor: Actor) -> Actor:
        """Applies the following entries as long as they are found."""
        version, known = actor.version, actor.known
        while (entry := self.visible(s, version + 1)) is not None:
            version, known = version + 1, known + entry.sets
        return actor._replace(version=version, known=known)

    def when_idle(self, s: State, i, actor: Actor):
        if actor.slept:
            actor = self.load(s, actor)
        if not self.is_writer(i):
            yield from self.prepare_compaction(s, i, actor)
            return
        group = self.scenario.calls[i][actor.job]
        verdicts = self.validate(actor.known, group)
        new = tuple(verdict.id for verdict in verdicts if verdict.word == "C")
        if not new:
            # The decision requires that this version is the head, so that must be checked.
            fresh = self.walk(s, actor)
            if fresh.version != actor.version:
                yield "finds the log ahead and applies it", self.set(s, i, fresh)
            else:
                yield "has nothing to write and returns", self.set(s, i, self.answered(i, actor._replace(verdicts=verdicts)))
            return
        if not self.on("decide-together"):
            early = tuple((v.id, "R", self.excluded_by[v.id], f"w{i}.{actor.job}") for v in verdicts if v.word == "R")
            verdicts = tuple(v for v in verdicts if v.word != "R")
            actor = actor._replace(answers=actor.answers + early)
        attempt = f"{self.names[i]}.{actor.tries}"
        call = f"{self.names[i]}.{actor.job}"
        rows = tuple(Row(id, len(actor.known) + n + 1, call) for n, id in enumerate(new))
        entry = Entry(attempt, new, actor.known, ((f"f-{attempt}", rows),))
        after = self.with_file(s, entry)
        changes = {"pc": "put", "verdicts": verdicts, "entry": entry, "ambiguous": False, "tries": actor.tries + 1}
        yield f"validates {group} against {actor.known} for slot {actor.version + 1}", self.set(after, i, actor, **changes)

    def validate(self, known, group):
        verdicts, new = [], []
        for id in group:
            seq = len(known) + len(new) + 1
            bar = self.excluded_by.get(id)
            if id in known and self.on("id-lookup"):
                verdicts.append(Verdict(id, "A", known.index(id) + 1, False))
            elif id in new:
                verdicts.append(Verdict(id, "A", len(known) + new.index(id) + 1, True))
            elif bar is not None and (bar in known or bar in new):
                verdicts.append(Verdict(id, "R", 0, bar in new))
            else:
                verdicts.append(Verdict(id, "C", seq, False))
                new.append(id)
        return tuple(verdicts)

    def prepare_compaction(self, s: State, i, actor: Actor):
        live = facts(s.log[: actor.version + 1])[3]
        going_on = actor.entry
        if going_on is not None and not self.on("removed-live"):
            yield f"continues in slot {actor.version + 1}", self.compact(s, i, actor, going_on.removes, going_on.adds)
        elif going_on is not None and all(file in live for file in going_on.removes):
            young = s.vacuum is None or dict(s.stored).get(going_on.adds[0][0]) == s.day
            if young or not self.on("rewrite-old"):
                yield f"continues in slot {actor.version + 1}", self.compact(s, i, actor, going_on.removes, going_on.adds)
            else:
                adds = ((f"f-{self.names[i]}.{actor.tries}", going_on.adds[0][1]),)
                after = self.with_file(s, Entry("", adds=adds))
                yield f"writes its file again for slot {actor.version + 1}", self.compact(after, i, actor, going_on.removes, adds)
        elif live:
            removes = tuple(sorted(live))
            rows = tuple(sorted((row for file in removes for row in live[file]), key=lambda row: row.seq))
            adds = ((f"f-{self.names[i]}.{actor.tries}", rows),)
            after = self.with_file(s, Entry("", adds=adds))
            yield f"prepares {removes} as one file for slot {actor.version + 1}", self.compact(after, i, actor, removes, adds)

    def compact(self, s: State, i, actor: Actor, removes, adds):
        entry = Entry(f"{self.names[i]}.{actor.tries}", adds=adds, removes=removes)
        return self.set(s, i, actor, pc="put", entry=entry, ambiguous=False, tries=actor.tries + 1)

    def when_put(self, s: State, i, actor: Actor):
        slot, entry = actor.version + 1, actor.entry
        after, stored = self.put(s, slot, entry)
        at = f"{entry.attempt} at {slot}"
        if stored:
            yield f"puts {at}", self.set(after, i, actor, pc="ours")
        else:
            yield f"puts {at}: it exists", self.set(s, i, actor, pc="look")
        if not s.faults:
            return
        faulty, after = self.fault(s), self.fault(after)
        lost = actor._replace(ambiguous=True, pc="look")
        if not self.on("ask-after-fault"):
            lost = self.given_up(i, actor)
        if stored:
            yield f"puts {at}: stored, but the response is an error", self.set(after, i, lost)
        late = faulty._replace(flight=s.flight | {(slot, entry)})
        yield f"puts {at}: an error, and it may land later", self.set(late, i, lost)
        # The storage reports that nothing landed. That decides it, unless an earlier put of the
        # same entry is open.
        if actor.ambiguous:
            yield f"puts {at}: it surely did not land, an earlier one may", self.set(faulty, i, actor, pc="look")
        else:
            yield f"puts {at}: it surely did not land", self.set(faulty, i, self.given_up(i, actor))

    def when_look(self, s: State, i, actor: Actor):
        """Reads the slot to find out which entry has it."""
        slot = actor.version + 1
        found = self.visible(s, slot)
        if s.faults:
            yield "gets no response, and the deadline passes", self.set(self.fault(s), i, actor, pc="occupy")
        if found is not None:
            if self.is_ours(found, actor):
                yield f"finds its entry at {slot}", self.set(s, i, actor, pc="ours")
            else:
                yield from self.lost_slot(s, i, actor, found)
            return
        free = self.visible(s, actor.version) is not None and not self.listed_after(s, actor.version)
        if free or not self.on("free-slot"):
            seen = actor._replace(slept=False)
            retry = seen if self.on("same-slot") else seen._replace(version=slot)
            yield f"finds {slot} free and will put again", self.set(s, i, retry, pc="put")
            yield f"finds {slot} free, and the deadline passes", self.set(s, i, seen, pc="occupy")
            if not self.on("occupy"):
                yield f"finds {slot} free and gives up at the deadline", self.set(s, i, self.given_up(i, seen))
        else:
            yield from self.restart_from_head(s, i, actor, "finds that the log has moved past it")

    def is_ours(self, found: Entry, actor: Actor):
        if self.on("own-attempt"):
            return found.attempt == actor.entry.attempt
        return bool(set(found.sets) & set(actor.entry.sets)) or found.attempt == actor.entry.attempt

    def lost_slot(self, s: State, i, actor: Actor, found: Entry):
        slot = actor.version + 1
        if actor.slept and self.on("theirs-after-sleep"):
            yield from self.restart_from_head(s, i, actor, f"finds {found.attempt} at {slot} after a sleep")
            return
        if not self.on("validate-again") and self.is_writer(i):
            yield f"finds {found.attempt} at {slot} and tries the next slot", self.set(s, i, actor, pc="put", version=slot)
            return
        fresh = self.walk(s, actor)._replace(slept=False)
        yield f"finds {found.attempt} at {slot} and validates again", self.set(s, i, fresh, pc="idle")
        yield f"finds {found.attempt} at {slot}, and the deadline passes", self.set(s, i, self.given_up(i, fresh))
        if s.faults:
            ahead = actor if self.on("apply-whole-entry") else actor._replace(version=slot)
            what = f"finds {found.attempt} at {slot} and cannot read its rows"
            yield what, self.set(self.fault(s), i, self.given_up(i, ahead))

    def restart_from_head(self, s: State, i, actor: Actor, what):
        """Discards the state of the slot: loads the head and validates each set against it."""
        fresh = actor._replace(version=len(s.log) - 1, known=facts(s.log)[1], slept=False)
        yield f"{what}, loads the head and validates again", self.set(s, i, fresh, pc="idle")
        if not self.on("validate-before-giving-up"):
            yield f"{what}, and gives up at the deadline", self.set(s, i, self.given_up(i, actor))
        if s.faults:
            after = self.unknown(i, actor) if self.on("fault-after-sleep") else self.given_up(i, actor)
            yield f"{what} and cannot load the head", self.set(self.fault(s), i, after)

    def when_ours(self, s: State, i, actor: Actor):
        """Our entry has the slot. After a sleep, the slot may be a gap."""
        if not actor.slept or not self.on("ack-after-sleep"):
            done = actor._replace(version=actor.version + 1, known=actor.known + actor.entry.sets)
            yield "acknowledges", self.set(s, i, self.answered(i, done))
            return
        _, ids, _, live = facts(s.log)
        if all(file in live for file, _ in actor.entry.adds):
            done = actor._replace(version=len(s.log) - 1, known=ids, slept=False)
            yield "loads the head, finds its file there and acknowledges", self.set(s, i, self.answered(i, done))
            if s.faults:
                after = self.unknown(i, actor) if self.on("fault-after-sleep") else self.given_up(i, actor)
                yield "cannot load the head", self.set(self.fault(s), i, after)
        else:
            yield from self.restart_from_head(s, i, actor, "does not find its file at the head")

    def when_occupy(self, s: State, i, actor: Actor):
        slot, plug = actor.version + 1, Entry(f"{actor.entry.attempt}-empty")
        after, stored = self.put(s, slot, plug)
        if stored:
            yield f"occupies {slot}", self.set(after, i, actor, pc="occupied")
        else:
            yield f"cannot occupy {slot}: it exists", self.set(s, i, actor, pc="contested")
        if not s.faults:
            return
        after, faulty = self.fault(after), self.fault(s)
        if stored:
            yield f"occupies {slot}, but the response is an error", self.set(after, i, actor, pc="contested")
        late = faulty._replace(flight=s.flight | {(slot, plug)})
        yield f"occupies {slot}: an error, and it may land later", self.set(late, i, actor, pc="contested")

    def when_occupied(self, s: State, i, actor: Actor):
        if actor.slept and self.on("occupy-after-sleep"):
            yield from self.restart_from_head(s, i, actor, "has occupied the slot after a sleep")
        else:
            done = actor._replace(version=actor.version + 1)
            yield "returns NotWritten", self.set(s, i, self.given_up(i, done))

    def when_contested(self, s: State, i, actor: Actor):
        """The last read: the entry that has the slot now has it permanently."""
        slot = actor.version + 1
        found = self.visible(s, slot)
        nobody = self.unknown(i, actor) if self.on("occupied-or-unknown") else self.given_up(i, actor)
        if found is None:
            yield f"finds {slot} empty at the deadline", self.set(s, i, nobody)
        elif found.attempt == f"{actor.entry.attempt}-empty":
            yield f"finds its empty commit at {slot}", self.set(s, i, actor, pc="occupied")
        elif self.is_ours(found, actor):
            yield f"finds its entry at {slot}", self.set(s, i, actor, pc="ours")
        else:
            yield from self.lost_slot(s, i, actor, found)
        if s.faults:
            yield "gets no response at the deadline", self.set(self.fault(s), i, nobody)

    # -- outcomes: (id, word, its claim, the call) ------------------------------------------------------------------------

    def done(self, actor: Actor, answers) -> Actor:
        fresh = {"pc": "idle", "job": actor.job + 1, "verdicts": (), "entry": None, "ambiguous": False}
        return actor._replace(**fresh, answers=actor.answers + tuple(answers))

    def answered(self, i, actor: Actor) -> Actor:
        call = f"{self.names[i]}.{actor.job}"
        claim = {"C": lambda v: v.seq, "A": lambda v: v.seq, "R": lambda v: self.excluded_by[v.id]}
        return self.done(actor, ((v.id, v.word, claim[v.word](v), call) for v in actor.verdicts))

    def given_up(self, i, actor: Actor) -> Actor:
        """NotWritten. It claims that the writer wrote nothing, and that the set was not in the known part of the table."""
        call = f"{self.names[i]}.{actor.job}"
        still = {id for id, slot in actor.open if slot > actor.version} if self.on("open-stays-open") else ()

        def answer(v):
            return self.seen(actor, v, call) or (v.id, "U" if v.id in still else "N", len(actor.known), call)

        return self.done(actor, map(answer, actor.verdicts))

    def unknown(self, i, actor: Actor) -> Actor:
        call = f"{self.names[i]}.{actor.job}"

        def word(v):
            if seen := self.seen(actor, v, call):
                return seen
            together = v.word == "C" or (v.rests and v.word == "A" and self.on("unknown-together"))
            return (v.id, "U" if together else "N", len(actor.known), call)

        answers = tuple(map(word, actor.verdicts))
        opened = tuple((id, actor.version + 1) for id, outcome, _, _ in answers if outcome == "U")
        return self.done(actor, answers)._replace(slept=True, open=tuple(sorted(set(actor.open + opened))))

    def seen(self, actor: Actor, v: Verdict, call):
        there = v.id in actor.known and self.on("seen-stands")
        return (v.id, "A", actor.known.index(v.id) + 1, call) if there else None

    # -- vacuum and a reader -------------------------------------------------------------------------------------------

    def vacuum_steps(self, s: State, v: Vacuum):
        live = frozenset(facts(s.log)[3])
        if v.pc == "list":
            due = [file for file, day in s.stored if file not in live and (day < s.day or not self.on("retention"))]
            if due:
                pc = "fence" if self.on("fence") else "delete"
                yield f"chooses {sorted(due)}", s._replace(vacuum=Vacuum(pc, len(s.log) - 1, False, frozenset(due)))
        elif v.pc == "fence":
            after, stored = self.put(s, v.version + 1, Entry("fence"))
            if stored and not v.slept:
                # A process that still wants to add one of these files does so in this slot or an
                # earlier one.
                yield f"takes slot {v.version + 1}", after._replace(vacuum=v._replace(pc="delete"))
            else:
                yield "does not get its slot and restarts", after._replace(vacuum=Vacuum())
            if s.faults:
                late = self.fault(s)._replace(flight=s.flight | {(v.version + 1, Entry("fence"))}, vacuum=Vacuum())
                yield "does not learn whether it has its slot and restarts", late
        elif v.pc == "delete":
            stored = tuple((file, day) for file, day in s.stored if file not in v.doomed)
            yield f"deletes {sorted(v.doomed)}", s._replace(stored=stored, vacuum=v._replace(pc="done"))

    def reader_steps(self, s: State, r: Reader):
        if r.pc == "open":
            yield "opens the table", s._replace(reader=Reader("read", False, frozenset(facts(s.log)[3])))
        elif r.pc == "read" and r.slept:
            yield "opens the table again after its sleep", s._replace(reader=Reader("read", False, frozenset(facts(s.log)[3])))
        elif r.pc == "read":
            missing = r.files - {file for file, _ in s.stored}
            broken = f"files: a reader misses {sorted(missing)}" if missing else ""
            yield "reads its files", s._replace(reader=r._replace(pc="done"), broken=broken)

    # -- invariants ----------------------------------------------------------------------------------------------------

    def violation_of(self, s: State) -> str:
        violation, _, rows, live = facts(s.log)
        if violation or s.broken:
            return violation or s.broken
        if s.vacuum is not None and (missing := live.keys() - {file for file, _ in s.stored}):
            return f"files: live and deleted: {sorted(missing)}"
        for actor in s.actors:
            for id, word, claim, call in actor.answers:
                row = rows.get(id)
                if word in "CA" and (row is None or row.seq != claim):
                    return f"present: {call} reported {id} as committed at {claim}; the table has {row and row.seq}"
                if word == "N" and row is not None and (row.seq <= claim or so_far(row.call, call)):
                    return f"absent: {call} reported {id} as not written; it is at {row.seq}"
                if word == "R" and claim not in rows:
                    return f"grounds: {call} reported that {claim} excludes {id}; {claim} is not in the table"
        for id, bar in self.excluded_by.items():
            if id in rows and bar in rows and rows[bar].seq < rows[id].seq:
                return f"grounds: {id} follows {bar}, which excludes it"
        return ""


# ---------------------------------------------------------------------------------------------------------------------
# The fold
# ---------------------------------------------------------------------------------------------------------------------


class Version(NamedTuple):
    """One version of a current table: the seq that it states, and its rows."""

    txn: int
    rows: tuple


class Folder(NamedTuple):
    pc: str = "read"
    upto: int = 0  # the seq up to which it folds
    table: int = 0  # the current table
    at: int = 0  # the version that it read
    next: Version | None = None
    slept: bool = False
    rounds: int = 0


class FoldState(NamedTuple):
    seq: int  # the journal's head; set n touches table touches[n - 1]
    tables: tuple  # per table its versions
    cleaned: frozenset = frozenset()  # (table, version)
    gaps: frozenset = frozenset()
    old: tuple = ()
    posted: int = 0  # txn("fold-…") of the journal
    flight: frozenset = frozenset()  # (table, version, content)
    folders: tuple = ()
    rebuild: Folder | None = None
    faults: int = 0
    sleeps: int = 0


class FoldScenario(NamedTuple):
    touches: tuple  # the table that each set changes
    tables: int = 2
    folders: int = 2
    rounds: int = 2
    rebuild: bool = False
    faults: int = 0
    sleeps: int = 0


class FoldModel:
    def __init__(self, scenario: FoldScenario, without: frozenset):
        self.scenario, self.without = scenario, without

    def on(self, rule):
        return rule not in self.without

    def first(self) -> FoldState:
        return FoldState(
            seq=0,
            tables=((Version(0, ()),),) * self.scenario.tables,
            old=(0,) * self.scenario.tables,
            folders=(Folder(),) * self.scenario.folders,
            rebuild=Folder() if self.scenario.rebuild else None,
            faults=self.scenario.faults,
            sleeps=self.scenario.sleeps,
        )

    def changes(self, table, after, upto):
        return tuple(seq for seq in range(after + 1, upto + 1) if self.scenario.touches[seq - 1] == table)

    def put(self, s: FoldState, table, version, content) -> tuple[FoldState, bool]:
        versions = s.tables[table]
        if version == len(versions):
            return s._replace(tables=s.tables[:table] + (versions + (content,),) + s.tables[table + 1 :]), True
        if (table, version) in s.cleaned and (table, version) not in s.gaps:
            return s._replace(gaps=s.gaps | {(table, version)}), True
        return s, False

    def steps(self, s: FoldState):
        if s.seq < len(self.scenario.touches):
            yield f"a writer commits seq {s.seq + 1} for table {self.scenario.touches[s.seq]}", s._replace(seq=s.seq + 1)
        for late in s.flight:
            table, version, content = late
            landed, stored = self.put(s._replace(flight=s.flight - {late}), table, version, content)
            yield f"a late put of version {version} of table {table} {'lands' if stored else 'fails'}", landed
        if s.sleeps:
            yield "every process with an unfinished operation sleeps for days", s._replace(
                sleeps=s.sleeps - 1,
                old=tuple(len(versions) - 1 for versions in s.tables),
                folders=tuple(folder._replace(slept=True) for folder in s.folders),
                rebuild=s.rebuild and s.rebuild._replace(slept=True),
            )
        for table, old in enumerate(s.old):
            for version in range(old):
                if (table, version) not in s.cleaned:
                    yield f"cleanup deletes entry {version} of table {table}", s._replace(cleaned=s.cleaned | {(table, version)})
        for i, folder in enumerate(s.folders):
            for what, after, changed in self.fold_steps(s, folder):
                yield f"f{i} {what}", after._replace(folders=s.folders[:i] + (changed,) + s.folders[i + 1 :])
        if s.rebuild is not None:
            for what, after, changed in self.rebuild_steps(s, s.rebuild):
                yield f"rebuild {what}", after._replace(rebuild=changed)

    def fold_steps(self, s: FoldState, f: Folder):
        if f.pc == "read":
            if f.rounds < self.scenario.rounds and s.seq > s.posted:
                changed = f._replace(pc="table", upto=s.seq, table=0, slept=False)
                if not self.on("watermark-last"):
                    s = s._replace(posted=s.seq)
                yield f"reads the journal up to {s.seq}", s, changed
        elif f.pc == "table" and f.table == self.scenario.tables:
            changed = f._replace(pc="read", rounds=f.rounds + 1)
            # The last watermark wins, even if it is lower.
            yield f"posts watermark {f.upto}", s._replace(posted=f.upto), changed
        elif f.pc == "table":
            yield self.prepare(s, f)
        elif f.pc == "put":
            yield from self.put_steps(s, f)
        elif f.pc == "ours":
            moved_on = f._replace(pc="table", table=f.table + 1, next=None)
            head = s.tables[f.table][-1]
            if f.slept and self.on("fold-after-sleep") and head.txn < f.upto:
                yield "does not find its txn at the head", s, f._replace(pc="table", slept=False, next=None)
            else:
                yield f"is done with table {f.table}", s, moved_on

    def prepare(self, s: FoldState, f: Folder):
        """Reads the table's txn: if it is at or past the target seq, there is nothing to do; otherwise the rest is folded."""
        at = len(s.tables[f.table]) - 1
        head = s.tables[f.table][at]
        if not self.on("txn-guard") and f.next is not None:
            # The same changes are applied again to the current rows.
            changes = f.next.rows
        else:
            changes = self.changes(f.table, max(head.txn, s.posted if self.on("watermark-last") else head.txn), f.upto)
        if not changes:
            return f"has nothing to fold into table {f.table}", s, f._replace(table=f.table + 1, next=None)
        changed = f._replace(pc="put", at=at, next=Version(f.upto, changes), slept=False)
        return f"prepares {changes} on version {at} of table {f.table}", s, changed

    def put_steps(self, s: FoldState, f: Folder):
        content = Version(f.next.txn, s.tables[f.table][f.at].rows + f.next.rows)
        name = f"version {f.at + 1} of table {f.table}"
        after, stored = self.put(s, f.table, f.at + 1, content)
        again = f._replace(pc="table")
        if stored:
            yield f"puts {name}", after, f._replace(pc="ours")
        else:
            yield f"loses {name} and reads the table again", s, again
        if s.faults:
            if stored:
                yield f"puts {name}, but the response is an error", after._replace(faults=s.faults - 1), again
            flight = s.flight | {(f.table, f.at + 1, content)}
            yield f"puts {name}: an error, and it may land later", s._replace(faults=s.faults - 1, flight=flight), again

    def rebuild_steps(self, s: FoldState, r: Folder):
        """Rebuilds one table from the journal alone."""
        if r.pc == "read" and r.rounds < self.scenario.rounds:
            yield f"reads the journal up to {s.seq}", s, r._replace(pc="table", upto=s.seq)
        elif r.pc == "table":
            at = len(s.tables[0]) - 1
            if self.on("rebuild-ahead") and r.upto < max(s.tables[0][at].txn, s.posted):
                yield "is behind the table and reads the journal again", s, r._replace(pc="read")
            else:
                yield f"prepares table 0 on version {at}", s, r._replace(pc="put", at=at)
        elif r.pc == "put":
            after, stored = self.put(s, 0, r.at + 1, Version(r.upto, self.changes(0, 0, r.upto)))
            if stored:
                yield f"puts version {r.at + 1} of table 0", after, r._replace(pc="read", rounds=r.rounds + 1)
            else:
                yield f"loses version {r.at + 1} of table 0", s, r._replace(pc="read")

    def violation_of(self, s: FoldState) -> str:
        for table, versions in enumerate(s.tables):
            for version in versions:
                if version.rows != self.changes(table, 0, version.txn):
                    return f"fold: table {table} states txn {version.txn} and contains {version.rows}"
            head = versions[-1]
            mark = max(head.txn, s.posted)
            if head.rows != self.changes(table, 0, mark):
                return f"fold: table {table} is folded up to {mark} and contains {head.rows}"
        return ""


# ---------------------------------------------------------------------------------------------------------------------
# Bounds and running
# ---------------------------------------------------------------------------------------------------------------------

SCENARIOS = {
    # Two writers, two groups each; two sets are sent to both.
    "commit": Scenario(calls=((("a",), ("c",)), (("b", "a"), ("c",))), faults=3),
    # Repeats and refusals inside a group, and the same ids again after any first outcome.
    "group": Scenario(calls=((("a", "a", "b"), ("a", "d")), (("b",),)), excludes=(("b", "a"),), faults=3),
    "apply": Scenario(calls=((("a",), ("b",)),), others=2, faults=2),
    "sleep": Scenario(calls=((("a",), ("b",)),), others=2, faults=2, sleeps=1),
    "two-stale": Scenario(calls=((("a",),), (("b",),)), others=2, sleeps=1),
    "compact": Scenario(calls=((("a",),),), start=("x", "y"), compactors=2, others=1, faults=1),
    "vacuum": Scenario(calls=((("a",),),), start=("x",), compactors=1, others=1, vacuum=True, sleeps=1),
    "reader": Scenario(start=("x",), compactors=1, others=1, vacuum=True, reader=True, sleeps=1),
    "fold": FoldScenario(touches=(0, 1, 0), rebuild=True, rounds=1, faults=1),
    "foldsleep": FoldScenario(touches=(0, 0), tables=1, rebuild=True, rounds=1, sleeps=1),
}

FULL = {
    "commit": Scenario(calls=((("a",), ("c",)), (("b", "a"), ("c",))), faults=4),
    "group": Scenario(calls=((("a", "a", "b"), ("a", "d")), (("b", "d"), ("a",))), excludes=(("b", "a"),), faults=4),
    "apply": Scenario(calls=((("a",), ("b",)), (("a",),)), others=2, faults=3),
    "sleep": Scenario(calls=((("a",), ("b",)),), others=2, faults=3, sleeps=1),
    "two-stale": Scenario(calls=((("a",),), (("b",),)), others=2, faults=1, sleeps=1),
    "compact": Scenario(calls=((("a",),),), start=("x", "y"), compactors=2, others=1, faults=2),
    "vacuum": Scenario(calls=((("a",),),), start=("x",), compactors=1, others=1, vacuum=True, faults=1, sleeps=1),
    "reader": Scenario(start=("x",), compactors=2, others=1, vacuum=True, reader=True, sleeps=1),
    "fold": FoldScenario(touches=(0, 1, 0), rebuild=True, rounds=2, faults=1),
    "foldsleep": FoldScenario(touches=(0, 0), tables=1, rebuild=True, faults=1, sleeps=1),
}


class Result(NamedTuple):
    states: int
    seconds: float
    violation: str
    trace: Trace


def explore(model) -> Result:
    """Searches breadth first, so that the first violation has the shortest trace."""
    started = time.monotonic()
    first = model.first()
    parents = {first: None}
    queue = deque([first])
    while queue:
        state = queue.popleft()
        if violation := model.violation_of(state):
            return Result(len(parents), time.monotonic() - started, violation, trace_to(model, parents, state))
        for _, after in model.steps(state):
            if after not in parents:
                parents[after] = state
                queue.append(after)
    return Result(len(parents), time.monotonic() - started, "", [])


def trace_to(model, parents, state) -> Trace:
    trace = []
    while (parent := parents[state]) is not None:
        trace.append((next(what for what, after in model.steps(parent) if after == state), state))
        state = parent
    return trace[::-1]


def run(name, scenario, without=frozenset()) -> Result:
    facts.cache_clear()
    model = FoldModel if isinstance(scenario, FoldScenario) else JournalModel
    return explore(model(scenario, without))


def report(label, result: Result, expected_to_break) -> bool:
    good = bool(result.violation) == expected_to_break
    verdict = f"breaks after {len(result.trace)} steps: {result.violation}" if result.violation else "holds"
    print(f"{'ok  ' if good else 'FAIL'} {label:<40} {result.states:>8} states {result.seconds:6.1f} s  {verdict}", flush=True)
    return good


def print_trace(result: Result):
    for number, (what, _) in enumerate(result.trace, 1):
        print(f"{number:>4}. {what}")
    print(f"      {result.violation}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks the journal's protocol by visiting every reachable state.")
    parser.add_argument("--full", action="store_true", help="larger bounds: minutes instead of seconds")
    parser.add_argument("--without", metavar="RULE", action="append", default=[], choices=sorted(RULES), help="leave a rule out")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), help="this scenario only")
    parser.add_argument("--list", action="store_true", help="show the rules and the scenarios")
    options = parser.parse_args()
    bounds = FULL if options.full else SCENARIOS
    if options.list:
        for rule, (scenario, text) in RULES.items():
            print(f"{rule:<24} {scenario:<12} {text}")
        return 0
    if options.without:
        without = frozenset(options.without)
        name = options.scenario or RULES[options.without[0]][0]
        result = run(name, bounds[name], without)
        good = report(f"{name} without {', '.join(sorted(without))}", result, True)
        print_trace(result)
        return 0 if good else 1
    good = True
    for name, scenario in bounds.items():
        if options.scenario in (None, name):
            result = run(name, scenario)
            if not report(name, result, False):
                print_trace(result)
                good = False
    for rule, (name, _) in RULES.items():
        if options.scenario in (None, name):
            # The smaller bounds are sufficient for a violation.
            good &= report(f"{name} without {rule}", run(name, SCENARIOS[name], frozenset([rule])), True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
