"""Traffic: streaming call statistics with bounded memory, and the robo-dial standing they lead to. Pure."""
