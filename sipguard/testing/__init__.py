"""The test kit, shipped: certificates, networks and playbooks for testing with this package. Not for production."""
