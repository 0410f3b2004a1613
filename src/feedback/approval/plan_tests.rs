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
        creates: true,
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
        author_email: email.to_owned(),
        committer_email: String::new(),
    }
}

fn named(pushes: &[ProjectPush]) -> Result<u64, Doubt> {
    creator(PROJECT, NAME, &shown(), Some(pushes))
}

#[test]
fn single_creation_names_the_creator() {
    let other_tag = ProjectPush {
        name: Some("v1".to_owned()),
        author: 7,
        ..creation()
    };
    let earlier_bulk = ProjectPush {
        name: None,
        at: at(9),
        ..creation()
    };
    let bulk_of_branches = ProjectPush {
        name: None,
        is_of_tags: false,
        at: at(11),
        ..creation()
    };
    assert_eq!(named(&[creation()]), Ok(ANN));
    assert_eq!(named(&[creation(), creation()]), Ok(ANN));
    assert_eq!(
        named(&[other_tag, creation(), earlier_bulk, bulk_of_branches]),
        Ok(ANN)
    );
}

#[test]
fn creator_is_unknown_after_any_other_event() {
    let others = [
        ProjectPush {
            author: 7,
            ..creation()
        },
        ProjectPush {
            creates: false,
            ..creation()
        },
        ProjectPush {
            creates: false,
            to: None,
            at: at(11),
            ..creation()
        },
        ProjectPush {
            to: Some("another".to_owned()),
            ..creation()
        },
    ];
    for other in others {
        assert_eq!(
            named(&[creation(), other.clone()]),
            Err(Doubt::NotCreatedOnce),
            "{other:?}"
        );
        assert_eq!(
            named(&[other.clone(), creation()]),
            Err(Doubt::NotCreatedOnce),
            "{other:?}"
        );
    }
    let bulk = |at| ProjectPush {
        name: None,
        at,
        ..creation()
    };
    assert_eq!(named(&[bulk(at(10)), creation()]), Err(Doubt::Bulk));
    assert_eq!(named(&[bulk(at(11)), creation()]), Err(Doubt::Bulk));
    assert_eq!(named(&[bulk(at(9))]), Err(Doubt::Bulk));
    assert_eq!(named(&[]), Err(Doubt::NoEvent));
    assert_eq!(
        creator(PROJECT, NAME, &shown(), None),
        Err(Doubt::TooManyPushes)
    );
    let of_branch = ProjectPush {
        is_of_tags: false,
        ..creation()
    };
    assert_eq!(named(&[of_branch]), Err(Doubt::NoEvent));
    let foreign = ProjectPush {
        project: 16,
        name: None,
        ..creation()
    };
    assert_eq!(
        named(&[creation(), foreign]),
        Err(Exposure::OtherProject.into())
    );
}

#[test]
fn whoever_took_part_is_an_author() {
    let of_branch = |name: Option<&str>, to: &str, author| ProjectPush {
        is_of_tags: false,
        name: name.map(ToOwned::to_owned),
        to: Some(to.to_owned()),
        author,
        ..creation()
    };
    let merge = |people: &[u64], source: Option<&str>| RequestedMerge {
        people: people.to_vec(),
        source: source.map(ToOwned::to_owned),
        merged: Some(at(10)),
    };
    let checked = |commits: &[Commit], merges: &[RequestedMerge], pushes: &[ProjectPush]| {
        let (commits, merges, pushes) = (commits.to_vec(), merges.to_vec(), pushes.to_vec());
        check_authors(
            &ann(),
            &Authorship {
                commits,
                merges,
                pushes,
            },
            "main",
        )
    };
    let bobs = [commit("new", "bob@example.com")];
    let unrelated = [
        of_branch(Some("main"), "new", 7),
        of_branch(Some("feature"), "elsewhere", ANN),
        creation(),
    ];
    assert_eq!(
        checked(&bobs, &[merge(&[7, 8], Some("other"))], &unrelated),
        Ok(())
    );
    assert!(checked(&bobs, &[merge(&[7, ANN], None)], &[]).is_err());
    assert!(checked(&bobs, &[], &[of_branch(Some("any"), "new", ANN)]).is_err());
    assert!(checked(&bobs, &[], &[of_branch(None, "", ANN)]).is_err());
    let of_feature = [merge(&[7], Some("feature"))];
    let mut push = of_branch(Some("feature"), "x", ANN);
    assert!(checked(&bobs, &of_feature, &[push.clone()]).is_err());
    let removal = ProjectPush {
        to: None,
        ..push.clone()
    };
    assert_eq!(checked(&bobs, &of_feature, &[removal]), Ok(()));
    let of_main = [merge(&[7], Some("main"))];
    assert_eq!(
        checked(&bobs, &of_main, &[of_branch(Some("main"), "x", ANN)]),
        Ok(())
    );
    // The branch may be one that stays, such as `development`.
    push.at = at(10) + EVENT_DELAY + Duration::from_secs(1);
    assert_eq!(checked(&bobs, &of_feature, &[push]), Ok(()));
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

/// The function's role also gives the approvals that a person decided in GitLab.
#[test]
fn approval_of_the_function_is_not_by_a_person() {
    const OWN: &str = "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/cfn-gitops-dev";
    const JANE: &str = "arn:aws:sts::123456789012:assumed-role/Approver/jane";
    const ANN: &str = "cfn-gitops: approved in GitLab by @ann (25), tag deploy/dev/shop/x";
    let names = ResourceNames::new("dev", "shop").expect("names");
    let rows = [
        ("", JANE, true),
        ("fine", "", true),
        ("", "", true),
        (ANN, OWN, true),
        (ANN, "", true),
        (SUMMARY, OWN, false),
        (SUMMARY, "", false),
        (SUMMARY, JANE, false),
        ("", OWN, false),
    ];
    for (summary, by, expected) in rows {
        let mut approval = Action {
            name: "Approval".to_owned(),
            state: ActionState::Succeeded,
            summary: summary.to_owned(),
            by: by.to_owned(),
        };
        assert_eq!(is_by_person(&approval, &names), expected, "{summary} {by}");
        approval.state = ActionState::Abandoned;
        assert!(!is_by_person(&approval, &names));
    }
}
