"""SIP syntax (RFC 3261 §7, §19, §20, §25): bytes to messages and back. Pure and hot.

One octet is one character: heads are decoded as Latin-1, so every octet survives a round trip and no Unicode rule
(digits, case, white space) can make our view of a message differ from the next hop's. Bodies stay bytes.
"""
