"""Errors of the user's machine, and of AWS, as a problem and a remedy: profile, credentials, region, network,
clock.

botocore has a class for each, and AWS a code. An error that is not listed is AWS's own text, or a defect.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from getpass import GetPassWarning
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from cli.shell import command
from cli.shell.failure import Failure, NotLooked, WrongUse
from cli.shell.spelling import did_you_mean

_AGAIN = "Correct the cause, and run this again"
# Where a profile or a region may be set, the first one before the others.
_PROFILE = "--profile, profile in samconfig.toml, or AWS_PROFILE"
REGION = "--region, region in samconfig.toml, AWS_REGION, or the profile's region"
# Of the prompt for the code of an MFA device.
WITHOUT_TERMINAL = (EOFError, GetPassWarning)
NOT_OF_AWS = (
    "the answer is not that of AWS",
    "Check the network: a proxy, or the page of a login, may answer instead",
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEY = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "AuthFailure",
    "InvalidToken",
}
_WRONG_CLOCK = {"RequestTimeTooSkewed", "RequestInTheFuture"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
}
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# They choose the host.
_ENDPOINTS = re.compile("AWS_ENDPOINT_URL.*|AWS_USE_(FIPS|DUALSTACK)_ENDPOINT")
# A label of a host name.
_REGION_LABEL = re.compile(r"(?<=[.])[a-z]+(-[a-z]+)*-[0-9]+(?=[.])")


def explained(error: Exception) -> Failure | None:
    """`None` if neither AWS nor the user's machine causes it."""
    for kinds, explain in _EXPLANATIONS:
        if isinstance(error, kinds):
            return explain(error)
    return None


def is_denied(error: aws.ClientError) -> bool:
    return code_of(error) in _DENIED


def ends_all(error: Exception) -> bool:
    """Whether each further call would fail as well: the login has expired, or the network is lost."""
    return not isinstance(error, aws.ClientError) or code_of(error) in _EXPIRED | _UNKNOWN_KEY | _WRONG_CLOCK


def has_done_nothing(error: Exception) -> bool:
    """Whether AWS has proved that a call changed nothing. A rejected repetition, as by throttling, proves
    nothing about a call before it whose response was lost."""
    if not isinstance(error, aws.ClientError):
        return False
    metadata = error.response.get("ResponseMetadata", {})
    return bool(metadata.get("HTTPStatusCode", 500) < 500 and metadata.get("RetryAttempts") == 0)


def is_passing(error: Exception) -> bool:
    """Whether a repeated look may succeed: without throttling, with the network, after a new login, or after
    a failure of AWS."""
    if not isinstance(error, aws.ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or code_of(error) in _THROTTLED | _EXPIRED | _UNKNOWN_KEY


def code_of(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _profile(error: Any) -> Failure:
    # With an AWS_PROFILE that does not exist, boto3 creates no session.
    known, name = (
        sorted(botocore.session.Session(profile="default").available_profiles),
        error.kwargs.get("profile", ""),
    )
    return WrongUse(
        f"there is no profile {name} in {_file()}" + did_you_mean(name, known),
        (
            f"Correct {_PROFILE}: {', '.join(known)}"
            if known
            else f"Create one: `{command.aws('configure', 'sso')}`. Or remove it from {_PROFILE}"
        ),
    )


def _file() -> str:
    return os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"


def _log_in() -> str:
    """The credentials of variables come before those of a profile that AWS_PROFILE or nothing names."""
    variables = (
        ". If the credentials are those of AWS_ACCESS_KEY_ID, set that and its other variables again, or"
        " unset them"
    )
    return (
        f"Log in, for example with `{command.aws('sso', 'login')}`, or name another profile with --profile."
        f" `{command.aws('sts', 'get-caller-identity')}` shows whether it works"
        f"{variables if os.environ.get('AWS_ACCESS_KEY_ID') else ''}"
    )


def _credentials(error: Exception) -> Failure:
    return NotLooked(f"no AWS credentials: {error}", _log_in())


def _sso(error: Exception) -> Failure:
    return NotLooked(f"the login has expired, or there is none yet: {error}", _log_in())


def _config(error: Any) -> Failure:
    cause = error.kwargs.get("error")
    # Not its text, which has the line, perhaps with a key.
    lines = [getattr(cause, "lineno", None), *(line for line, _ in getattr(cause, "errors", []))]
    line = next((f" (at line {each})" for each in lines if each), "")
    return WrongUse(f"{error.kwargs.get('path', _file())} is not read{line}", "Correct the file")


def _wrong_profile(error: Exception) -> Failure:
    return WrongUse(
        f"a profile of {_file()} is wrong: {error}", "Correct it, or name another profile with --profile"
    )


def _missing_part(_: Exception) -> Failure:
    export = command.aws("configure", "export-credentials", "--format", "env")
    # The text of botocore advises to install it, which the file of the release does not read.
    return NotLooked(
        "this profile needs awscrt, a part of the AWS SDK that cfn-gitops does not have",
        "Run this with --region, without --profile and without profile in samconfig.toml, after you have"
        f' passed its credentials: eval "$({export})"',
    )


def _mfa(_: Exception) -> Failure:
    return NotLooked(
        "the profile needs the code of an MFA device, and there is no terminal to type it",
        "Run this in a terminal, or name another profile with --profile",
    )


def _region(error: Exception) -> Failure:
    return WrongUse(f"no region has this name: {error}", f"Correct {REGION}")


def no_region(_: Exception | None = None) -> Failure:
    return WrongUse("no region is set", "Name it with --region, or set AWS_REGION")


def _endpoint(error: Any) -> Failure:
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or "AWS"
    found = _REGION_LABEL.search(host)
    known = _regions()
    if found and known and found[0] not in known:
        return WrongUse(
            f"{host} does not answer, and {found[0]} is not a region that this version knows"
            + did_you_mean(found[0], known),
            f"Correct {REGION}",
        )
    # A profile of ~/.aws/config may have it instead.
    chosen = [*filter(_ENDPOINTS.fullmatch, sorted(os.environ))] or ["use_fips_endpoint"] * ("fips" in host)
    by = f"{' and '.join(chosen)} chooses this host. " if chosen else ""
    return NotLooked(
        f"{host} does not answer",
        f"Check the network, and HTTPS_PROXY if it needs one. {by}If only this service fails, the region may"
        " not have it",
    )


def _regions() -> set[str]:
    session = boto3.Session("none", "none", region_name="us-east-1")
    return {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("cloudformation", partition_name=partition)
    }


def _proxy(_: Exception) -> Failure:
    return NotLooked(
        f"the proxy does not answer, or rejects the connection: {_proxies() or 'of the AWS configuration'}",
        "Correct the address, or unset the variable",
    )


def _proxies() -> str:
    """The variables with their hosts, because an address may contain a password."""
    return ", ".join(f"{name} ({_host(os.environ[name])})" for name in _PROXIES if os.environ.get(name))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or "not an address"
    except ValueError:
        return "not an address"


def _http(error: Any) -> Failure:
    # A text of urllib3 may contain the proxy's address with its password.
    if isinstance(error.kwargs.get("error"), ValueError) and _proxies():
        return NotLooked(
            f"the address of the proxy is not read: {_proxies()}",
            "Correct it, as in http://proxy.example.com:3128",
        )
    return NotLooked(f"the connection failed ({type(error.kwargs.get('error')).__name__})", _network())


def _network() -> str:
    return f"Check the network{f', and the proxy of {_proxies()}' if _proxies() else ''}, and run this again"


def _tls(error: Any) -> Failure:
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or "AWS"
    return NotLooked(
        f"the certificate of {host} is not trusted: {_last_part(error)}",
        "If your network inspects TLS, name the file with its CA: AWS_CA_BUNDLE=/path/to/ca.pem",
    )


def _last_part(error: Any) -> str:
    found = re.search(r"\[SSL[^\]]*\][^()']*", str(error))
    return found[0].strip() if found else str(error.kwargs.get("error", error))


def _time_limit(error: Any) -> Failure:
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or "AWS"
    return NotLooked(f"{host} did not answer in time, or closed the connection", _network())


def _rejected(error: Any) -> Failure:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    if code in _WRONG_CLOCK or "Signature expired" in message or "Signature not yet current" in message:
        return NotLooked(
            f"this machine's clock differs from AWS's: {message}",
            "Set it. On Linux: `timedatectl set-ntp true`",
        )
    if code in _EXPIRED:
        return NotLooked(f"the credentials have expired ({code})", _log_in())
    if code in _UNKNOWN_KEY:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html
        return NotLooked(
            f"AWS does not know these credentials in this region ({code}): {message}",
            f"{_log_in()}. If they work in another region, the account may not have enabled this one:"
            f" `{command.aws('account', 'get-region-opt-status', '--region-name', 'NAME')}` shows that. If"
            " it is enabled, their session is of STS's global endpoint: log in with"
            " AWS_STS_REGIONAL_ENDPOINTS=regional",
        )
    if code == "SignatureDoesNotMatch":
        return NotLooked(
            "the secret access key does not belong to the access key",
            "Correct it in ~/.aws/credentials or AWS_SECRET_ACCESS_KEY, or log in again",
        )
    if code in _DENIED:
        return NotLooked(
            f"{error.operation_name} is denied: {message}",
            "Name another profile with --profile, or ask an administrator of the account",
        )
    if code in _THROTTLED:
        return NotLooked(f"AWS throttles {error.operation_name}", "Run this again in a minute")
    return NotLooked(str(error), _AGAIN)


def _not_of_aws(_: Exception) -> Failure:
    return NotLooked(*NOT_OF_AWS)


def _other(error: Exception) -> Failure:
    return NotLooked(str(error), _AGAIN)


# The first that matches: a class comes before its base class.
_EXPLANATIONS: list[tuple[Any, Callable[[Any], Failure]]] = [
    (aws.ProfileNotFound, _profile),
    # LoginError, that of `aws login`, is newer.
    ((aws.SSOError, aws.TokenRetrievalError, getattr(aws, "LoginError", aws.SSOError)), _sso),
    (
        (
            aws.NoCredentialsError,
            aws.PartialCredentialsError,
            aws.CredentialRetrievalError,
            aws.MetadataRetrievalError,
        ),
        _credentials,
    ),
    (WITHOUT_TERMINAL, _mfa),
    (aws.InvalidConfigError, _wrong_profile),
    ((aws.ConfigParseError, aws.ConfigNotFound), _config),
    (aws.MissingDependencyException, _missing_part),
    (aws.NoRegionError, no_region),
    (aws.InvalidRegionError, _region),
    (aws.ProxyConnectionError, _proxy),
    (aws.SSLError, _tls),
    (aws.ConnectTimeoutError, _time_limit),
    (aws.EndpointConnectionError, _endpoint),
    ((aws.ReadTimeoutError, aws.ConnectionClosedError), _time_limit),
    (aws.HTTPClientError, _http),
    (aws.ClientError, _rejected),
    (ResponseParserError, _not_of_aws),
    (aws.BotoCoreError, _other),
    # A file, a program, a folder or a socket of this machine.
    (OSError, _other),
]
