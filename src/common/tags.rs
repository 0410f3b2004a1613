//! Tags that a template sets.

use std::collections::BTreeMap;

use cfn_custom_resource::{Format, Kind, Object, Pattern, Property, ValidationErrors};

/// The prefix of the tags that this function writes for itself.
pub const OWN: &str = "cfn-gitops:";

/// The property `Tags`: a list of `Key` and `Value`. AWS accepts 50 tags on a resource. The
/// function needs the rest.
pub static TAGS: Property = Property::new(
    "Tags",
    Kind::List {
        items: &Kind::Object(&TAG),
        max: Some((40, "must be at most 40")),
    },
);

static TAG: [Property; 2] = [
    Property::required("Key", Kind::Text(&KEY)),
    Property::required("Value", Kind::Text(&VALUE)),
];

/// The ASCII characters that no tag contains. Beyond ASCII, tags contain letters and digits, for
/// which the common syntax of regular expressions has no class.
macro_rules! not_a_tag {
    () => {
        r"[\x00-\x1F!-*,;<>?\[\\\]^`{-\x7F]"
    };
}

/// `CodeBuild` accepts one character less than other services, in keys and in values.
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Tag.html>
static KEY: Format = Format::with_parser(
    Pattern::new(".")
        .without(concat!(
            not_a_tag!(),
            "|^([Aa][Ww][Ss]|[Cc][Ff][Nn]-[Gg][Ii][Tt][Oo][Pp][Ss]):"
        ))
        .up_to(127),
    "must be 1 to 127 letters, digits, spaces and `_.:/=+-@`, and not start with aws: or \
     cfn-gitops:",
    is_tag_text,
);
static VALUE: Format = Format::with_parser(
    Pattern::new("").without(not_a_tag!()).up_to(255),
    "must be at most 255 letters, digits, spaces and `_.:/=+-@`",
    is_tag_text,
);

/// Reads `Tags`. A key must be unique.
pub fn from_properties(
    properties: &Object,
    errors: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for tag in properties.objects("Tags") {
        let (Some(key), Some(value)) = (tag.text("Key"), tag.text("Value")) else {
            continue;
        };
        if tags.insert(key, value).is_some() {
            errors.add(tag.path_of("Key"), "is given twice");
        }
    }
    tags
}

/// Whether it is of the class `\p{Z}` in AWS's patterns.
fn is_space(c: char) -> bool {
    c.is_whitespace() && !c.is_control()
}

fn is_tag_text(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || is_space(c) || "_.:/=+-@".contains(c))
}
