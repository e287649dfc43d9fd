"""The audit trail: whoever asks for what waits to be written gets all of it written."""

from __future__ import annotations

import threading

from kept.adapters.inmemory_control import InMemoryAudit
from kept.engine.trail import AuditTrail
from kept.ports import AuditEntry, AuditListing
from kept.testing.fakes import START

ENTRY = AuditEntry(at=START, project="default", actor="mira", key_id=None, connector="rest", action="memory.search")
LONG_S = 5.0
MOMENT_S = 0.05
"""In which a call that waits for nobody has long ended."""


class HeldAudit(InMemoryAudit):
    """Writes when it is let."""

    def __init__(self):
        super().__init__()
        self.asked, self.let = threading.Event(), threading.Event()

    def append(self, entries):
        self.asked.set()
        assert self.let.wait(LONG_S)
        super().append(entries)


def test_who_asks_while_another_writes_waits_until_it_is_written():
    """So that a page of the audit has all that was noted before it was asked for."""
    audit = HeldAudit()
    trail = AuditTrail(audit)
    trail.note(ENTRY)
    first, second = (threading.Thread(target=trail.flush) for _ in range(2))
    first.start()
    assert audit.asked.wait(LONG_S)
    second.start()
    second.join(MOMENT_S)
    assert second.is_alive()
    audit.let.set()
    for thread in (first, second):
        thread.join(LONG_S)
    assert audit.count(AuditListing(project="default")) == 1
    trail.close()
