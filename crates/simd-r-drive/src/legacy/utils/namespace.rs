//! Fixed-length keys in namespaces.

use simd_r_drive_entry_handle::compute_hash;

/// Turns keys into 16-byte keys that do not clash between namespaces.
///
/// ```
/// use simd_r_drive::utils::NamespaceHasher;
///
/// let users = NamespaceHasher::new(b"users");
/// let groups = NamespaceHasher::new(b"groups");
/// assert_eq!(users.namespace(b"7").len(), 16);
/// assert_ne!(users.namespace(b"7"), groups.namespace(b"7"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespaceHasher {
    prefix: [u8; 8],
}

impl NamespaceHasher {
    /// A namespace with the name `prefix`.
    pub fn new(prefix: &[u8]) -> Self {
        Self { prefix: compute_hash(prefix).to_le_bytes() }
    }

    /// XXH3-64 of the namespace's name, then of `key`, both little-endian: 16 bytes.
    ///
    /// The key itself is not kept: two keys of equal hash get the same result.
    pub fn namespace(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix, compute_hash(key).to_le_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_two_little_endian_hashes() {
        let name = NamespaceHasher::new(b"prefix").namespace(b"key");
        assert_eq!(name[..8], compute_hash(b"prefix").to_le_bytes());
        assert_eq!(name[8..], compute_hash(b"key").to_le_bytes());
    }
}
