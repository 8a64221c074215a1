"""The loop: sockets, timers, fetches and files around the socketless engine. The only room that reads a clock."""
