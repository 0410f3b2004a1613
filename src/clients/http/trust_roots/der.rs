//! The names in a certificate's encoding (X.509 in DER), as far as a look-up needs them.
//!
//! Nothing is decided with them: rustls reads the whole certificate.

/// The tags of DER that lead to the names. <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;

/// The contents of a certificate's two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    pub issuer: &'a [u8],
    pub subject: &'a [u8],
}

/// The names of a certificate, or of the beginning of one. `None` if it does not contain both.
pub fn names(certificate: &[u8]) -> Option<Names<'_>> {
    let mut rest = enter(enter(certificate)?)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = element(rest, VERSION)?;
    }
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_signature, rest) = element(rest, SEQUENCE)?;
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (_validity, rest) = element(rest, SEQUENCE)?;
    let (subject, _) = element(rest, SEQUENCE)?;
    Some(Names { issuer, subject })
}

/// What follows the header of a sequence, which may be incomplete.
fn enter(der: &[u8]) -> Option<&[u8]> {
    let (_, content) = header(der, SEQUENCE)?;
    Some(content)
}

/// The content of the element with this tag at the start of `der`, and the rest.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, content) = header(der, tag)?;
    content.split_at_checked(length)
}

/// The length of the element with this tag at the start of `der`, and what follows its header.
fn header(der: &[u8], tag: u8) -> Option<(usize, &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    if first < 0x80 {
        return Some((first.into(), rest));
    }
    // A longer length is big-endian. Four bytes are more than any certificate needs.
    let (bytes, rest) = rest.split_at_checked((first & 0x7f).into())?;
    if bytes.len() > 4 {
        return None;
    }
    let length = bytes
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some((length, rest))
}
