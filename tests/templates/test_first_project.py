"""The first project of template.yaml, which is optional."""

import json
import re

from tests.templates.deployed import TEMPLATES, Deployed, source

OF_THE_PROJECT = {"Project", "MirrorUser", "MirrorUserPolicy", "MirrorCredential", "MirrorRotation"}


def without_project(**parameters):
    return Deployed(EnvID="dev", ProjectID="", **parameters)


def test_environment_without_project_creates_the_rest(dev):
    made = without_project().everything()
    assert OF_THE_PROJECT.isdisjoint(made)
    # The rotation needs GitLab.
    assert dev.everything().keys() - made.keys() == OF_THE_PROJECT - {"MirrorRotation"}
    # The health check's event names the project, and so does a variable of the function that only reads.
    same = made.keys() - {"HealthCheck", "ReadFunction"}
    assert {name: made[name] for name in same} == {name: dev.everything()[name] for name in same}


def test_names_of_an_environment_without_project_are_complete():
    """An empty ProjectID would end a name with a hyphen, and a policy with that name would allow nothing or
    too much."""
    names = re.findall(r"[A-Za-z0-9:/_-]*cfn-(?=[\"/ ])", json.dumps(without_project().everything()))
    # The prefix in the rule of the executions, and nothing else.
    assert set(names) == {"codepipeline-dev-cfn-"}


def test_alarm_of_silence_waits_for_the_credential_only():
    reference = source()["Resources"]["SilenceAlarm"]["Metadata"]["CreatedAfter"]
    assert without_project().resolve([reference]) == []
    assert Deployed(EnvID="dev").resolve([reference]) == ["ref:MirrorCredential"]


def test_page_names_each_setting_that_needs_the_project():
    page = (TEMPLATES.parent / "docs/how-to/add-a-project.md").read_text()
    section = page.partition("\n## An environment without a first project\n")[2].partition("```")[0]
    rule = source()["Rules"]["SettingsOfTheFirstProjectNeedIt"]
    named = [each["AssertDescription"].split()[0] for each in rule["Assertions"]]
    assert [name for name in named if f"`{name}`" not in section] == []


def test_every_setting_of_a_project_alone_needs_the_project():
    """Such a setting would have no effect. Those with a default, and the token's, are exempt."""
    with_default = {"GitLabUrl", "ReportToGitLab", "RotationDays", "ForeignCredentials"}
    # Only with GitLabProject.
    of_gitlab = {"GitLabTokenSecretId", "GitLabCaCertificate"}
    template, resources = source(), source()["Resources"]
    rules = json.dumps(template["Rules"]["SettingsOfTheFirstProjectNeedIt"])

    def parameters_of(node):
        text = json.dumps(node)
        found = {
            name for name in template["Parameters"] if f'"Ref": "{name}"' in text or f"${{{name}}}" in text
        }
        conditions = [name for name in template["Conditions"] if f'"{name}"' in text]
        return found.union(*(parameters_of(template["Conditions"][name]) for name in conditions))

    ours = parameters_of([resources[name] for name in OF_THE_PROJECT])
    others = parameters_of([resources[name] for name in resources if name not in OF_THE_PROJECT])
    assert {name for name in ours - others - with_default - of_gitlab if name not in rules} == set()
