"""Policy: what a stage may look at, what it says, and the chain that applies it. Pure.

Verify measures, enforce decides: ``stir`` gives a Verdict, ``policy`` turns facts into a Decision with its trail.
"""
