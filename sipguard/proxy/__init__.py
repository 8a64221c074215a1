"""The proxy core: RFC 3261 §16 as the transaction user. Validation, routes, targets, forwarding, active calls. Pure."""
