"""The flows: what customers and carriers do with a call, each as a ladder (see ladder.py).

The names say what a flow proves. Rows and bodies are in content.py.
"""

_UP = """
    > INVITE =offer
    < 180
    < 200 =answer
    > ACK
"""
_CALLER_ENDS = """
    > BYE
    < 200
"""
_CALLED_ENDS = """
    < BYE +reason
    > 200
"""

_SESSION = {
    "answered, ended by the caller": f"{_UP} {_CALLER_ENDS}",
    "answered, ended by the called side": f"{_UP} {_CALLED_ENDS}",
    "re-INVITE from both sides": f"""{_UP}
        > INVITE =offer2
        < 180
        < 200 =answer2
        > ACK
        < INVITE =offer3
        > 200 =answer3
        < ACK
        {_CALLER_ENDS}""",
    "hold and resume by the caller": f"""{_UP}
        > INVITE =sendonly
        < 200 =recvonly
        > ACK
        > INVITE =offer3
        < 200 =answer3
        > ACK
        {_CALLER_ENDS}""",
    "hold by both sides": f"""{_UP}
        < INVITE =sendonly
        > 200 =recvonly
        < ACK
        > INVITE =inactive
        < 200 =inactive
        > ACK
        < INVITE =black-hole
        > 200 =black-hole
        < ACK
        {_CALLED_ENDS}""",
    "re-INVITE refused, the call goes on": f"""{_UP}
        > INVITE =offer2
        < 488 +warning
        > ACK
        > INVITE =offer3
        < 200 =answer3
        > ACK
        {_CALLER_ENDS}""",
    "re-INVITE challenged by the far end": f"""{_UP}
        > INVITE =offer2
        < 401 +www-authenticate
        > ACK
        > INVITE +authorization =offer2
        < 200 =answer2
        > ACK
        {_CALLER_ENDS}""",
    "late offer": f"""
        > INVITE
        < 180
        < 200 =offer
        > ACK =answer
        > INVITE
        < 200 =offer2
        > ACK =answer2
        {_CALLER_ENDS}""",
    "re-INVITE glare": f"""{_UP}
        < INVITE =offer3
        > INVITE =offer2
        < 491
        > ACK
        > 491 +retry-after
        < ACK
        {_CALLER_ENDS}""",
}

_EARLY = {
    "early media": f"""
        > INVITE =offer
        < 183 +p-early-media =answer
        < 180
        < 181 +history-info
        < 200 =answer
        > ACK
        {_CALLER_ENDS}""",
    "two reliable provisionals with SDP": f"""
        > INVITE +supported-100rel =offer
        < 183 +rel1 =answer
        > PRACK +rack1
        < 200 PRACK
        < 183 +rel2 =answer2
        > PRACK +rack2 =offer2
        < 200 PRACK =answer2
        < 180 +rel3
        > PRACK +rack3
        < 200 PRACK
        < 200 INVITE
        > ACK
        {_CALLER_ENDS}""",
    "a provisional repeated until its PRACK": f"""
        > INVITE +require-100rel =offer
        < 183 +rel1 =answer
        < 183 INVITE +rel1 =answer unseen wait=200
        > PRACK +rack1 wait=300
        < 200 PRACK
        < 200 INVITE
        > ACK
        {_CALLER_ENDS}""",
    "UPDATE in the early dialog, from both sides": f"""
        > INVITE +supported-100rel =offer
        < 183 +rel1 =answer
        > PRACK +rack1
        < 200 PRACK
        > UPDATE =offer2
        < 200 UPDATE =answer2
        < UPDATE =offer3
        > 200 UPDATE =answer3
        < 200 INVITE
        > ACK
        {_CALLER_ENDS}""",
    "BYE in the early dialog": """
        > INVITE =offer
        < 180
        > BYE
        < 200 BYE
        < 487 INVITE
        > ACK
    """,
}

_TIMERS = {
    "422, then a session refreshed by UPDATE": f"""
        > INVITE +se-60 =offer
        < 422 +min-se
        > ACK
        > INVITE +se-1800 +min-se =offer
        < 200 +se-uac =answer
        > ACK
        > UPDATE +se-1800
        < 200 UPDATE +se-uac
        < UPDATE +se-1800
        > 200 UPDATE +se-uac
        {_CALLER_ENDS}""",
    "a session refreshed by re-INVITE": f"""
        > INVITE +se-1800 =offer
        < 200 +se-uas =answer
        > ACK
        < INVITE +se-uas =offer2
        > 200 +se-uas =answer2
        < ACK
        {_CALLED_ENDS}""",
}

_CANCEL = {
    "CANCEL while it rings": """
        > INVITE =offer
        < 180
        > CANCEL +reason
        < 200 CANCEL
        < 487 INVITE
        > ACK
    """,
    "CANCEL before the called side has said anything": """
        > INVITE =offer
        < 100 unsent
        > CANCEL unseen wait=150
        < 200 CANCEL unsent
        < 180 INVITE wait=700
        > CANCEL unsent
        < 200 CANCEL unseen
        < 487 INVITE
        > ACK
    """,
    "CANCEL crosses the answer": f"""
        > INVITE =offer
        < 180
        > CANCEL
        < 200 CANCEL unsent
        < 200 INVITE =answer
        > ACK
        < 200 CANCEL unseen
        {_CALLED_ENDS}""",
    "CANCEL of a re-INVITE": f"""{_UP}
        > INVITE =offer2
        < 180
        > CANCEL
        < 200 CANCEL
        < 487 INVITE
        > ACK
        {_CALLER_ENDS}""",
}

_REFUSED = {
    "busy": """
        > INVITE =offer
        < 180
        < 486 +retry-after
        > ACK
    """,
    "refused everywhere (6xx)": """
        > INVITE =offer
        < 603 +reason
        > ACK
    """,
    "a redirection goes to the caller": """
        > INVITE =offer
        < 302 +contacts +diversion
        > ACK
    """,
    "an extension the far end does not know": """
        > INVITE +require-odd =offer
        < 420 +unsupported
        > ACK
    """,
    "the far end challenges": """
        > INVITE =offer
        < 407 +proxy-authenticate
        > ACK
        > INVITE +proxy-authorization =offer
        < 180
        < 200 =answer
        > ACK
        > BYE +proxy-authorization
        < 200
    """,
}

_TRANSFER = {
    "REFER by the caller, then BYE": f"""{_UP}
        > REFER +refer-to
        < 202
        < NOTIFY +notify-trying =trying
        > 200
        < NOTIFY +notify-done =ok
        > 200
        {_CALLER_ENDS}""",
    "REFER by the called side with Replaces, the last NOTIFY after the BYE": f"""{_UP}
        < REFER +refer-to-replaces
        > 202
        > NOTIFY +notify-trying =trying
        < 200
        < BYE
        > 200
        > NOTIFY +notify-done =ok
        < 200
    """,
    "an INVITE with Replaces": f"""
        > INVITE +replaces =offer
        < 200 =answer
        > ACK
        {_CALLER_ENDS}""",
}

_OTHER_METHODS = {
    "INFO with digits, from both sides": f"""{_UP}
        > INFO =dtmf
        < 200
        < INFO +info-package =dtmf
        > 200
        > OPTIONS
        < 200 +allow
        < MESSAGE =text
        > 200
        {_CALLER_ENDS}""",
    "a subscription": """
        > SUBSCRIBE +event
        < 200 +expires
        < NOTIFY +notify-active =mwi
        > 200
        > SUBSCRIBE +event0
        < 200 +expires0
        < NOTIFY +notify-over =mwi
        > 200
    """,
    "MESSAGE": """
        > MESSAGE =text
        < 202
    """,
    "OPTIONS": """
        > OPTIONS +accept
        < 200 +allow =answer
    """,
}

_CONTENT = {
    "large bodies": f"""
        > INVITE =large
        < 183 =large
        < 200 =large
        > ACK
        > INVITE =large
        < 200 =large
        > ACK
        {_CALLER_ENDS}""",
    "multipart with ISUP": """
        > INVITE =isup
        < 183 =isup
        < 200 =isup
        > ACK
        > BYE =isup-release
        < 200 =isup-release
    """,
    "multipart with a location": f"""
        > INVITE +geolocation =location
        < 200 +geolocation =answer
        > ACK
        {_CALLER_ENDS}""",
    "headers of every kind": """
        > INVITE +plain +odd +utf-8 +session-id +preferences +history-info =offer
        < 180 +plain +odd +utf-8 +session-id2 +history-info
        < 200 +plain +odd +utf-8 +session-id2 =answer
        > ACK +plain +odd +utf-8 +session-id
        < INFO +plain +odd +utf-8 +session-id2 =dtmf
        > 200 +plain +odd +utf-8 +session-id
        > BYE +plain +odd +utf-8 +session-id
        < 200 +plain +odd +utf-8 +session-id2
    """,
}

_LATE = {
    "the ACK comes late, the 200 again and again": f"""
        > INVITE =offer
        < 180
        < 200 =answer
        > ACK wait=1200
        {_CALLER_ENDS}""",
    "the ACK is lost": f"""
        > INVITE =offer
        < 200 =answer
        > ACK
        < 200 INVITE =answer unseen wait=100
        > ACK unsent
        {_CALLED_ENDS}""",
    "the answer to BYE comes late": f"""{_UP}
        > BYE
        < 200 wait=700
    """,
    "the first answer comes late": f"""
        > INVITE =offer
        < 200 =answer wait=700
        > ACK
        {_CALLER_ENDS}""",
}

GROUPS = (
    (_SESSION, ("PRX-02", "PRX-08", "PRX-10", "PRX-24", "PRX-28", "RFC 3264 8")),
    (_EARLY, ("FRK-19", "EXT-01", "RFC 3262 3", "RFC 3261 16.7 (5)")),
    (_TIMERS, ("EXT-02", "RFC 4028 8")),
    (_CANCEL, ("RFC 3261 9", "RFC 3261 16.10")),
    (_REFUSED, ("RFC 3261 16.7 (7)", "RFC 3261 22.3")),
    (_TRANSFER, ("EXT-10", "RFC 3515 2.4")),
    (_OTHER_METHODS, ("PRX-02", "RFC 6086 4.2")),
    (_CONTENT, ("PRX-02", "RFC 3261 16.6 (1)")),
    (_LATE, ("PRX-23", "RFC 6026 7.1")),
)
_MORE = {  # what single flows prove beside that
    "re-INVITE glare": ("EXT-03", "RFC 3261 14.1"),
    "re-INVITE challenged by the far end": ("EXT-13",),
    "UPDATE in the early dialog, from both sides": ("EXT-03", "RFC 3311 5"),
    "BYE in the early dialog": ("RFC 3261 15",),
    "REFER by the called side with Replaces, the last NOTIFY after the BYE": ("EXT-11",),
    "an INVITE with Replaces": ("EXT-11",),
    "a subscription": ("EXT-04", "RFC 6665 4"),
    "MESSAGE": ("EXT-05", "RFC 3428 6"),
    "headers of every kind": ("EXT-08", "EXT-06", "RFC 7989 7"),
}
FLOWS = {name: text for flows, _ in GROUPS for name, text in flows.items()}
CLAUSES = {name: clauses + _MORE.get(name, ()) for flows, clauses in GROUPS for name in flows}
