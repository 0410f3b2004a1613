from tests.local.aws import LocalAws

LocalAws.raises_complaints = True
