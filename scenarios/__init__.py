"""SIP traffic on real sockets: SIPp call flows (one XML file each), the agents that play them, and the demo.

Nothing in here imports ``sipguard``: the agents know SIP neighbours and addresses, the demo knows the command line.
"""
