"""Calls between peers that others wrote: SIPp, baresip and Kamailio, with the real proxy process in the middle."""
