"""Every subcommand on a machine that is not set up: one line with the problem and the remedy, and never a
traceback."""

import hashlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli import __main__ as program
from cli import main
from cli.main import COMMANDS
from tests.cli.aws_server import Answering, AwsServer, Machine, interrupts, running, silent
from tests.cli.conftest import ROOT, Ended, Run
from tests.deployment.pages import project_table
from tests.local.gitlab.certificates import Authority

AUTHORITY = Authority.make()
PASSWORD = "s3cret-of-the-proxy"
KEY = "wJalrXUtnFEMI-K7MDENG"
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
# Those that change something do not ask.
OPTIONS = {
    **dict.fromkeys(("approve", "reject"), ["shop", "--yes"]),
    "undo": ["shop", "--to", "4f2a9c1b", "--yes"],
    "freeze": ["--all", "--yes", "--reason", "sale"],
    "thaw": ["shop", "--yes"],
    "leave": ["--yes"],
    "undeploy": ["--yes", "--delete-bucket"],
}
SSO = """[profile work]
sso_session = company
sso_account_id = 111122223333
sso_role_name = Admin
[sso-session company]
sso_region = eu-central-1
sso_start_url = https://company.awsapps.com/start
"""
TABLE = "[dev.global.parameters]\nstack_name = 'cfn-gitops-dev'\n"
OF_PROJECT = project_table()
OVERRIDES = f"{TABLE}[dev.deploy.parameters]\nparameter_overrides = "


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsServer]:
    with running(AwsServer()) as server:
        yield server


@pytest.fixture(scope="session")
def aws_over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    """With a certificate of a CA of its own."""
    with running(AwsServer(AUTHORITY.server_context(tmp_path_factory.mktemp("tls"), "127.0.0.1"))) as server:
        yield server


@pytest.fixture
def machine(
    aws: AwsServer,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Machine]:
    made = Machine(aws, tmp_path_factory.mktemp("home"), folder, monkeypatch)
    made.set(
        HOME=str(made.home),
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY=KEY,
        AWS_REGION="eu-central-1",
        AWS_DEFAULT_REGION="eu-central-1",
        AWS_ENDPOINT_URL=aws.url,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_MAX_ATTEMPTS="1",
    )
    made.wait_for_answers(60)
    before = aws.identity, aws.other
    yield made
    aws.identity, aws.other = before
    aws.released.set()
    made.close()


@dataclass
class Trouble:
    """The cause, the expected line on standard error, and the exit status."""

    arrange: Callable[[Machine], Any]
    line: str
    status: int = 3
    arguments: tuple[str, ...] = ()


def answers(*identity: Any) -> Callable[[Machine], None]:
    return lambda machine: setattr(machine.server, "identity", identity if len(identity) > 1 else identity[0])


def in_samconfig(content: str | bytes) -> Callable[[Machine], None]:
    return lambda machine: machine.samconfig(content)


def over(path: str, then: Callable[[Path], Any]) -> Callable[[Machine], None]:
    """Something else in the place of samconfig.toml."""

    def arrange(machine: Machine) -> None:
        (machine.folder / path).unlink()
        then(machine.folder / path)

    return arrange


def unreadable(machine: Machine) -> None:
    def denied(*_: Any) -> str:
        raise PermissionError(13, "Permission denied")

    # Root may read each file.
    machine.monkeypatch.setattr(Path, "read_text", denied)


def silent_server(machine: Machine, of: str = "identity") -> None:
    machine.wait_for_answers(0.2)
    machine.server.released.clear()
    setattr(machine.server, of, silent)


def proxy(address: str) -> Callable[[Machine], None]:
    def arrange(machine: Machine) -> None:
        machine.unset("AWS_ENDPOINT_URL")
        machine.wait_for_answers(0.2)
        machine.set(
            HTTPS_PROXY=address.format(
                closed=machine.closed_port(), silent=machine.silent_port(), password=PASSWORD
            )
        )

    return arrange


def without_names(region: str = "eu-central-1") -> Callable[[Machine], None]:
    def arrange(machine: Machine) -> None:
        machine.unset("AWS_ENDPOINT_URL")
        machine.set(AWS_REGION=region)
        machine.without_names()

    return arrange


LOG_IN = "Log in, for example with `aws sso login`, or name another profile with --profile"
NETWORK = "Check the network"
TROUBLES: dict[str, Trouble] = {
    # The profile and its credentials.
    "unknown profile": Trouble(
        lambda machine: machine.config("[profile production]\n", "prodution"),
        "no profile prodution in .* Did you mean production[?] Correct --profile, profile in samconfig.toml,"
        " or AWS_PROFILE: production",
        2,
    ),
    "unknown profile as an option": Trouble(
        lambda machine: machine.config("[profile production]\n"),
        "Did you mean production[?]",
        2,
        arguments=("--profile", "prodution"),
    ),
    "no profile at all": Trouble(
        lambda machine: machine.set(AWS_PROFILE="work"),
        "no profile work in .* Create one: `aws configure sso`. Or remove it from --profile",
        2,
    ),
    "no credentials": Trouble(
        lambda machine: machine.config(""), f"no AWS credentials: Unable to locate credentials. {LOG_IN}"
    ),
    "half of the credentials": Trouble(
        lambda machine: machine.unset("AWS_SECRET_ACCESS_KEY"), f"missing: AWS_SECRET_ACCESS_KEY. {LOG_IN}"
    ),
    "expired credentials": Trouble(
        answers(403, "ExpiredToken", "The security token included in the request is expired"),
        f"the credentials have expired \\(ExpiredToken\\). {LOG_IN}.* those of AWS_ACCESS_KEY_ID, set that .*"
        " again, or unset",
    ),
    "unknown key": Trouble(
        answers(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
        f"AWS does not know these credentials in this region .*{LOG_IN}.*If they work in another region, the"
        " account may not have enabled this one: `aws [^`]*account get-region-opt-status --region-name NAME`"
        ".*STS's global endpoint",
    ),
    "wrong secret key": Trouble(
        answers(403, "SignatureDoesNotMatch", "The request signature we calculated does not match"),
        "the secret access key does not belong to the access key. Correct it in ~/.aws/credentials or"
        " AWS_SECRET_ACCESS_KEY",
    ),
    "no SSO login": Trouble(
        lambda machine: machine.config(SSO, "work"),
        f"the login has expired, or there is none yet: .*{LOG_IN}",
    ),
    "SSO session that does not exist": Trouble(
        lambda machine: machine.config(SSO.replace("[sso-session company", "[sso-session other"), "work"),
        "a profile of ~/.aws/config is wrong: .*sso-session does not exist.* Correct it",
        2,
    ),
    "source profile that does not exist": Trouble(
        lambda machine: machine.config(
            "[profile work]\nrole_arn = arn:aws:iam::111122223333:role/a\nsource_profile = hom\n", "work"
        ),
        'a profile of ~/.aws/config is wrong: .*"hom".* Correct it',
        2,
    ),
    "credential_process that fails": Trouble(
        lambda machine: machine.config(
            "[profile work]\ncredential_process = sh -c 'echo not today; exit 3' \n".replace(
                "echo not today", 'printf "not\\\\ntoday" >&2'
            ),
            "work",
        ),
        f"no AWS credentials: .*not.*today.*{LOG_IN}",
    ),
    **{
        f"credential_process with {name}": Trouble(
            lambda machine, command=command: machine.config(
                f"[profile work]\ncredential_process = {command}\n", "work"
            ),
            f"{line}.* `aws sts get-caller-identity` shows whether it works",
            status,
        )
        for name, command, line, status in [
            ("no program", "nosuch-program", "the AWS configuration is not read: .*nosuch-program", 2),
            ("another output", "echo hello", "the AWS configuration is not read: ", 2),
            ("a list", "echo []", "the AWS configuration is not read: ", 2),
            ("no key", 'echo {\\"Version\\":1}', "no AWS credentials: .*AccessKeyId", 3),
        ]
    },
    "no token of a web identity": Trouble(
        lambda machine: (
            machine.config(""),
            machine.set(AWS_WEB_IDENTITY_TOKEN_FILE="/nosuch", AWS_ROLE_ARN="arn:aws:iam::1:role/a"),
        ),
        "the AWS configuration is not read: .*/nosuch",
        2,
    ),
    "broken config": Trouble(
        lambda machine: machine.config(f"[default]\naws_access_key_id = a\naws_secret_access_key {KEY}\n"),
        "/.aws/config is not read \\(at line 3\\). Correct the file",
        2,
    ),
    "config without a section": Trouble(
        lambda machine: machine.config(f"{KEY}\n"), "/.aws/config is not read \\(at line 1\\). ", 2
    ),
    "wrong number in a variable": Trouble(
        lambda machine: machine.set(AWS_MAX_ATTEMPTS="many"), "the AWS configuration is not read: .*'many'", 2
    ),
    "wrong address in a variable": Trouble(
        lambda machine: machine.set(AWS_ENDPOINT_URL="example"),
        "the AWS configuration is not read: Invalid endpoint: example",
        2,
    ),
    # The region.
    "no region": Trouble(
        lambda machine: machine.unset("AWS_REGION", "AWS_DEFAULT_REGION"),
        "no region is set. Name it with --region, or set AWS_REGION",
        2,
    ),
    "text that is no region": Trouble(
        lambda machine: None,
        "no region has this name: .*'eu central'.* Correct --region, region in samconfig.toml",
        2,
        arguments=("--region", "eu central"),
    ),
    "unknown region": Trouble(
        without_names("eu-centrall-1"),
        "eu-centrall-1 is not a region that this version knows. Did you mean eu-central-1[?] Correct"
        " --region, region in samconfig.toml, AWS_REGION, or the profile's region",
        2,
    ),
    # The network.
    "no network": Trouble(
        without_names(),
        f"sts.eu-central-1.amazonaws.com does not answer. {NETWORK}, and HTTPS_PROXY if it needs one",
    ),
    "connection refused": Trouble(
        lambda machine: machine.set(AWS_ENDPOINT_URL=f"http://127.0.0.1:{machine.closed_port()}"),
        f"127.0.0.1 does not answer. {NETWORK}.* AWS_ENDPOINT_URL chooses this host",
    ),
    "FIPS in a region without it": Trouble(
        lambda machine: (without_names()(machine), machine.set(AWS_USE_FIPS_ENDPOINT="true")),
        f"sts-fips.eu-central-1.amazonaws.com does not answer. {NETWORK}.* AWS_USE_FIPS_ENDPOINT chooses this"
        " host",
    ),
    "FIPS of a profile": Trouble(
        lambda machine: (
            without_names()(machine),
            machine.config(
                f"[profile work]\naws_access_key_id = a\naws_secret_access_key = {KEY}\n"
                "use_fips_endpoint = true\n",
                "work",
            ),
        ),
        "sts-fips.eu-central-1.amazonaws.com does not answer.* use_fips_endpoint chooses this host",
    ),
    "proxy that refuses": Trouble(
        proxy("http://ann:{password}@127.0.0.1:{closed}"),
        "the proxy does not answer, or rejects the connection: HTTPS_PROXY \\(127.0.0.1\\). Correct the"
        " address, or unset the variable",
    ),
    "proxy that does not answer": Trouble(
        proxy("http://ann:{password}@127.0.0.1:{silent}"),
        f"sts.eu-central-1.amazonaws.com did not answer in time.* {NETWORK}, and the proxy of HTTPS_PROXY"
        " \\(127.0.0.1\\)",
    ),
    "address that is no proxy's": Trouble(
        proxy("http://ann:{password}@127.0.0.1:port"),
        "the address of the proxy is not read: HTTPS_PROXY \\(127.0.0.1\\). Correct it",
    ),
    "address that is not read": Trouble(
        proxy("ann:{password}@[127.0.0.1"), "the address of the proxy is not read: HTTPS_PROXY"
    ),
    "wrong clock": Trouble(
        answers(
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 20261127T000000Z is now earlier than 20261127T010000Z",
        ),
        "this machine's clock differs from AWS's: Signature expired.* On Linux: `timedatectl set-ntp true`",
    ),
    "clock of another service": Trouble(
        answers(403, "RequestTimeTooSkewed", "The difference is too large"), "this machine's clock differs"
    ),
    "access denied": Trouble(
        answers(403, "AccessDenied", "a policy denies it"),
        "GetCallerIdentity is denied: a policy denies it. Name another profile with --profile, or ask an"
        " administrator of the account",
    ),
    "throttling": Trouble(
        answers(400, "Throttling", "Rate exceeded"),
        "AWS throttles GetCallerIdentity. Run this again in a minute",
    ),
    "server that does not answer": Trouble(
        silent_server, f"127.0.0.1 did not answer in time, or closed the connection. {NETWORK}"
    ),
    "connection that is closed": Trouble(
        answers(lambda handler: setattr(handler, "close_connection", True)),
        f"127.0.0.1 did not answer in time, or closed the connection. {NETWORK}",
    ),
    "page of a login": Trouble(
        answers("<html><body>Log in<br></body>"),
        "the answer is not that of AWS. Check the network: a proxy, or the page",
    ),
    "another XML": Trouble(answers("<html/>"), "the answer is not that of AWS. Check the network"),
    "error of AWS": Trouble(answers(500, "InternalFailure", "try later"), "try later.* run this again"),
    # samconfig.toml.
    "no samconfig.toml": Trouble(
        over("samconfig.toml", lambda path: None),
        "there is no samconfig.toml in /.* name the file with --config-file, or name --env",
        2,
    ),
    "another file that does not exist": Trouble(
        lambda machine: None, "there is no other.toml in /", 2, ("--config-file", "other.toml")
    ),
    "broken samconfig.toml": Trouble(
        in_samconfig("[dev.global.parameters]\nstack_name = 'a' 'b'\n"),
        "samconfig.toml is not read: .*at line 2, column 18.* Correct it, or copy that of the release",
        2,
    ),
    "empty samconfig.toml": Trouble(
        in_samconfig(""), "samconfig.toml has no environment dev. It has none: copy that of the release", 2
    ),
    "samconfig.toml without the table": Trouble(
        lambda machine: None,
        "samconfig.toml has no environment dve. Did you mean dev[?] Name one of its environments: dev, prd",
        2,
        ("--env", "dve"),
    ),
    "table of a project": Trouble(
        in_samconfig(f"{OVERRIDES} ['EnvID=dev']\n{OF_PROJECT}"),
        "the table shop-dev of samconfig.toml is not an environment: it deploys templates/project.yaml. Name"
        " one of its environments: dev$",
        2,
        ("--env", "shop-dev"),
    ),
    "name of a table with a space": Trouble(
        in_samconfig('["my env".global.parameters]\nstack_name = "a"\n'),
        "table \\[my env\\] is not letters, .* Rename",
        2,
        arguments=("--env", "my env"),
    ),
    "no stack_name": Trouble(
        in_samconfig("[dev.deploy.parameters]\n"),
        "samconfig.toml: \\[dev.global.parameters\\] lacks stack_name. Add it, as in stack_name ="
        ' "cfn-gitops-dev"',
        2,
    ),
    "no EnvID": Trouble(
        in_samconfig(f"{OVERRIDES} ['ProjectID=a']"),
        "samconfig.toml: .*\\[dev.deploy.parameters\\] lacks EnvID. Add it, as in parameter_overrides ="
        ' \\["EnvID=dev"\\]',
        2,
    ),
    "empty EnvID": Trouble(in_samconfig(f"{OVERRIDES} ['EnvID=\"\"']"), "lacks EnvID. Add it", 2),
    "EnvID in another form": Trouble(
        in_samconfig(f"{OVERRIDES} ['EnvID']"),
        "EnvID in parameter_overrides of .* is not read by this command. Write it as a list",
        2,
    ),
    "folder instead of samconfig.toml": Trouble(
        over("samconfig.toml", Path.mkdir), "samconfig.toml is not read: Is a directory. ", 2
    ),
    "samconfig.toml in Latin-1": Trouble(
        in_samconfig("# \n# é".encode("latin-1")),
        "samconfig.toml is not read: it is not UTF-8 \\(at line 2, column 3\\). Save it as UTF-8",
        2,
    ),
    "unreadable samconfig.toml": Trouble(
        unreadable, "samconfig.toml is not read: Permission denied. Correct it", 2
    ),
    "link to itself": Trouble(
        over("samconfig.toml", lambda path: path.symlink_to(path)),
        "samconfig.toml is not read: Too many levels",
        2,
    ),
}
# After the caller's identity.
LATER: dict[str, Trouble] = {
    "access denied": Trouble(
        lambda machine: setattr(machine.server, "other", (403, "AccessDenied", "a policy denies it")),
        "a policy denies it",
    ),
    "expired credentials": Trouble(
        lambda machine: setattr(machine.server, "other", (403, "ExpiredToken", "it is expired")),
        f"the credentials have expired.*{LOG_IN}",
    ),
    "throttling": Trouble(
        lambda machine: setattr(machine.server, "other", (400, "Throttling", "Rate exceeded")),
        "AWS throttles |Rate exceeded",
    ),
    "server that does not answer": Trouble(
        lambda machine: silent_server(machine, "other"), f"did not answer in time.*{NETWORK}"
    ),
    "region without the service": Trouble(
        lambda machine: (
            machine.unset("AWS_ENDPOINT_URL"),
            machine.without_names(),
            machine.set(AWS_ENDPOINT_URL_STS=machine.server.url),
        ),
        f"eu-central-1.amazonaws.com does not answer.* {NETWORK}.* the region may not have it",
    ),
}


def check(ended: Ended, trouble: Trouble) -> Any:
    """The document, after the rules of every ending."""
    shown = ended.out + ended.err
    assert "Traceback" not in shown and PASSWORD not in shown and KEY not in shown
    assert ended.err.count("\n") <= 2 and ended.err.replace("\n", "").isprintable()
    document = json.loads(ended.out)
    if "error" in document:
        assert re.search(trouble.line, ended.err), ended.err
        assert ended.status == trouble.status
        assert document["error"]["problem"] and document["error"]["remedy"]
    return document


@pytest.mark.parametrize(("name", "command"), [*zip(TROUBLES, itertools.cycle(COMMANDS))])
def test_trouble_of_the_machine_is_one_line(name: str, command: str, machine: Machine, run: Run) -> None:
    """No subcommand has begun, so each trouble meets one of them."""
    trouble = TROUBLES[name]
    trouble.arrange(machine)
    ended = run(command, *OPTIONS.get(command, []), "--json", *trouble.arguments)
    assert "error" in check(ended, trouble), ended


@pytest.mark.parametrize("name", TROUBLES)
def test_text_of_a_trouble_is_only_on_standard_error(name: str, machine: Machine, run: Run) -> None:
    trouble = TROUBLES[name]
    trouble.arrange(machine)
    ended = run("doctor", *trouble.arguments)
    assert (
        (ended.status, ended.out) == (trouble.status, "")
        and re.search(trouble.line, ended.err)
        and ended.err.count("\n") == 1
    )


@pytest.mark.parametrize(
    ("at", "by", "command"),
    [
        *zip(itertools.repeat("identity"), itertools.cycle(SIGNALS), COMMANDS),
        *itertools.product(["other"], SIGNALS, COMMANDS),
    ],
    ids=str,
)
def test_interrupt_is_one_line_and_status_130(
    at: str, by: signal.Signals, command: str, machine: Machine, run: Run
) -> None:
    setattr(machine.server, at, interrupts(by))
    document = check(
        run(command, *OPTIONS.get(command, []), "--json"),
        Trouble(lambda _: None, r"^\nInterrupted\. [A-Z].*", 130),
    )
    assert document["error"]["problem"] == "Interrupted"


@pytest.mark.parametrize("way", ["option", "samconfig.toml", "variable"])
def test_exported_credentials_replace_a_login_that_needs_awscrt(
    way: str, machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one file has no awscrt, and a profile that is named comes before the credentials of variables."""
    monkeypatch.setattr("botocore.credentials.EC", None)
    machine.config(
        "[profile work]\nlogin_session = arn:aws:iam::111122223333:user/ann\n",
        "work" if way == "variable" else "",
    )
    named = f"{TABLE}profile = 'work'\n[dev.deploy.parameters]\nparameter_overrides = ['EnvID=dev']\n"
    machine.samconfig(named if way == "samconfig.toml" else named.replace("profile = 'work'\n", ""))
    option = ["--profile", "work"] * (way == "option")
    found = run("doctor", *option)
    assert (found.status, found.err) == (
        3,
        (
            "this profile needs awscrt, a part of the AWS SDK that cfn-gitops does not have. Run this with"
            " --region, without --profile and without "
            "profile in samconfig.toml, after you have passed its credentials: "
            f'eval "$(aws {"" if way == "variable" else "--profile work "}configure export-credentials'
            ' --format env)"\n'
        ),
    )
    machine.set(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY=KEY)
    if way != "variable":
        assert run("doctor", *option).err == found.err
    machine.samconfig(named.replace("profile = 'work'\n", ""))
    assert "no answer is set" in run("doctor").err


def test_trust_in_the_ca_is_the_remedy_of_its_certificate(
    machine: Machine, aws_over_tls: AwsServer, run: Run, tmp_path: Path
) -> None:
    machine.set(AWS_ENDPOINT_URL=aws_over_tls.url)
    for command in COMMANDS:
        ended = run(command, *OPTIONS.get(command, []), "--json")
        assert "error" in check(
            ended,
            Trouble(
                lambda _: None,
                "the certificate of 127.0.0.1 is not trusted: .*CERTIFICATE_VERIFY_FAILED.* "
                "name the file with its CA: AWS_CA_BUNDLE=/path/to/ca.pem",
            ),
        )
    machine.set(AWS_CA_BUNDLE="/nosuch")
    assert re.search("certificate of 127.0.0.1 is not trusted: .*AWS_CA_BUNDLE", run("doctor").err)
    (tmp_path / "ca.pem").write_text(AUTHORITY.certificate)
    machine.set(AWS_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert "no answer is set" in run("doctor").err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", LATER)
def test_later_trouble_is_one_line_or_a_finding(name: str, command: str, machine: Machine, run: Run) -> None:
    LATER[name].arrange(machine)
    ended = run(command, *OPTIONS.get(command, []), "--json")
    document = check(ended, LATER[name])
    # A subcommand of many checks goes on after the one that failed, and its findings have the problem.
    assert "error" in document or re.search(re.split(r"\. |[.][*]", LATER[name].line)[0], ended.out), ended


def ran(machine: Machine, *arguments: str, **more: Any) -> subprocess.Popen[Any]:
    """The real program, in the environment of the machine, without a terminal. No warning of Python is
    written."""
    files = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "cli", *arguments],
        cwd=machine.folder,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **files | more,
    )


def closed_pipe() -> int:
    """The writing end of a pipe whose reader has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


STACK = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
<StackName>cfn-gitops-dev</StackName><StackStatus>CREATE_FAILED</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime>
<StackId>1</StackId><Parameters><member><ParameterKey>EnvID</ParameterKey><ParameterValue>dev</ParameterValue></member></Parameters>
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


def has_stack(handler: Answering) -> None:
    """An account with the environment's stack, and without event rules."""
    handler.send(200, '{"Rules": []}' if handler.headers.get("X-Amz-Target") else STACK)


@pytest.mark.parametrize(
    ("arguments", "stream"),
    [
        (["doctor"], "stdout"),
        (["doctor", "--json"], "stdout"),
        (["doctor", "--help"], "stdout"),
        (["doctor", "--env", "dve"], "stderr"),
        (["dctor"], "stderr"),
    ],
    ids=str,
)
def test_closed_pipe_has_no_traceback(arguments: list[str], stream: str, machine: Machine) -> None:
    machine.server.other = has_stack
    writing = closed_pipe()
    program = ran(machine, *arguments, **{stream: writing})
    os.close(writing)
    out, err = program.communicate(timeout=600)
    status = 0 if "--help" in arguments else 2 if arguments[-1] in ("dve", "dctor") else 3
    assert (
        program.returncode == status and "Traceback" not in f"{out}{err}" and "ignored" not in f"{out}{err}"
    ), err


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_is_not_written_is_a_failure(option: str, machine: Machine) -> None:
    with open("/dev/full", "w") as full:
        program = ran(machine, option, stdout=full)
        _, err = program.communicate(timeout=600)
    assert (program.returncode, err) == (
        1,
        "the output was not written: No space left on device. Correct the cause, and run this again\n",
    )


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_closed_file_has_no_traceback(stream: str, machine: Machine) -> None:
    machine.server.other = has_stack
    closed = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}[stream]
    shell = f'exec "$0" -m cli undeploy {closed}'
    ended = subprocess.run(
        ["sh", "-c", shell, sys.executable],
        cwd=machine.folder,
        text=True,
        capture_output=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="",
        check=False,
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stdout + ended.stderr


def test_other_encoding_of_the_terminal_has_no_traceback(machine: Machine) -> None:
    machine.samconfig(f'{TABLE}\n["d\u00e9v \u65e5\u672c"]\n')
    machine.set(PYTHONIOENCODING="ascii")
    program = ran(machine, "doctor", "--env", "d\u00e9v", text=False)
    err = program.communicate(timeout=600)[1].decode("ascii")
    assert (
        program.returncode == 2 and "Name one of its environments: dev, d" in err and "Traceback" not in err
    )
    # A typed answer in another encoding.
    machine.server.other = has_stack
    machine.samconfig(f"{OVERRIDES} ['EnvID=dev']")
    machine.set(PYTHONIOENCODING="utf-8")
    program = ran(machine, "undeploy", text=False, stdin=subprocess.PIPE)
    out, _ = program.communicate(b"\xff\xfe\n", timeout=600)
    assert program.returncode == 1 and b"Traceback" not in out


@pytest.mark.parametrize("by", SIGNALS, ids=str)
def test_signal_to_the_program_is_status_130(by: signal.Signals, machine: Machine) -> None:
    programs: list[subprocess.Popen[Any]] = []

    def interrupted(handler: Any) -> None:
        started.wait(600)
        programs[0].send_signal(by)
        handler.close_connection = True

    started = threading.Event()
    machine.server.identity = interrupted
    programs.append(ran(machine, "undeploy", "--yes"))
    started.set()
    out, err = programs[0].communicate(timeout=600)
    assert (programs[0].returncode, out, err) == (130, "", "\nInterrupted. Nothing was changed\n")


def test_interrupt_while_modules_are_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "main", interrupt)
    assert program.start() == 130 and capsys.readouterr().err == "\nInterrupted\n"


def test_expired_login_of_a_profile_is_one_line(machine: Machine) -> None:
    """As `aws sso login` has left it a day ago. botocore reads HOME when it is loaded."""
    machine.config(SSO)
    cache = machine.home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    # The name of the session. https://docs.aws.amazon.com/sdkref/latest/guide/access-sso.html
    (cache / f"{hashlib.sha1(b'company').hexdigest()}.json").write_text(
        json.dumps(
            {
                "accessToken": KEY,
                "expiresAt": "2026-01-01T00:00:00Z",
                "region": "eu-central-1",
                "startUrl": "https://company.awsapps.com/start",
            }
        )
    )
    started = ran(machine, "failures", "--profile", "work")
    out, err = started.communicate(timeout=600)
    assert (started.returncode, out) == (3, "") and KEY not in err and err.count("\n") == 1
    assert re.search(
        "the login has expired, or there is none yet: .*Log in, for example with `aws --profile work sso"
        " login`",
        err,
    )


def test_code_of_an_mfa_device_needs_a_terminal(machine: Machine) -> None:
    machine.config(
        "[profile work]\nrole_arn = arn:aws:iam::111122223333:role/a\nsource_profile = home\nmfa_serial ="
        f" arn:aws:iam::1:mfa/a\n[profile home]\naws_access_key_id = AKIA\naws_secret_access_key = {KEY}\n",
        "work",
    )
    started = ran(machine, "doctor")
    _, err = started.communicate(timeout=600)
    assert started.returncode == 3 and "Traceback" not in err and KEY not in err
    assert err.startswith(
        "the profile needs the code of an MFA device, and there is no terminal to type it. Run this in a"
        " terminal, or"
    )
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["docter"], "invalid choice: 'docter' .*Did you mean doctor[?]"),
        (["deploy"], "Did you mean `sam deploy --config-env dev`"),
        (["--env", "prd", "status"], "--env stands before the command. Options follow it"),
        (["status", "--env", "x", "-o"], "Did you mean --json[?]"),
        (["undeploy", "--del"], "--del. Did you mean --delete-bucket[?]"),
        (["doctor", "--jsn"], "unrecognized arguments: --jsn. Did you mean --json[?]"),
        (["doctor", "--env"], "argument --env: expected one argument"),
        (["doctor", "--profle", "work"], "--profle work. Did you mean --profile[?]"),
        (["undeploy", "--delete-buckets"], "--delete-buckets. Did you mean --delete-bucket[?]"),
    ],
    ids=str,
)
def test_wrong_use_is_status_2_and_one_line(arguments: list[str], line: str, run: Run) -> None:
    ended = run(*arguments)
    assert (ended.status, ended.out) == (2, "") and re.search(line, ended.err)
    assert ended.err.count("\n") == 1 and re.search(r"`cfn-gitops( [a-z]+)? --(help|env dev)`\n$", ended.err)
    document = run(*arguments, "--json")
    assert document.status == 2 and re.search(
        line.split(". ")[0], json.loads(document.out)["error"]["problem"]
    )
