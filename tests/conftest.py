"""For all tests."""

import functools

import botocore.session

from tests.local.aws import LocalAws

LocalAws.raises_complaints = True
# botocore reads the models of the services for each session, which takes most of the time of a session.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
