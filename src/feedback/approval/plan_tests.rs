use std::time::{Duration, SystemTime};

use super::*;

const PROJECT: u64 = 15;
const ANN: u64 = 25;
const NAME: &str = "deploy/dev/shop/0123456789abcdef";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn shown() -> Tag {
    Tag {
        target: "object".to_owned(),
        commit: "new".to_owned(),
    }
}

/// Ann creates the tag at second 10.
fn creation() -> ProjectPush {
    ProjectPush {
        project: PROJECT,
        author: ANN,
        is_of_tags: true,
        name: Some(NAME.to_owned()),
        change: RefChange::Created,
        from: None,
        to: Some("object".to_owned()),
        at: at(10),
    }
}

fn ann() -> GitLabUser {
    GitLabUser {
        id: ANN,
        username: "ann".to_owned(),
        is_active_person: true,
        public_email: "ann@example.com".to_owned(),
    }
}

fn commit(id: &str, email: &str) -> Commit {
    Commit {
        id: id.to_owned(),
        parents: vec![],
        emails: vec![String::new(), email.to_owned()],
    }
}

fn named(pushes: &[ProjectPush]) -> Result<u64, Doubt> {
    super::creation(PROJECT, NAME, &shown(), pushes).map(|push| push.author)
}

fn push(change: impl FnOnce(&mut ProjectPush)) -> ProjectPush {
    let mut push = creation();
    change(&mut push);
    push
}

/// A push of more tags than GitLab lists.
fn bulk(seconds: u64) -> ProjectPush {
    push(|it| (it.name, it.at) = (None, at(seconds)))
}

#[test]
fn single_creation_names_the_creator() {
    let other_tag = push(|it| (it.name, it.author) = (Some("v1".to_owned()), 7));
    let bulk_of_branches = ProjectPush {
        is_of_tags: false,
        ..bulk(11)
    };
    let others = [other_tag, creation(), bulk(9), bulk_of_branches];
    for pushes in [&[creation()][..], &[creation(), creation()], &others] {
        assert_eq!(named(pushes), Ok(ANN), "{pushes:?}");
    }
}

/// The stories `approve_*` have the attacks that cause such events.
#[test]
fn creator_is_unknown_after_any_other_event() {
    for other in [
        push(|it| it.author = 7),
        push(|it| it.change = RefChange::Moved),
        push(|it| (it.change, it.to, it.at) = (RefChange::Removed, None, at(11))),
        push(|it| it.to = Some("another".to_owned())),
    ] {
        for pushes in [[creation(), other.clone()], [other, creation()]] {
            assert_eq!(named(&pushes), Err(Doubt::NotCreatedOnce), "{pushes:?}");
        }
    }
    for pushes in [&[bulk(10), creation()][..], &[bulk(11), creation()]] {
        assert_eq!(named(pushes), Err(Doubt::Bulk));
    }
    assert_eq!(named(&[bulk(9)]), Err(Doubt::Bulk));
    for pushes in [&[][..], &[push(|it| it.is_of_tags = false)]] {
        assert_eq!(named(pushes), Err(Doubt::NoEvent));
    }
    let foreign = push(|it| (it.project, it.name) = (16, None));
    let named = named(&[creation(), foreign]);
    assert_eq!(named, Err(Exposure::OtherProject.into()));
}

/// The stories `approve_*` have people who took part.
#[test]
fn push_of_other_changes_is_not_of_an_author() {
    let of_branch = |name: &str, to: &str, author| ProjectPush {
        is_of_tags: false,
        name: Some(name.to_owned()),
        to: Some(to.to_owned()),
        author,
        ..creation()
    };
    let merge = |people: &[u64], source: &str| RequestedMerge {
        iid: 4,
        created: vec![],
        people: people.to_vec(),
        source: Some(source.to_owned()),
        head: None,
        merged: Some(at(10)),
    };
    let checked = |merge: RequestedMerge, pushes: &[ProjectPush]| {
        let authorship = Authorship {
            commits: vec![commit("new", "bob@example.com")],
            replaced: vec![],
            merges: vec![merge],
            pushes: pushes.to_vec(),
            tags: vec![shown()],
            own_tag: NAME.to_owned(),
        };
        check_authors(&ann(), &authorship, "main")
    };
    let unrelated = [
        creation(),
        of_branch("main", "new", 7),
        of_branch("feature", "elsewhere", ANN),
    ];
    assert_eq!(checked(merge(&[7, 8], "other"), &unrelated), Ok(()));
    let of_feature = || merge(&[7], "feature");
    let mut push = of_branch("feature", "x", ANN);
    assert!(checked(of_feature(), std::slice::from_ref(&push)).is_err());
    let removal = ProjectPush {
        change: RefChange::Removed,
        to: None,
        ..push.clone()
    };
    assert_eq!(checked(of_feature(), &[removal]), Ok(()));
    let of_main = of_branch("main", "x", ANN);
    assert_eq!(checked(merge(&[7], "main"), &[of_main]), Ok(()));
    // The branch may be one that stays, such as `development`.
    push.at = at(10) + EVENT_DELAY + Duration::from_secs(1);
    assert_eq!(checked(of_feature(), &[push]), Ok(()));
}

#[test]
fn addresses_that_gitlab_shows_are_found() {
    for email in [
        "Ann@Example.com",
        "25-ann@users.noreply.example.com",
        "25@users.noreply.example.com",
    ] {
        assert!(ann().has_email_of(&commit("new", email)), "{email}");
    }
    assert!(!ann().has_email_of(&commit("new", "bob@example.com")));
}

#[test]
fn person_below_a_maintainer_does_not_approve() {
    for level in [None, Some(0), Some(30)] {
        assert_eq!(
            check_person(&ann(), level, ANN + 1),
            Err(Doubt::NotMaintainer),
            "{level:?}"
        );
    }
    assert_eq!(check_person(&ann(), Some(MAINTAINER), ANN + 1), Ok(()));
}

/// The function's role also gives the approvals that a person decided in GitLab.
#[test]
fn approval_is_by_a_person_only_if_one_is_named() {
    const OWN: &str = "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/cfn-gitops-dev";
    const JANE: &str = "arn:aws:sts::123456789012:assumed-role/Approver/jane";
    const OTHERS: [&str; 4] = [
        "arn:aws:iam::123456789012:user/people/olivia",
        "arn:aws:iam::123456789012:root",
        "arn:aws-cn:sts::123456789012:federated-user/olivia",
        "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops-2/jane",
    ];
    const ANN_APPROVED: &str = "cfn-gitops: approved in GitLab by @ann (25), tag deploy/dev/shop/x";
    const REJECTED: &str = "cfn-gitops: rejected in GitLab by @ann (25), tag reject/dev/shop/x";
    let names = ResourceNames::new("dev", "shop").expect("names");
    let rows = [
        ("", JANE, true),
        ("fine", JANE, true),
        (ANN_APPROVED, OWN, true),
        (ANN_APPROVED, "", true),
        (ANN_APPROVED, JANE, true),
        ("fine", "", false),
        ("", "", false),
        ("fine", "codepipeline.amazonaws.com", false),
        (
            "",
            "arn:aws:codepipeline:eu-west-1:123456789012:pipeline",
            false,
        ),
        ("", "arn:aws:sts::123456789012:unknown/jane", false),
        ("", "jane", false),
        (REJECTED, OWN, false),
        (SUMMARY, OWN, false),
        (SUMMARY, "", false),
        (SUMMARY, JANE, false),
        ("", OWN, false),
        ("fine", OWN, false),
    ];
    let others = OTHERS.map(|by| ("", by, true));
    for (summary, by, expected) in rows.into_iter().chain(others) {
        let mut approval = Action {
            name: "Approval".to_owned(),
            stage: String::new(),
            state: ActionState::Succeeded,
            status: String::new(),
            summary: summary.to_owned(),
            by: by.to_owned(),
            external_id: String::new(),
            attempt: String::new(),
        };
        assert_eq!(is_by_person(&approval, &names), expected, "{summary} {by}");
        for state in [
            ActionState::Abandoned,
            ActionState::Running,
            ActionState::Failed,
        ] {
            approval.state = state;
            assert!(!is_by_person(&approval, &names));
        }
    }
}
