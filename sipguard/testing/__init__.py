"""The test kit, shipped: a network on a virtual clock, user agents to call through it, a test certificate authority."""
