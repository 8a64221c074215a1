"""sipguard: the caller-identity firewall for SIP trunks."""

__version__ = "0.1.0"
