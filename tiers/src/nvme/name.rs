//! Names of files, to and from text. One name has one spelling.

use std::fmt;

use super::FileName;

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Superblock => f.write_str("superblock"),
            FileName::Watermarks => f.write_str("watermarks"),
            FileName::Slots => f.write_str("slots"),
            FileName::Reserve => f.write_str("reserve"),
            FileName::Segment(number) => write!(f, "{number:08}.seg"),
        }
    }
}

impl FileName {
    /// The name spelt `text`, if it is one.
    pub fn parse(text: &str) -> Option<FileName> {
        let name = match text {
            "superblock" => FileName::Superblock,
            "watermarks" => FileName::Watermarks,
            "slots" => FileName::Slots,
            "reserve" => FileName::Reserve,
            _ => FileName::Segment(text.strip_suffix(".seg")?.parse().ok()?),
        };
        (name.to_string() == text).then_some(name)
    }
}
