"""SIP transactions (RFC 3261 §17, RFC 6026, RFC 4320): four state machines written as tables. Pure and hot.

``tables`` holds the machines as data, ``client`` and ``server`` the objects that walk them, ``key`` says which message
belongs to which object, ``timers`` is the one heap everything that waits shares, and ``layer`` is the door. The
transaction user (the proxy) implements ``user.TransactionUser``.
"""
