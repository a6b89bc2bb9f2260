//! What an error is about.

use std::fmt;
use std::path::{Path, PathBuf};

/// How much of a key a message shows at most, in bytes.
const MAX_SHOWN: usize = 64;

/// The store that an error is about, or the key in it.
///
/// A message starts with its subject and a colon. An unknown subject is left out.
///
/// ```
/// use simd_r_drive_entry_handle::Subject;
///
/// assert_eq!(Subject::of_key(b"tile/7").to_string(), "key \"tile/7\": ");
/// assert_eq!(Subject::default().to_string(), "");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject(Option<Box<About>>);

/// What a [`Subject`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    Path(PathBuf),
    Key(Vec<u8>),
    KeyHash(u64),
}

impl Subject {
    /// No subject: the code that raised the error did not know it.
    pub const UNKNOWN: Self = Self(None);

    /// The entry under `key`. Allocates a copy of the key.
    #[cold]
    pub fn of_key(key: &[u8]) -> Self {
        Self(Some(Box::new(About::Key(key.to_vec()))))
    }

    /// The entry under the key hash `hash`, if only that is known.
    #[cold]
    pub fn of_key_hash(hash: u64) -> Self {
        Self(Some(Box::new(About::KeyHash(hash))))
    }

    /// The path of the store, if that is the subject.
    pub fn path(&self) -> Option<&Path> {
        match self.0.as_deref() {
            Some(About::Path(path)) => Some(path),
            _ => None,
        }
    }

    /// The key, if that is the subject.
    pub fn key(&self) -> Option<&[u8]> {
        match self.0.as_deref() {
            Some(About::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The key hash, if that is the subject.
    pub fn key_hash(&self) -> Option<u64> {
        match self.0.as_deref() {
            Some(About::KeyHash(hash)) => Some(*hash),
            _ => None,
        }
    }
}

/// The store at a path.
impl From<&Path> for Subject {
    fn from(path: &Path) -> Self {
        Self(Some(Box::new(About::Path(path.to_owned()))))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None => Ok(()),
            Some(About::Path(path)) => write!(f, "{}: ", path.display()),
            Some(About::KeyHash(hash)) => write!(f, "key hash {hash:#018x}: "),
            Some(About::Key(key)) => match key.get(..MAX_SHOWN) {
                Some(start) if key.len() > MAX_SHOWN => {
                    write!(f, "key \"{}\"... of {} bytes: ", start.escape_ascii(), key.len())
                }
                _ => write!(f, "key \"{}\": ", key.escape_ascii()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_the_start_of_a_long_key() {
        let key = [b'a'; 1000];
        let text = Subject::of_key(&key).to_string();
        assert_eq!(text, format!("key \"{}\"... of 1000 bytes: ", "a".repeat(64)));
        let text = Subject::of_key(&key[..64]).to_string();
        assert_eq!(text, format!("key \"{}\": ", "a".repeat(64)));
        assert_eq!(Subject::of_key(b"\n\xff").to_string(), "key \"\\n\\xff\": ");
    }

    #[test]
    fn a_subject_is_one_thing() {
        let path = Path::new("a/b");
        let subjects = [Subject::from(path), Subject::of_key(b"k"), Subject::of_key_hash(7)];
        let parts = subjects.each_ref().map(|it| (it.path(), it.key(), it.key_hash()));
        let expected =
            [(Some(path), None, None), (None, Some(&b"k"[..]), None), (None, None, Some(7))];
        assert_eq!(parts, expected);
        assert_eq!(subjects[0].to_string(), "a/b: ");
        assert_eq!(subjects[2].to_string(), "key hash 0x0000000000000007: ");
    }
}
