# What this house can do. Every target installs what it needs (Debian packages as root or through sudo, Python packages
# into .venv) and skips quickly what is there already.

VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# The distribution's Python first: it is built with profile-guided optimisation, one built at home often is not, and the
# difference is a fifth of the proxy's CPU time.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON3 ?= $(or $(shell for python in /usr/bin/python3 python3; do \
		$$python $(NEW_ENOUGH) && { echo $$python; break; }; \
	done),python3)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq

CODE := sipguard tests scenarios bench fuzz certs/make.py docs/generate.py
SIP_PACKAGES := sip-tester baresip-core kamailio kamailio-tls-modules softhsm2 postgresql
BENCH_PACKAGES := sip-tester kamailio kamailio-secsipid-modules

# $(call debian,PACKAGES): install those that are missing. Kamailio is wanted as a program, never as a service.
debian = @missing=$$(for package in $(1); do \
		dpkg-query --show --showformat='$${db:Status-Status}\n' $$package 2>/dev/null | grep -qx installed || echo $$package; \
	done); \
	case "$$missing" in *kamailio*) [ ! -d /run/systemd/system ] || $(SUDO) systemctl --quiet mask kamailio.service;; esac; \
	[ -z "$$missing" ] || { echo "installing" $$missing; $(APT) update && $(APT) install -y --no-install-recommends $$missing; }

.PHONY: help demo test lint check bench overload soak fuzz certs docs sip
.DEFAULT_GOAL := help

help:
	@echo "make demo    the main job on real SIP traffic, in about a minute"
	@echo "make test    the whole test suite"
	@echo "make lint    style, types and import contracts"
	@echo "make check   those, and the suite with its coverage"
	@echo "make bench   CPU per call against Kamailio with secsipid"
	@echo "make soak    CALLS=500000 calls of every outcome over a bad network, RATE=300 a second, all accounted for"
	@echo "make fuzz    FUZZ_SECONDS=60 of coverage-guided fuzzing for each target"
	@echo "make overload  the overload curve: 0.5, 1, 2 and 3 times what the node can take"
	@echo "make certs   a TEST STIR/SHAKEN authority in certs/test (never trust it)"
	@echo "make docs    the generated pages of docs/"

demo: $(INSTALLED) sip
	$(PYTHON) -m scenarios.demo

test: $(INSTALLED) sip
	$(PYTHON) -m pytest -n auto

lint: $(INSTALLED)
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/mypy --strict sipguard scenarios bench fuzz certs/make.py
	$(VENV)/bin/lint-imports

check: lint sip
	$(PYTHON) -m pytest -n auto --cov --cov-report=term

# FUZZ_SECONDS for each target in turn, with little priority; stops at the first finding.
FUZZ_SECONDS ?= 60
fuzz: $(INSTALLED)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	for target in $$($(PYTHON) -m fuzz --targets); do \
		nice -n 19 $(PYTHON) -m fuzz $$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 || exit 1; \
	done

bench: $(INSTALLED)
	$(call debian,$(BENCH_PACKAGES))
	$(PYTHON) -m bench.against_kamailio --mode sign
	$(PYTHON) -m bench.against_kamailio --mode verify

CALLS ?= 500000
RATE ?= 300

soak: $(INSTALLED)
	$(PYTHON) -m bench.soak --calls $(CALLS) --rate $(RATE)

overload: $(INSTALLED) sip
	$(PYTHON) -m bench.overload

certs: $(INSTALLED)
	$(PYTHON) certs/make.py certs/test

docs: $(INSTALLED)
	$(PYTHON) -m sipguard.transaction.diagram > docs/state-machines.md
	$(PYTHON) docs/generate.py docs/reference
	$(PYTHON) -m tests.standards docs/standards.md
	$(PYTHON) -m tests.policy.emergency_table docs/emergency-numbers.md
	$(PYTHON) -m tests.live.wire_faults > $(VENV)/stir-faults.md && mv $(VENV)/stir-faults.md docs/stir-faults.md

sip:
	$(call debian,$(SIP_PACKAGES))

# A virtual environment needs ensurepip, which Debian keeps in a package of its own.
$(VENV)/bin/python:
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || { $(APT) update && $(APT) install -y python3 python3-venv; }
	$(PYTHON3) -m venv $(VENV)

$(INSTALLED): pyproject.toml $(VENV)/bin/python
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev,demo,fast,hsm]'
	@touch $@
