"""The view: everything a stage may consult beside the call. Frozen; a reload swaps the whole of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipguard.policy.callbacks import CallbackWindows
from sipguard.policy.calling_hours import Zones, nowhere
from sipguard.policy.delivered_calls import DeliveredCalls
from sipguard.policy.directory import Directory
from sipguard.policy.settings import PolicySettings
from sipguard.stir.attestation import OriginationIdentifiers
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.generations import Generations
from sipguard.stir.verification import VerificationService
from sipguard.traffic.book import TrafficBook
from sipguard.traffic.destinations import DestinationTraffic
from sipguard.traffic.rotation import RotationWatch
from sipguard.traffic.usage import Usage


@dataclass(frozen=True, slots=True)
class View:
    """What a stage may look at. ``signers`` holds the signing certificates by name.

    ``usage`` is what calls take of their limits, ``destinations`` where they went, ``rotation`` who was refused at
    whom. ``passwords`` are those we have at carriers, by trunk. ``zones`` knows the time zones a number may be in.
    """

    directory: Directory
    policy: PolicySettings
    signers: Mapping[str, Generations]
    origids: OriginationIdentifiers
    verification: VerificationService
    certificates: CertificateCache
    traffic: TrafficBook
    callbacks: CallbackWindows = field(default_factory=CallbackWindows)
    delivered: DeliveredCalls = field(default_factory=DeliveredCalls)
    usage: Usage = field(default_factory=Usage)
    destinations: DestinationTraffic = field(default_factory=DestinationTraffic)
    rotation: RotationWatch = field(default_factory=RotationWatch)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    zones: Zones = nowhere
