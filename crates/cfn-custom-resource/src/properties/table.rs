//! Tables of properties: the one declaration that decoding and JSON Schemas read.

use super::Format;

/// One property, or one member of a property that is an object.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// The name in the template.
    pub name: &'static str,
    /// The values that it can have.
    pub kind: Kind,
    /// Whether the template must set it.
    pub is_required: bool,
    /// Its value if the template does not set it, as a template would write it.
    pub default: Option<&'static str>,
    /// Its text for the schema, from [`Property::doc`]. Empty without the feature `docs`.
    pub doc: &'static str,
}

impl Property {
    /// An optional property without a default.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Property {
            name,
            kind,
            is_required: false,
            default: None,
            doc: "",
        }
    }

    /// A property that the template must set.
    pub const fn required(name: &'static str, kind: Kind) -> Self {
        Property {
            is_required: true,
            ..Property::new(name, kind)
        }
    }

    /// The same property with a default.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Property {
            default: Some(default),
            ..self
        }
    }

    /// The same property with a text in Markdown. A line `Default: …` follows if the default is not
    /// a value of the table, and a line `Update: …` if an update does not just change the resource.
    /// A function that is compiled without the feature `docs` does not contain the text.
    #[must_use]
    pub const fn doc(self, text: &'static str) -> Self {
        Property {
            doc: if cfg!(feature = "docs") { text } else { "" },
            ..self
        }
    }
}

/// The values that a property can have. CloudFormation sends numbers and booleans as strings, so
/// both are accepted everywhere.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any value. It is not decoded.
    Any,
    /// Any text.
    AnyText,
    /// Text of a format.
    Text(&'static Format),
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number {
        /// The least value.
        min: u32,
        /// The greatest value.
        max: u32,
    },
    /// One of some numbers.
    NumberOf {
        /// The values.
        values: &'static [u32],
        /// The error of any other value: "must be …".
        must_be: &'static str,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// An object with these members.
    Object(&'static [Property]),
    /// An object with member names that the template chooses, and texts as values.
    Map(Map),
    /// A map, or a list of objects with these members.
    MapOrList(Map, &'static [Property]),
    /// A list.
    List {
        /// The kind of each entry.
        items: &'static Kind,
        /// The maximum number of entries, and the error of a longer list.
        max: Option<(usize, &'static str)>,
    },
}

/// An object with member names that the template chooses.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The format of the names.
    pub names: &'static Format,
    /// The format of the values; `None` if they can be any text.
    pub values: Option<&'static Format>,
    /// If the map, or the list in its place, can also be written as JSON text: the error of text
    /// that is not JSON. In a template, a parameter cannot be a map or a key of one, but can be a
    /// text or a part of it.
    pub as_json: Option<&'static str>,
}
