"""The script between two repositories of the local AWS: the replica follows every change of the source.

`replicate` asserts that the build has succeeded, and that both repositories have the same references and
default.
"""

import os

import pytest

from tests.replication.scene import REPLICA_REGION, SOURCE_REGION, TAG, Scene


@pytest.fixture
def replicated(scene: Scene) -> Scene:
    """With the branch main in both repositories."""
    scene.commit("one")
    scene.push("main")
    scene.replicate()
    return scene


def test_first_run_copies_branches_tags_and_default_branch(scene: Scene) -> None:
    scene.commit("one")
    # Without an explicit default branch, CodeCommit would choose another one.
    scene.push("main")
    scene.push("main:alpha", "main:development", "main:zeta/deep")
    scene.git("tag", "light")
    scene.git("tag", "--annotate", "--message=first", "v1")
    scene.push("--tags")
    run = scene.replicate()
    assert "in step: 6 references, default branch main" in run.log
    assert os.listdir(run.directory / "tmp") == []


def test_a_run_without_anything_new_neither_clones_nor_pushes(replicated: Scene) -> None:
    assert replicated.replicate().calls() == ["ls-remote", "ls-remote"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (["main:old-name", "main:goes"], [["main:comes", ":goes", "main:new-name", ":old-name"]]),
        # Names that the replica cannot have beside the former ones.
        (["main:a", "main:b/c"], [[":a", ":b/c"], ["main:a/b", "main:b"]]),
    ],
)
def test_created_renamed_deleted_branches_follow(
    replicated: Scene, first: list[str], then: list[list[str]]
) -> None:
    replicated.push(*first)
    replicated.replicate()
    replicated.commit("two")
    for references in then:
        replicated.push(*references)
    replicated.replicate()


def test_tags_that_are_moved_and_deleted_follow(scene: Scene) -> None:
    scene.commit("one")
    for tag in ("moves", "goes"):
        scene.git("tag", "--annotate", "--message=first", tag)
    scene.push("main", "--tags")
    scene.replicate()
    scene.commit("two")
    scene.git("tag", "--force", "--annotate", "--message=second", "moves")
    scene.push("--force", "main", "refs/tags/moves", ":refs/tags/goes")
    scene.replicate()


def test_new_default_branch_is_set_before_old_is_deleted(replicated: Scene) -> None:
    replicated.push("main:trunk")
    replicated.set_default(SOURCE_REGION, "trunk")
    replicated.push(":main")
    replicated.replicate()
    # Without another change.
    replicated.push("main:other")
    replicated.replicate()
    replicated.set_default(SOURCE_REGION, "other")
    replicated.replicate()


@pytest.mark.parametrize(("old", "new"), [("release", "release/next"), ("release/next", "release")])
def test_default_branch_conflicting_with_old_name_follows(scene: Scene, old: str, new: str) -> None:
    scene.commit("one")
    scene.push(f"main:{old}")
    scene.replicate()
    # The source has to delete another branch, too.
    scene.push("main:between")
    scene.set_default(SOURCE_REGION, "between")
    scene.push(f":{old}")
    scene.push(f"main:{new}")
    scene.set_default(SOURCE_REGION, new)
    scene.push(":between")
    scene.replicate()


def test_diverged_replica_is_overwritten(replicated: Scene) -> None:
    replicated.commit("by hand")
    replicated.git("tag", "by-hand")
    replicated.push_to_replica("main", "main:by-hand", "refs/tags/by-hand")
    replicated.git("reset", "--quiet", "--hard", "HEAD~1")
    replicated.commit("two")
    replicated.push("main")
    replicated.replicate()


def test_an_empty_source_and_an_empty_replica_are_in_step(scene: Scene) -> None:
    assert "in step: 0 references, default branch none" in scene.replicate().log


def test_recreated_empty_source_does_not_empty_the_replica(replicated: Scene) -> None:
    before, codecommit = replicated.references(REPLICA_REGION), replicated.codecommit[SOURCE_REGION]
    codecommit.delete_repository(repositoryName=replicated.name)
    codecommit.create_repository(repositoryName=replicated.name)
    run = replicated.run()
    assert run.code() == 1
    assert "the source is empty and the replica is not: nothing is deleted" in run.log
    assert replicated.references(REPLICA_REGION) == before


def test_references_beyond_push_limit_are_pushed_in_batches(replicated: Scene) -> None:
    replicated.push(*[f"main:old-{number}" for number in range(4)])
    replicated.replicate()
    replicated.commit("two")
    replicated.push(
        *[f":old-{number}" for number in range(4)], *[f"main:new-{number}" for number in range(4)], "main"
    )
    assert replicated.replicate(BATCH="4").calls().count("push") == 3


@pytest.mark.parametrize("what", ["ls-remote", "clone", "push"])
def test_network_fault_is_retried_and_a_lasting_one_is_harmless(scene: Scene, what: str) -> None:
    scene.commit("one")
    scene.push("main")
    run = scene.ends_in_step(scene.run().fail(what, times=2))
    assert run.log.count("; retrying") == 2
    before = scene.references(REPLICA_REGION)
    scene.commit("two")
    scene.push("main", "main:more")
    run = scene.run(ATTEMPTS="3").fail(what, times=100)
    assert run.code() == 1
    assert run.calls().count(what) == 3
    assert "stopped after 3 faults" in run.log
    assert scene.references(REPLICA_REGION) == before
    scene.replicate()


def test_missing_source_fails_after_retries(scene: Scene) -> None:
    scene.codecommit[SOURCE_REGION].delete_repository(repositoryName=scene.name)
    run = scene.run(ATTEMPTS="2")
    assert run.code() == 1
    assert "RepositoryDoesNotExistException" in run.log


@pytest.mark.parametrize(
    "denied",
    [
        "codecommit:GetRepository",
        "codecommit:GitPull",
        "codecommit:GitPush",
        "codecommit:ListTagsForResource",
        "codecommit:UpdateDefaultBranch",
    ],
)
def test_each_permission_of_the_build_role_is_needed(scene: Scene, denied: str) -> None:
    scene.commit("one")
    scene.push("main", "main:other")
    scene.push_to_replica("main:other")
    iam = scene.aws.client("iam")
    iam.put_user_policy(
        UserName=scene.name,
        PolicyName="no",
        PolicyDocument=(
            f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"{denied}","Resource":"*"}}]}}'
        ),
    )
    run = scene.run(ATTEMPTS="2")
    assert run.code() == 1
    assert denied in run.log or "403" in run.log
    iam.delete_user_policy(UserName=scene.name, PolicyName="no")
    scene.replicate()


@pytest.mark.parametrize("tags", [{}, {TAG: "arn:aws:codecommit:eu-central-1:123456789012:another"}])
def test_repository_without_own_replica_tag_is_not_changed(scene: Scene, tags: dict[str, str]) -> None:
    scene.commit("one")
    scene.push("main")
    scene.push_to_replica("main:precious")
    codecommit = scene.codecommit[REPLICA_REGION]
    codecommit.untag_resource(resourceArn=scene.replica["Arn"], tagKeys=[TAG])
    if tags:
        codecommit.tag_resource(resourceArn=scene.replica["Arn"], tags=tags)
    before = scene.references(REPLICA_REGION)
    run = scene.run()
    assert run.code() == 1
    assert f"its tag {TAG} has to be {scene.source['Arn']}" in run.log
    assert "retrying" not in run.log
    assert scene.references(REPLICA_REGION) == before


def test_repository_cannot_be_its_own_replica(scene: Scene) -> None:
    scene.commit("one")
    scene.push("main")
    run = scene.run(REPLICA_REGION=SOURCE_REGION)
    assert run.code() == 1
    assert "source and replica are the same repository" in run.log


def test_mutual_replicas_are_both_rejected(scene: Scene) -> None:
    scene.codecommit[SOURCE_REGION].tag_resource(
        resourceArn=scene.source["Arn"], tags={TAG: scene.replica["Arn"]}
    )
    scene.commit("one")
    scene.push("main")
    there = scene.run()
    back = scene.run(SOURCE_REGION=REPLICA_REGION, REPLICA_REGION=SOURCE_REGION)
    assert (there.code(), back.code()) == (1, 1)
    assert "is a replica itself" in there.log and "is a replica itself" in back.log
    assert scene.references(REPLICA_REGION) == {}


@pytest.mark.parametrize("what", ["clone", "push"])
def test_next_run_completes_a_killed_run(scene: Scene, what: str) -> None:
    scene.commit("one")
    scene.push("main", "main:other")
    scene.run().held_before(what).kill()
    scene.replicate()


def test_no_login_is_in_the_log(scene: Scene) -> None:
    scene.commit("one")
    scene.push("main")
    run = scene.replicate(GIT_TRACE="1", GIT_CURL_VERBOSE="1", GIT_TRACE_CURL="1", GIT_TRACE_PACKET="1")
    assert "git-codecommit" in run.log or "To http" in run.log  # the log does contain the push's address
    assert "Authorization" not in run.log
    for secret in (scene.key["AccessKeyId"], scene.key["SecretAccessKey"]):
        assert secret not in run.log
