"""The settings that a stage is deployed with."""

import artefacts
import clerk


def settings(aws, stage, **more):
    """The environment of a command for this stage: the stand-in for AWS and what was built."""
    return aws.variables | {
        "STAGE": stage,
        "BUILD": "0",
        "ARCH": artefacts.NATIVE,
        "LAMBDA_DIR": str(artefacts.folder(artefacts.NATIVE)),
        "CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY,
    } | more
