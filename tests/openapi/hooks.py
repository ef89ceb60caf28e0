"""What schemathesis is not to send, because cargo-lambda answers it itself."""

import schemathesis


def is_utf8(sent):
    """Whether these bytes are UTF-8."""
    try:
        sent.decode()
    except UnicodeDecodeError:
        return False
    return True


@schemathesis.hook
def filter_case(context, case):
    """cargo-lambda answers a body or a header that is not UTF-8 with a 500 of its own."""
    # Each character of a header is sent as a byte.
    sent = [value.encode("latin-1") for value in (case.headers or {}).values()]
    return all(is_utf8(value) for value in [*sent, case.body] if isinstance(value, bytes))
