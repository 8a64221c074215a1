"""The soak: calls of every outcome through a real proxy over a bad network, every one of them accounted for.

``python -m bench.soak`` (or ``make soak``); docs/soak.md says what it does and how to read it. The pieces: two agents
(``agent``) play callers and called parties (``caller``, ``callee``) of the ``kinds`` of calls there are; a relay
(``relay``) loses, doubles and reorders what passes between them and the proxy (``impairment``, ``network``); at the end
the attestation log is held against what the agents saw (``accounting``), and the proxy's memory against its start
(``memory``).
"""
