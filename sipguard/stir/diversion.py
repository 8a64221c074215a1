"""Retargeted calls: the chains of ``div`` PASSporTs that lead from the number first called to where the call is now.

(RFC 8946.) Header fields come in no order, so links are found by what they say: a diversion belongs to a PASSporT with
the same calling identity that had called the number it diverts from. A chain holds when it leads to the call's target
(the Request-URI) and every PASSporT on it is good. Links are sets grown until they grow no more, so cycles end, and a
bad or foreign diversion beside a good one takes nothing away. A ``div-o`` carries its chain inside.

A PASSporT that was diverted from (some readable ``div`` names its called number) must be reached by a chain; To says
nothing about it. One that no diversion refers to is judged as if there were none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sipguard.stir.candidate import Candidate, Problem, enclosing_result, result_of
from sipguard.stir.claims import Claims, Diversion
from sipguard.stir.comparison import caller, disagreement, extras, staleness
from sipguard.stir.signalling import Signalling
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import HeaderResult, Reason


class MissingCertificate(NamedTuple):
    """The verdict depends on this certificate, which is not in the cache."""

    url: str


class Windows(NamedTuple):
    """Seconds iat may be off: of the PASSporT that counts now, and of those further back in its chain."""

    outermost: int
    inner: int


# What breaks a chain without saying that it is false.
_TOLD_AS_IT_IS = frozenset((Reason.STALE, Reason.CERTIFICATE_UNAVAILABLE))
Outcome = HeaderResult | MissingCertificate
Prove = Callable[[Candidate, bool], Outcome]


def walk(original: Claims, diversions: Mapping[int, Claims], target: frozenset[str]) -> frozenset[int]:
    """The keys of the diversions on any way from where ``original`` called to ``target``; empty when there is none."""
    forward = _grow(original.destinations, {
        key: (claims.own.div, claims.destinations)
        for key, claims in diversions.items()
        if isinstance(claims.own, Diversion) and claims.orig == original.orig
    })  # fmt: skip
    back: set[int] = set()
    wanted = set(target)
    while True:
        reached = {key for key in forward - back if not wanted.isdisjoint(diversions[key].destinations)}
        if not reached:
            return frozenset(back)
        back |= reached
        wanted |= {own.div for key in reached if isinstance(own := diversions[key].own, Diversion)}


def _grow(start: frozenset[str], links: Mapping[int, tuple[str, frozenset[str]]]) -> set[int]:
    """The links that can be followed from ``start``, one after the other."""
    known = set(start)
    followed: set[int] = set()
    while True:
        reached = {key for key in links.keys() - followed if links[key][0] in known}
        if not reached:
            return followed
        followed |= reached
        known.update(*(links[key][1] for key in reached))


class Chains:
    """The judgement of one request that holds diversions."""

    def __init__(
        self, examined: Sequence[Candidate | HeaderResult], signalling: Signalling, now: UnixTime, windows: Windows,
        prove: Prove,
    ) -> None:  # fmt: skip
        """``prove`` makes the checks of one PASSporT that need its certificate.

        Its second argument is whether the PASSporT is one of this very call, and must not have come with another: those
        from before a diversion did, when the call reached the one that diverted it.
        """
        self._examined = examined
        self._signalling = signalling
        self._now = now
        self._windows = windows
        self._prove = prove
        self._target = signalling.target
        self._diversions = {
            index: item
            for index, item in enumerate(examined)
            if isinstance(item, Candidate) and item.protected.ppt == "div"
        }
        self._claims = {index: item.claims for index, item in self._diversions.items()}
        self._proofs: dict[int, Outcome] = {}
        self._used: set[int] = set()
        self._failed: dict[int, HeaderResult] = {}  # diversions whose chain does not hold, and why

    def judge(self) -> list[Outcome]:
        """An outcome for each header, in order."""
        outcomes: list[Outcome] = []
        for index, item in enumerate(self._examined):
            if isinstance(item, HeaderResult):
                outcomes.append(item)
            elif index in self._diversions:
                outcomes.append(result_of(item, Reason.DIVERSION, "no PASSporT was diverted like this"))
            elif item.enclosed is not None:
                outcomes.append(self._enclosing(item))
            else:
                outcomes.append(self._original(item))
        for index, item in self._diversions.items():
            outcomes[index] = self._told(index, item)
        return outcomes

    def _original(self, item: Candidate) -> Outcome:
        """A PASSporT of the first called number: it stands for itself, or is led here by diversions."""
        claims = item.claims
        if not claims.destinations.isdisjoint(self._target):
            return self._alone(item, staleness(claims, self._now, self._windows.outermost))
        route = walk(claims, self._claims, self._target)
        if not route:
            if any(own.div in claims.destinations for own in self._diverting()):
                return result_of(item, Reason.DIVERSION, "no chain of diversions leads to the called number")
            return self._alone(item, disagreement(item, self._signalling, self._now, self._windows.outermost))
        outcome = self._alone(item, staleness(claims, self._now, self._windows.inner), of_this_call=False)
        if isinstance(outcome, MissingCertificate):
            return outcome
        if outcome.reason is not None:
            self._failed.update(dict.fromkeys(route, outcome))
            return outcome
        return self._led(item, outcome, route)

    def _alone(self, item: Candidate, problem: Problem | None, of_this_call: bool = True) -> Outcome:
        problem = problem or caller(item.claims, self._signalling) or extras(item.claims, self._signalling)
        return self._prove(item, of_this_call) if problem is None else result_of(item, *problem)

    def _led(self, item: Candidate, good: HeaderResult, route: frozenset[int]) -> Outcome:
        """A good original whose chain is to be proved: every PASSporT on one way to the target is good."""
        proofs = {index: self._proof(index) for index in route}
        sound = walk(
            item.claims,
            {
                index: self._claims[index]
                for index, proof in proofs.items()
                if isinstance(proof, HeaderResult) and proof.reason is None
            },
            self._target,
        )
        if sound:
            self._used |= sound
            return good
        for proof in proofs.values():
            if isinstance(proof, MissingCertificate):
                return proof
        broken = [proof for proof in proofs.values() if isinstance(proof, HeaderResult) and proof.reason is not None]
        reasons = {proof.reason for proof in broken}
        told = reasons.pop() if len(reasons) == 1 and reasons <= _TOLD_AS_IT_IS else Reason.DIVERSION
        failed = result_of(item, told, f"a diversion does not hold: {broken[0].detail}")
        self._failed.update(dict.fromkeys(route, failed))
        return failed

    def _proof(self, index: int) -> Outcome:
        """What one diversion comes to by itself; the outermost must be fresh, the ones before it recent."""
        if index not in self._proofs:
            item = self._diversions[index]
            outermost = not item.claims.destinations.isdisjoint(self._target)
            window = self._windows.outermost if outermost else self._windows.inner
            problem = staleness(item.claims, self._now, window) or extras(item.claims, self._signalling)
            self._proofs[index] = self._prove(item, outermost) if problem is None else result_of(item, *problem)
        return self._proofs[index]

    def _told(self, index: int, item: Candidate) -> Outcome:
        """The result of a diversion, after the originals have used what they could."""
        proof = self._proofs.get(index)
        if index in self._used or (isinstance(proof, HeaderResult) and proof.reason is not None):
            return self._proof(index)
        failed = self._failed.get(index)
        if failed is not None:
            return result_of(item, failed.reason, f"its chain: {failed.detail}")
        if any(isinstance(other, HeaderResult) and other.reason is Reason.UNSUPPORTED_PPT for other in self._examined):
            # Its original may be of a type we don't understand; the chain counts as absent (RFC 8946 §4.2 step 5).
            return result_of(item, Reason.UNSUPPORTED_PPT, "its original is of a type we don't understand")
        return result_of(item, Reason.DIVERSION, "no PASSporT was diverted like this")

    def _diverting(self) -> list[Diversion]:
        return [claims.own for claims in self._claims.values() if isinstance(claims.own, Diversion)]

    def _enclosing(self, item: Candidate) -> Outcome:
        """A ``div-o`` and what it encloses: the same checks, on a chain that needs no search."""
        problem = self._enclosed_problem(item)
        if problem is not None:
            return result_of(item, *problem)
        layer = item
        while True:
            proof = self._prove(layer, layer is item)
            if isinstance(proof, MissingCertificate):
                return proof
            if proof.reason is not None:
                return result_of(item, proof.reason, proof.detail)
            if layer.enclosed is None:
                return enclosing_result(item, proof)
            layer = layer.enclosed

    def _enclosed_problem(self, item: Candidate) -> Problem | None:
        if item.claims.destinations.isdisjoint(self._target):
            return Problem(Reason.DEST_MISMATCH, "dest does not hold the called number")
        window, layer = self._windows.outermost, item
        while True:
            claims = layer.claims
            problem = (
                staleness(claims, self._now, window)
                or caller(claims, self._signalling)
                or extras(claims, self._signalling)
            )
            inside = layer.enclosed
            if problem is not None or inside is None:
                return problem
            own = claims.own
            if not isinstance(own, Diversion) or own.div not in inside.claims.destinations:
                return Problem(Reason.DIVERSION, "the enclosed PASSporT did not call the diverting number")
            window, layer = self._windows.inner, inside


class Diverted(NamedTuple):
    """A ``div`` PASSporT to sign when a call is retargeted: what ``passport_writer.sign_div`` is given."""

    orig: str
    dest: str
    div: str
    iat: UnixTime


def passports_for_retarget(
    received: Sequence[Claims], target: str, new_target: str, covers: Callable[[str], bool]
) -> tuple[Diverted, ...]:
    """The ``div`` PASSporTs a retargeting entity adds for the PASSporTs it received (RFC 8946 §3, §4.1).

    ``target`` and ``new_target`` are the canonical identities of the Request-URI before and after, ``covers`` says
    whether our certificate has authority over an identity. None when the canonical target stays the same, nothing was
    signed, or we have no authority over ``target``. One for all PASSporTs of the same caller and called identities
    that lead to ``target``; earlier targets are not diverted from again. ``iat`` is retained.
    """
    if target == new_target or not covers(target):
        return ()
    added: dict[tuple[str, frozenset[str]], Diverted] = {}
    for claims in received:
        if target in claims.destinations:
            key = (claims.orig, claims.destinations)
            added.setdefault(key, Diverted(claims.orig, new_target, target, claims.iat))
    return tuple(added.values())
