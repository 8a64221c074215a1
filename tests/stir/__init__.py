"""Tests of sipguard.stir, file for file."""
