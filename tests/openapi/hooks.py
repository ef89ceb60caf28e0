"""What schemathesis is not to send, because cargo-lambda answers it itself."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """cargo-lambda answers a body that is not UTF-8 with a 500 of its own."""
    if isinstance(case.body, bytes):
        try:
            case.body.decode()
        except UnicodeDecodeError:
            return False
    return True
