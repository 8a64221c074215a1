"""What a request says of its priority: Resource-Priority (RFC 4412) and the call-back mark of RFC 7090.

Read the same way when it is verified and when it is stripped. A field that names one namespace twice says nothing
(RPH-07): which of the two counts would be up to the next reader.
"""

from sipguard.errors import MalformedValue
from sipguard.sip.message import Message

RESOURCE_PRIORITY = "resource-priority"
_CALLBACK = "psap-callback"


def resource_priorities(message: Message) -> tuple[str, ...]:
    """The values, in lower case; none when the field is absent, malformed or contradicts itself."""
    if not message.has(RESOURCE_PRIORITY):
        return ()
    try:
        values = [value.lower() for value in message.listed(RESOURCE_PRIORITY)]
    except MalformedValue:
        return ()
    namespaces = {namespace_of(value) for value in values}
    return tuple(values) if len(namespaces) == len(values) else ()


def namespace_of(value: str) -> str:
    """The namespace of an r-value."""
    return value.partition(".")[0].lower()


def is_callback(message: Message) -> bool:
    """Whether the call says that it comes back from an emergency centre."""
    priority = message.value("priority")
    return priority is not None and priority.lower() == _CALLBACK
