"""Who takes TCP in place of UDP is learnt by trying."""

from sipguard.proxy.stream_memory import StreamMemory
from sipguard.sip.flow import Flow

STREAM = Flow(1, "tcp", "192.0.2.1", 5060)


def test_only_what_was_tried_can_be_refused() -> None:
    """A stream that ends says nothing about a neighbour no large request was sent to, or one that has answered."""
    memory = StreamMemory()
    memory.lost(STREAM, 0.0)
    assert memory.takes("192.0.2.1", 5060, 0.0)
    memory.tried("192.0.2.1", 5060)
    memory.took("192.0.2.1", 5060)
    memory.lost(STREAM, 0.0)
    assert memory.takes("192.0.2.1", 5060, 0.0)
    memory.tried("192.0.2.1", 5060)
    memory.lost(STREAM._replace(transport="udp"), 0.0)
    assert memory.takes("192.0.2.1", 5060, 0.0)
    memory.lost(STREAM, 0.0)
    assert not memory.takes("192.0.2.1", 5060, 3599.0)
    assert memory.takes("192.0.2.1", 5060, 3600.0)
    assert memory.takes("192.0.2.1", 5061, 0.0)


def test_memory_is_bounded() -> None:
    """However many neighbours there are, what is kept of them has an end."""
    memory = StreamMemory()
    for number in range(10_000):
        memory.tried("192.0.2.1", number)
        memory.refused("192.0.2.2", number, 0.0)
    assert sum(not memory.takes("192.0.2.2", number, 1.0) for number in range(10_000)) <= 4096
