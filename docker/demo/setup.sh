#!/bin/sh
# Makes TEST certificates and fills the registry of compose.yaml's proxy; run again, it makes them anew.
set -eu
python3 certs/make.py /var/lib/sipguard/certs
sipguard account import docker/demo/accounts.csv --config /etc/sipguard/sipguard.toml
sipguard number import docker/demo/numbers.csv --config /etc/sipguard/sipguard.toml
sipguard check --config /etc/sipguard/sipguard.toml
