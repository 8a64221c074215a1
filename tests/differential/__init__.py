"""sipguard beside another reader of SIP: the package ``sipmessage``, which was written from the same RFC by others."""
